// A model's folder to one file that is quick to open and proves itself. Depends on io, model and tasks.
#pragma once

#include <bert/io/model_path.hpp>

#include <filesystem>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A path whose file is removed at the end of the scope.
struct TemporaryFile {
    explicit TemporaryFile(std::filesystem::path file) : path(std::move(file)) {}
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile();
    const std::filesystem::path path;
};

}  // namespace detail

/// Writes a model, be it a folder or a file, as one file with its weight matrices in the number format `storage`:
/// docs/converted-weights.md describes it. What is computed with the file has the same bits as what is computed with
/// the source, opened with the same type of weights. (There is none for 16-bit floats.)
///
/// The file carries a few texts and the embeddings they should get, unless the model generates text or has no
/// tokenizer. It appears as a whole or not at all. Errors: those of opening the model; file; unsupported (values beyond
/// the range of 16-bit floats); input (the target is the source, or has the name of a tokenizer).
void convert_model(const ModelPath& source, const std::filesystem::path& target, StorageType storage);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/convert.ipp>
#endif
