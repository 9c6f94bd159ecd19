// Published checkpoint names to tensors of the shapes the layers need. The only file that knows those names' variants.
// Depends on core, io and nn/embeddings.
#pragma once

#include <bert/core/float16.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/safetensors.hpp>
#include <bert/nn/embeddings.hpp>
#include <bert/nn/linear.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

inline bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}

/// Converts `count` stored values of type Stored to T.
template <class Stored, class T>
void convert_values(const std::byte* source, std::size_t count, T* out) {
    if constexpr (std::is_same_v<Stored, T>) {
        if (count > 0) std::memcpy(out, source, count * sizeof(T));
    } else {
        for (std::size_t i = 0; i < count; ++i) {
            Stored value;
            std::memcpy(&value, source + i * sizeof(Stored), sizeof(Stored));
            out[i] = static_cast<T>(static_cast<float>(value));
        }
    }
}

}  // namespace detail

/// Looks up the tensors of a model by their names without prefix ("encoder.layer.0.output.dense.weight"), checks type
/// and shape, converts to the type asked for, and remembers what was used.
///
/// Names may carry the prefix of a model with a head ("bert."), and layer-norm parameters their older names (gamma,
/// beta).
class Weights {
public:
    /// Tensors whose names start with `prefix`. `checkpoint` must outlive this object. Layers are made for the kernel
    /// table called `kernels`, see choose_kernels().
    Weights(const Checkpoint& checkpoint, std::string prefix, std::string kernels = {})
        : checkpoint_(checkpoint), prefix_(std::move(prefix)), kernels_(std::move(kernels)) {}

    /// The BERT encoder's tensors, with the prefix they have in this checkpoint. Errors: format (no encoder in it).
    static Weights of_encoder(const Checkpoint& checkpoint, const std::string& kernels = {}) {
        const std::string known = "embeddings.word_embeddings.weight";
        for (const char* prefix : {"", "bert."}) {
            if (checkpoint.find(prefix + known)) return Weights(checkpoint, prefix, kernels);
        }
        detail::fail(ErrorKind::format, checkpoint.folder(), ": the weights have no tensor \"", known,
                     "\", with or without the prefix \"bert.\"");
    }

    /// What the names of this object's tensors start with in the checkpoint.
    const std::string& prefix() const noexcept { return prefix_; }

    /// Whether a tensor of that name exists.
    bool has(const std::string& name) const { return find(name) != nullptr; }

    /// A matrix of exactly rows x cols. Errors: format (missing, not finite), shape, unsupported (type).
    template <class T>
    RowMatrix<T> matrix(const std::string& name, Index rows, Index cols) {
        const TensorView& tensor = get(name, {rows, cols});
        RowMatrix<T> values(rows, cols);
        convert(tensor, values.data());
        return values;
    }

    /// A vector of exactly `size` values. Errors: as matrix().
    template <class T>
    Vector<T> vector(const std::string& name, Index size) {
        const TensorView& tensor = get(name, {size});
        Vector<T> values(size);
        convert(tensor, values.data());
        return values;
    }

    /// An embedding table that stays in the file. Errors: as matrix().
    EmbeddingTable table(const std::string& name, Index rows, Index cols) {
        const TensorView& tensor = get(name, {rows, cols});
        const auto format = tensor.dtype == DType::f16    ? EmbeddingTable::Format::f16
                            : tensor.dtype == DType::bf16 ? EmbeddingTable::Format::bf16
                                                          : EmbeddingTable::Format::f32;
        return EmbeddingTable(tensor.data, format, rows, cols, tensor.file);
    }

    /// The dense layers `names` (each "<name>.weight" and "<name>.bias", in_features -> out_features) as one layer
    /// whose outputs stand one after another. Errors: as matrix().
    template <class W>
    Linear<W> linear(const std::vector<std::string>& names, Index in_features, Index out_features) {
        using Scalar = typename Linear<W>::Scalar;
        std::vector<std::pair<const TensorView*, const TensorView*>> parts;
        for (const auto& name : names) {
            const TensorView& weight = get(name + ".weight", {out_features, in_features});
            parts.emplace_back(&weight, &get(name + ".bias", {out_features}));
        }
        // Allocated only now: the sizes have been found to be those of tensors in the file.
        const Index outputs = static_cast<Index>(names.size()) * out_features;
        RowMatrix<Scalar> weight(outputs, in_features);
        Vector<Scalar> bias(outputs);
        Index row = 0;
        for (const auto& [part_weight, part_bias] : parts) {
            convert(*part_weight, weight.data() + row * in_features);
            convert(*part_bias, bias.data() + row);
            row += out_features;
        }
        return Linear<W>(weight, bias, choose_kernels<Scalar>(kernels_));
    }

    /// The dense layer of the tensor `weight`, out_features x in_features, and the vector `bias`, or none where that is
    /// empty. Errors: as matrix().
    template <class W>
    Linear<W> linear(const std::string& weight, const std::string& bias, Index in_features, Index out_features) {
        using Scalar = typename Linear<W>::Scalar;
        const auto values = bias.empty() ? Vector<Scalar>() : vector<Scalar>(bias, out_features);
        return Linear<W>(matrix<Scalar>(weight, out_features, in_features), values, choose_kernels<Scalar>(kernels_));
    }

    /// The layer norm "<name>.weight" and "<name>.bias" of `size` features. Errors: as matrix().
    template <class T>
    LayerNorm<T> layer_norm(const std::string& name, Index size, double epsilon) {
        return LayerNorm<T>(vector<T>(name + ".weight", size), vector<T>(name + ".bias", size), epsilon,
                            choose_kernels<T>(kernels_));
    }

    /// Fails where the encoder's part of the checkpoint holds a tensor that nobody asked for: a model opened without it
    /// would not be the one that was trained. Heads outside of the encoder and buffers are fine. Errors: format.
    void check_all_used() const {
        for (const auto& [name, tensor] : checkpoint_.tensors()) {
            if (used_.count(name) != 0 || !detail::starts_with(name, prefix_)) continue;
            const std::string_view rest = std::string_view(name).substr(prefix_.size());
            const bool ours = detail::starts_with(rest, "embeddings.") || detail::starts_with(rest, "encoder.") ||
                              detail::starts_with(rest, "pooler.");
            const bool buffer = rest == "embeddings.position_ids" || rest == "embeddings.token_type_ids";
            if (ours && !buffer) {
                detail::fail(ErrorKind::format, tensor.path, ": unexpected tensor \"", name, "\" of shape ",
                             to_string(tensor.shape), ": config.json describes a model without it");
            }
        }
    }

private:
    const TensorView* find(const std::string& name) const {
        if (const TensorView* tensor = checkpoint_.find(prefix_ + name)) return tensor;
        const auto renamed = [&](std::string_view suffix, const char* older) -> const TensorView* {
            const std::string whole = prefix_ + name;
            if (whole.size() < suffix.size() ||
                whole.compare(whole.size() - suffix.size(), suffix.size(), suffix) != 0) {
                return nullptr;
            }
            return checkpoint_.find(whole.substr(0, whole.size() - suffix.size()) + older);
        };
        if (const TensorView* tensor = renamed("LayerNorm.weight", "LayerNorm.gamma")) return tensor;
        return renamed("LayerNorm.bias", "LayerNorm.beta");
    }

    const TensorView& get(const std::string& name, const std::vector<Index>& shape) {
        const TensorView* const tensor = find(name);
        if (!tensor) {
            detail::fail(ErrorKind::format, checkpoint_.folder(), ": tensor \"", prefix_, name, "\" of shape ",
                         to_string(shape), " is missing");
        }
        if (tensor->shape != shape) {
            detail::fail(ErrorKind::shape, tensor->path, ": tensor \"", tensor->name, "\" should be ", to_string(shape),
                         ", given ", to_string(tensor->shape));
        }
        if (tensor->dtype != DType::f32 && tensor->dtype != DType::f16 && tensor->dtype != DType::bf16) {
            detail::fail(ErrorKind::unsupported, tensor->path, ": tensor \"", tensor->name,
                         "\" should be of type F32, F16 or BF16, given ", tensor->dtype_name);
        }
        used_.insert(tensor->name);
        return *tensor;
    }

    template <class T>
    static void convert(const TensorView& tensor, T* out) {
        const auto count = static_cast<std::size_t>(tensor.elements());
        switch (tensor.dtype) {
            case DType::f16: detail::convert_values<float16>(tensor.data, count, out); break;
            case DType::bf16: detail::convert_values<bfloat16>(tensor.data, count, out); break;
            default: detail::convert_values<float>(tensor.data, count, out); break;
        }
        bool finite = true;
        for (std::size_t i = 0; i < count; ++i) finite &= std::abs(out[i]) <= std::numeric_limits<T>::max();
        if (!finite) {
            detail::fail(ErrorKind::format, tensor.path, ": tensor \"", tensor.name, "\" holds infinities or NaNs");
        }
        // The values were copied: the file's own copy need not stay in memory.
        tensor.file->drop_pages(tensor.data, tensor.bytes);
    }

    const Checkpoint& checkpoint_;
    std::string prefix_;
    std::string kernels_;
    std::set<std::string> used_;
};

BERT_NAMESPACE_END
