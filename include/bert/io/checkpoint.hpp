// The weights of a model: one safetensors file, several, or a model file's part. Depends on core and io.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/io/safetensors.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether a folder, or a part of a model file, holds weights of the kind that Checkpoint opens.
bool has_weights(const ModelPath& folder);

}  // namespace detail

/// All tensors of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names; or
/// those of a model file.
class Checkpoint {
public:
    /// Opens the weights of `folder`. `map` false copies files instead of mapping them. Errors: file (none there),
    /// format, unsupported (only another format is there).
    explicit Checkpoint(const ModelPath& folder, bool map = true);

    /// The tensor of that name, or null.
    const TensorView* find(const std::string& name) const;

    /// Those of all shards, by their names in the files.
    const std::map<std::string, TensorView>& tensors() const noexcept { return tensors_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }  ///< that the checkpoint was opened from

    /// Bytes of all tensors together.
    std::size_t bytes() const noexcept;

private:
    void add(std::vector<TensorView> tensors);

    /// The tensors of an archive in the folder `inside`.
    void add_part(const ModelArchive& archive, const std::string& inside);

    void add_shards(const std::filesystem::path& index, bool map);

    std::filesystem::path folder_;
    std::map<std::string, TensorView> tensors_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/checkpoint.ipp>
#endif
