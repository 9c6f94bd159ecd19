// Hashes of files by which others tell whether a file is whole. Depends on OpenSSL's libcrypto.
#pragma once

#include <filesystem>
#include <string>

/// The hash of `file` of the same kind as `expected`, which is a SHA-256 (64 digits) or the SHA-1 that git gives a file
/// (40 digits), in lower-case hexadecimal digits. Errors: file, unsupported (an OpenSSL without them).
std::string hash_like(const std::string& expected, const std::filesystem::path& file);

/// Whether `text` is the hash of either kind.
bool is_file_hash(const std::string& text);
