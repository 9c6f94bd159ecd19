// Completion of commands and options by a shell. Depends on CLI11.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

/// A script for bash that completes the commands of `app` and their options, and files elsewhere.
std::string bash_completion(const CLI::App& app);
