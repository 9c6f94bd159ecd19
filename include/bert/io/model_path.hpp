// The path of a model or of a file in it, be the model a folder or one file. Depends on io.
#pragma once

#include <bert/io/model_archive.hpp>
#include <bert/io/paths.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Opens the model in a file; null where `path` is that of a folder, of nothing, or of a tokenizer alone (".json",
/// ".txt"). Errors: as read_converted_model() and read_gguf_model().
std::shared_ptr<const ModelArchive> read_model_archive(const std::filesystem::path& path, bool map = true);

}  // namespace detail

/// What everything that opens a model takes: the path of a folder as Hugging Face publishes it, or of one file that
/// holds a model (a converted one, or GGUF), which is then a folder like any other. Paths and strings convert to it.
class ModelPath {
public:
    ModelPath() = default;

    /// Errors, where there is a file that holds a model: those of read_model_archive().
    ModelPath(std::filesystem::path path) : path_(std::move(path)), archive_(detail::read_model_archive(path_)) {}

    /// The same of what converts to a path.
    template <class Text, class = std::enable_if_t<std::is_convertible_v<const Text&, std::filesystem::path>>>
    ModelPath(const Text& path) : ModelPath(std::filesystem::path(path)) {}

    /// As messages name it.
    operator const std::filesystem::path&() const noexcept { return path_; }
    std::string string() const { return path_.string(); }  ///< as messages name it

    /// A file or folder in this folder.
    ModelPath operator/(const std::string& name) const;

    bool operator==(const ModelPath& other) const { return path_ == other.path_; }  ///< of the path alone

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
ModelPath inside_folder(const ModelPath& folder, const std::string& relative, const std::filesystem::path& named_by);

/// Whether there is such a file, be it a broken link.
bool is_there(const ModelPath& path);

/// Whether a path leads to a folder of model files, or to one in a model file.
bool is_folder(const ModelPath& path);

/// Fails unless `path` is that of a model. Errors: file.
void check_folder(const ModelPath& path);

/// The content of a text file; one of a folder must not be a link that leads out of it. Errors: file.
std::string read_model_file(const ModelPath& path, std::uintmax_t limit);

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/model_path.ipp>
#endif
