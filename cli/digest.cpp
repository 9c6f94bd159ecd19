// Hashes of files, by OpenSSL.
#include "digest.hpp"

#include "fingerprint.hpp"

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

bool is_file_hash(const std::string& text) {
    return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

std::string hash_like(const std::string& expected, const std::filesystem::path& file) {
    const bert::MappedFile mapped(file);
    const bool git = expected.size() == 40;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const std::string header = git ? "blob " + std::to_string(mapped.size()) + std::string(1, '\0') : "";
    if (!context || EVP_DigestInit_ex(context.get(), git ? EVP_sha1() : EVP_sha256(), nullptr) != 1 ||
        EVP_DigestUpdate(context.get(), header.data(), header.size()) != 1 ||
        EVP_DigestUpdate(context.get(), mapped.data(), mapped.size()) != 1 ||
        EVP_DigestFinal_ex(context.get(), bytes, &size) != 1) {
        throw bert::Error(bert::ErrorKind::unsupported, "this machine's OpenSSL does not compute hashes");
    }
    return hex_of(bytes, size);
}
