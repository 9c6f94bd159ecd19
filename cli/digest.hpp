// Hashes of files by which others tell whether a file is whole. Depends on OpenSSL's libcrypto.
#pragma once

#include <filesystem>
#include <string>

/// What a file should hash to: SHA-256 of its bytes (64 digits), or the SHA-1 that git gives it (40 digits).
/// The hash of `file` of the same kind as `expected`, in lower-case hexadecimal digits. Errors: file.
std::string hash_like(const std::string& expected, const std::filesystem::path& file);

/// Whether `text` is the hash of either kind.
bool is_file_hash(const std::string& text);
