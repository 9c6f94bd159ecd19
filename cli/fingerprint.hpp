// Hashes that tell whether files are still what they were: of a store's parts, and of all that makes a model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

/// `count` bytes as twice as many hexadecimal digits, in lower case.
std::string hex_of(const unsigned char* bytes, std::size_t count);

/// XXH128 of a file's bytes, as 32 hexadecimal digits. It finds damage, not forgery. Errors: file.
std::string file_hash(const std::filesystem::path& file);

/// Hash of the weights, configuration and tokenizer of a model folder (or of a model that is one file): equal for
/// copies, whatever they are called, and different where embeddings could be. Errors: file.
std::string model_identity(const std::filesystem::path& given);
