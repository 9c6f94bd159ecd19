// Definitions of io/model_path.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/gguf_model.hpp>
#include <bert/io/model_path.hpp>

#include <fstream>
#include <system_error>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether a file begins as GGUF files do.
BERT_INLINE bool is_gguf(const std::filesystem::path& path) {
    std::string magic(gguf_magic.size(), '\0');
    std::ifstream in(path, std::ios::binary);
    return in.read(magic.data(), static_cast<std::streamsize>(magic.size())) && magic == gguf_magic;
}

BERT_INLINE std::shared_ptr<const ModelArchive> read_model_archive(const std::filesystem::path& path, bool map) {
    std::error_code ec;
    if (!std::filesystem::is_regular_file(path, ec) || path.extension() == ".json" || path.extension() == ".txt") {
        return nullptr;
    }
    return std::make_shared<const ModelArchive>(is_gguf(path) ? read_gguf_model(path, map)
                                                              : read_converted_model(path, map));
}

}  // namespace detail

BERT_INLINE ModelPath ModelPath::operator/(const std::string& name) const {
    ModelPath result;
    result.path_ = path_ / name;
    result.archive_ = archive_;
    result.inside_ = inside_.empty() ? name : inside_ + "/" + name;
    return result;
}

namespace detail {

BERT_INLINE ModelPath inside_folder(const ModelPath& folder, const std::string& relative,
                                    const std::filesystem::path& named_by) {
    inside_folder(static_cast<const std::filesystem::path&>(folder), relative, named_by);
    std::string name = std::filesystem::path(relative).lexically_normal().generic_string();
    if (!name.empty() && name.back() == '/') name.pop_back();
    return name.empty() || name == "." ? folder : folder / name;
}

BERT_INLINE bool is_there(const ModelPath& path) {
    if (!path.archive()) return is_there(static_cast<const std::filesystem::path&>(path));
    return path.archive()->files.count(path.inside()) != 0;
}

BERT_INLINE bool is_folder(const ModelPath& path) {
    std::error_code ec;
    return path.archive() ? !is_there(path) : std::filesystem::is_directory(path, ec);
}

BERT_INLINE void check_folder(const ModelPath& path) {
    if (!path.archive()) check_folder(static_cast<const std::filesystem::path&>(path));
}

BERT_INLINE std::string read_model_file(const ModelPath& path, std::uintmax_t limit) {
    if (!path.archive()) {
        const std::filesystem::path& file = path;
        return path.inside().empty() ? read_file(file, limit) : read_folder_file(file, limit);
    }
    const auto file = path.archive()->files.find(path.inside());
    if (file == path.archive()->files.end()) fail(ErrorKind::file, "cannot find ", path);
    if (file->second.size() > limit) {
        fail(ErrorKind::file, path, " has ", file->second.size(), " bytes; at most ", limit, " are accepted");
    }
    return file->second;
}

}  // namespace detail

BERT_NAMESPACE_END
