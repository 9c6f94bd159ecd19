// Hashing of files and models.
#include "fingerprint.hpp"

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>
#include <bert/io/sentence_config.hpp>

#include <algorithm>
#include <string>
#include <system_error>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

std::string hex_of(const unsigned char* bytes, std::size_t count) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

namespace {

std::string digits_of(const XXH128_hash_t& hash) {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    return hex_of(bytes.digest, sizeof bytes.digest);
}

/// Whether a file of a model folder decides about its embeddings. Others (read-mes, copies of the weights in formats
/// that are not read) may come and go.
bool shapes_embeddings(const std::string& name) {
    constexpr const char* names[] = {"added_tokens.json",
                                     "config.json",
                                     "config_sentence_transformers.json",
                                     "modules.json",
                                     "sentence_bert_config.json",
                                     "special_tokens_map.json",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "vocab.txt"};
    const bool weights = name.size() > 12 && name.compare(name.size() - 12, 12, ".safetensors") == 0;
    return weights || std::any_of(std::begin(names), std::end(names), [&](const char* n) { return name == n; });
}

void collect_files(const std::filesystem::path& folder, std::vector<std::filesystem::path>& files, int depth) {
    std::error_code ec;
    for (std::filesystem::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
        std::error_code ignored;  // a broken link is neither
        if (it->is_regular_file(ignored) && shapes_embeddings(it->path().filename().string())) {
            files.push_back(it->path());
        } else if (depth > 0 && it->is_directory(ignored)) {
            // Modules are numbered ("1_Pooling"); other folders hold the model for other runtimes.
            const std::string name = it->path().filename().string();
            if (!name.empty() && name[0] >= '0' && name[0] <= '9') collect_files(it->path(), files, depth - 1);
        }
    }
    if (ec) throw bert::Error(bert::ErrorKind::file, folder.string() + ": could not be listed: " + ec.message());
}

}  // namespace

std::string file_hash(const std::filesystem::path& file) {
    const bert::MappedFile mapped(file);
    return digits_of(XXH3_128bits(mapped.data(), mapped.size()));
}

std::string model_identity(const std::filesystem::path& given) {
    if (std::filesystem::is_regular_file(given)) return file_hash(given);
    const std::filesystem::path model = std::filesystem::canonical(given);  // so that a file has one name below
    std::vector<std::filesystem::path> files;
    collect_files(model, files, 1);
    if (std::filesystem::exists(model / "modules.json")) {
        for (const auto& module : bert::detail::read_module_list(model)) {
            const auto folder = std::filesystem::path(module.folder).lexically_normal();
            if (std::filesystem::is_directory(folder)) collect_files(folder, files, 0);
        }
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    std::string list;
    for (const auto& file : files) {
        list += file.lexically_relative(model).generic_string() + ' ' + file_hash(file) + '\n';
    }
    return digits_of(XXH3_128bits(list.data(), list.size()));
}
