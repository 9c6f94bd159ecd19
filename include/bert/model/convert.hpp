// Writing a model as one file: every file of its folder, and its weights in the number format asked for. Depends on
// core, kernels, io and model.
#pragma once

#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/safetensors_writer.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// All values of a tensor. Errors: unsupported (its type), format (not finite).
std::vector<float> finite_values(const TensorView& tensor);

/// A tensor as numbers of type Stored. Errors of `fill`: those of finite_values(); unsupported (values beyond Stored).
template <class Stored>
NewTensor rounded_tensor(std::string name, DType dtype, const TensorView& tensor) {
    const auto fill = [view = &tensor](std::byte* out) {
        const std::vector<float> values = finite_values(*view);
        for (std::size_t i = 0; i < values.size(); ++i) {
            const Stored rounded = Stored::from_float(values[i]);
            if (!std::isfinite(static_cast<float>(rounded))) {
                fail(ErrorKind::unsupported, view->path, ": tensor \"", view->name, "\" holds ", values[i],
                     ", which is beyond the range of 16-bit floats");
            }
            std::memcpy(out + i * sizeof rounded, &rounded, sizeof rounded);
        }
    };
    return {std::move(name), dtype, tensor.shape, fill};
}

/// The files of model folders that say something about a model, besides its weights.
inline constexpr const char* model_files[] = {"config.json",
                                              "modules.json",
                                              "config_sentence_transformers.json",
                                              "generation_config.json",
                                              "artifact.metadata",
                                              "tokenizer.json",
                                              "vocab.txt",
                                              "tokenizer_config.json",
                                              "special_tokens_map.json",
                                              "added_tokens.json"};

}  // namespace detail

/// Writes a model as one file, see docs/converted-weights.md. `verified`: further entries of the metadata. The file
/// appears as a whole or not at all. Errors: file, format, vocabulary, unsupported.
void write_converted_model(const ModelPath& source, const std::filesystem::path& target, StorageType storage,
                           const std::map<std::string, std::string>& verified = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/model/convert.ipp>
#endif
