// Models of the Hugging Face hub, brought into the cache. Depends on http.hpp, digest.hpp and hub_cache.hpp.
#pragma once

#include "hub_cache.hpp"

#include <filesystem>
#include <string>

/// Gets what is needed of a model, unless the cache has it, and returns its folder. `revision`: a branch, a tag or a
/// commit. Errors: file (network, refused by the hub, damaged in transit), format (the hub's answers), unsupported (a
/// model without safetensors), Interrupted.
std::filesystem::path download_model(const HubSettings& settings, const std::string& name, const std::string& revision,
                                     bool quiet);
