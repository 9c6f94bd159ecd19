// The path of a model or of a file in it, be the model a folder or one file. Depends on io.
#pragma once

#include <bert/error.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/gguf_model.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_archive.hpp>
#include <bert/io/paths.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether a file begins as GGUF files do.
inline bool is_gguf(const std::filesystem::path& path) {
    std::string magic(gguf_magic.size(), '\0');
    std::ifstream in(path, std::ios::binary);
    return in.read(magic.data(), static_cast<std::streamsize>(magic.size())) && magic == gguf_magic;
}

/// Opens the model in a file; null where `path` is that of a folder, of nothing, or of a tokenizer alone (".json",
/// ".txt"). Errors: as read_converted_model() and read_gguf_model().
inline std::shared_ptr<const ModelArchive> read_model_archive(const std::filesystem::path& path, bool map = true) {
    std::error_code ec;
    if (!std::filesystem::is_regular_file(path, ec) || path.extension() == ".json" || path.extension() == ".txt") {
        return nullptr;
    }
    return std::make_shared<const ModelArchive>(is_gguf(path) ? read_gguf_model(path, map)
                                                              : read_converted_model(path, map));
}

}  // namespace detail

/// What everything that opens a model takes: the path of a folder as Hugging Face publishes it, or of one file that
/// holds a model (a converted one, or GGUF), which is then a folder like any other. Paths and strings convert to it.
class ModelPath {
public:
    ModelPath() = default;

    /// Errors, where there is a file that holds a model: those of read_model_archive().
    ModelPath(std::filesystem::path path) : path_(std::move(path)), archive_(detail::read_model_archive(path_)) {}

    template <class Text, class = std::enable_if_t<std::is_convertible_v<const Text&, std::filesystem::path>>>
    ModelPath(const Text& path) : ModelPath(std::filesystem::path(path)) {}

    /// As messages name it.
    operator const std::filesystem::path&() const noexcept { return path_; }
    std::string string() const { return path_.string(); }

    /// A file or folder in this folder.
    ModelPath operator/(const std::string& name) const {
        ModelPath result;
        result.path_ = path_ / name;
        result.archive_ = archive_;
        result.inside_ = inside_.empty() ? name : inside_ + "/" + name;
        return result;
    }

    bool operator==(const ModelPath& other) const { return path_ == other.path_; }

    /// The file that this path leads into; null in the file system.
    const ModelArchive* archive() const noexcept { return archive_.get(); }

    /// The place in the model: "" for the model itself.
    const std::string& inside() const noexcept { return inside_; }

private:
    std::filesystem::path path_;
    std::shared_ptr<const ModelArchive> archive_;
    std::string inside_;
};

namespace detail {

/// `folder` / `relative`; see inside_folder() of plain paths. Errors: format.
inline ModelPath inside_folder(const ModelPath& folder, const std::string& relative,
                               const std::filesystem::path& named_by) {
    inside_folder(static_cast<const std::filesystem::path&>(folder), relative, named_by);
    std::string name = std::filesystem::path(relative).lexically_normal().generic_string();
    if (!name.empty() && name.back() == '/') name.pop_back();
    return name.empty() || name == "." ? folder : folder / name;
}

/// Whether there is such a file, be it a broken link.
inline bool is_there(const ModelPath& path) {
    if (!path.archive()) return is_there(static_cast<const std::filesystem::path&>(path));
    return path.archive()->files.count(path.inside()) != 0;
}

/// Whether a path leads to a folder of model files, or to one in a model file.
inline bool is_folder(const ModelPath& path) {
    std::error_code ec;
    return path.archive() ? !is_there(path) : std::filesystem::is_directory(path, ec);
}

/// Fails unless `path` is that of a model. Errors: file.
inline void check_folder(const ModelPath& path) {
    if (!path.archive()) check_folder(static_cast<const std::filesystem::path&>(path));
}

/// The content of a text file; one of a folder must not be a link that leads out of it. Errors: file.
inline std::string read_model_file(const ModelPath& path, std::uintmax_t limit) {
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

/// Reads a file that holds one JSON object. Errors: file, format.
inline JsonDocument read_json_object(const ModelPath& path) {
    return parse_json_object(read_model_file(path, json_limit), path);
}

}  // namespace detail

BERT_NAMESPACE_END
