// Published checkpoint names to tensors of the shapes the layers need. The only file that knows those names' variants.
// Depends on core, io and nn/embeddings.
#pragma once

#include <bert/core/arena.hpp>
#include <bert/core/finite.hpp>
#include <bert/core/float16.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/tensor_values.hpp>
#include <bert/nn/embeddings.hpp>
#include <bert/nn/linear.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
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

}  // namespace detail

/// Looks up the tensors of a model by their names without prefix ("encoder.layer.0.output.dense.weight"), checks type
/// and shape, converts to the type asked for, and remembers what was used.
///
/// Names may carry the prefix of a model with a head ("bert."), and layer-norm parameters their older names (gamma,
/// beta). Threads may ask for different tensors at the same time.
class Weights {
public:
    /// Tensors whose names start with `prefix`. `checkpoint` must outlive this object. Layers are made for the kernel
    /// table called `kernels`, see choose_kernels().
    Weights(const Checkpoint& checkpoint, std::string prefix, std::string kernels = {})
        : checkpoint_(checkpoint),
          prefix_(std::move(prefix)),
          kernels_(std::move(kernels)),
          used_(std::make_unique<Used>()) {}

    /// The BERT encoder's tensors, with the prefix they have in this checkpoint. Errors: format (no encoder in it).
    static Weights of_encoder(const Checkpoint& checkpoint, const std::string& kernels = {}) {
        const std::string known = "embeddings.word_embeddings.weight";
        for (const char* prefix : {"", "bert."}) {
            if (!checkpoint.find(prefix + known)) continue;
            Weights weights(checkpoint, prefix, kernels);
            weights.arena_ = Arena(weights.layer_bytes());
            return weights;
        }
        detail::fail(ErrorKind::format, checkpoint.folder(), ": the weights have no tensor \"", known,
                     "\", with or without the prefix \"bert.\"");
    }

    /// What the names of this object's tensors start with in the checkpoint.
    const std::string& prefix() const noexcept { return prefix_; }

    /// Number of tensors in the checkpoint, those of other parts included.
    std::size_t size() const { return checkpoint_.tensors().size(); }

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

    /// An embedding table that stays in the file and whose values are rounded to type W when they are looked up, as
    /// those of a dense layer when it is packed; whether they are finite is seen then. Errors: as matrix(), but for
    /// that.
    template <class W>
    EmbeddingTable table(const std::string& name, Index rows, Index cols) {
        using Format = EmbeddingTable::Format;
        using Rounding = EmbeddingTable::Rounding;
        const TensorView& tensor = get(name, {rows, cols});
        if (tensor.dtype == DType::i8) check_int8_block(tensor);
        const auto format = tensor.dtype == DType::f16    ? Format::f16
                            : tensor.dtype == DType::bf16 ? Format::bf16
                            : tensor.dtype == DType::i8   ? Format::int8
                            : tensor.dtype == DType::q8_0 ? Format::q8_0
                                                          : Format::f32;
        const auto rounding = std::is_same_v<W, std::int8_t> ? Rounding::int8
                              : std::is_same_v<W, bfloat16>  ? Rounding::bfloat16
                                                             : Rounding::none;
        return EmbeddingTable(tensor.data, format, rows, cols, tensor.file,
                              tensor.path.string() + ": tensor \"" + tensor.name + "\"", rounding, tensor.scales);
    }

    /// The dense layers `names` (each "<name>.weight" and "<name>.bias", in_features -> out_features) as one layer
    /// whose outputs stand one after another. Errors: as matrix().
    template <class W>
    Linear<W> linear(const std::vector<std::string>& names, Index in_features, Index out_features) {
        std::vector<std::pair<std::string, std::string>> tensors;
        tensors.reserve(names.size());
        for (const auto& name : names) tensors.emplace_back(name + ".weight", name + ".bias");
        return linear_of<W>(tensors, in_features, out_features);
    }

    /// The same, given the names of each weight and bias; an empty name stands for no bias. Errors: as matrix().
    template <class W>
    Linear<W> linear_of(const std::vector<std::pair<std::string, std::string>>& names, Index in_features,
                        Index out_features) {
        using Scalar = typename Linear<W>::Scalar;
        // Nothing is allocated before all sizes have been found to be those of tensors in the file.
        std::vector<const TensorView*> tensors;
        std::vector<const TensorView*> biases;
        for (const auto& [weight, bias] : names) {
            tensors.push_back(&get(weight, {out_features, in_features}));
            biases.push_back(bias.empty() ? nullptr : &get(bias, {out_features}));
        }
        Vector<Scalar> bias = Vector<Scalar>::Zero(static_cast<Index>(names.size()) * out_features);
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            if (biases[i]) convert(*biases[i], bias.data() + static_cast<Index>(i) * out_features);
        }
        Linear<W> linear = pack<W>(tensors, in_features, out_features, bias);
        // The values were packed: the file's own copy need not stay in memory.
        for (const TensorView* weight : tensors) weight->file->drop_pages(weight->data, weight->bytes);
        return linear;
    }

    /// The layer norm "<name>.weight" and "<name>.bias" of `size` features. Errors: as matrix().
    template <class T>
    LayerNorm<T> layer_norm(const std::string& name, Index size, double epsilon) {
        return LayerNorm<T>(vector<T>(name + ".weight", size), vector<T>(name + ".bias", size), epsilon,
                            choose_kernels<T>(kernels_));
    }

    /// The embeddings of a model with weights of type W; those without token types get one, which adds nothing. Errors:
    /// as matrix().
    template <class W>
    Embeddings<typename Linear<W>::Scalar> embeddings(const ModelConfig& config) {
        using T = typename Linear<W>::Scalar;
        const Index hidden = config.hidden_size;
        const auto types = [&] {
            if (config.type_vocab_size > 0) {
                return table<W>("embeddings.token_type_embeddings.weight", config.type_vocab_size, hidden);
            }
            const auto zeros =
                std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(hidden) * sizeof(float));
            return EmbeddingTable(zeros->data(), EmbeddingTable::Format::f32, 1, hidden, zeros, "no token types");
        };
        const auto word = table<W>("embeddings.word_embeddings.weight", config.vocab_size, hidden);
        auto position = table<W>("embeddings.position_embeddings.weight", config.max_position_embeddings, hidden);
        auto type = types();
        if (!std::is_same_v<W, T>) {
            position = position.converted();
            type = type.converted();
        }
        return Embeddings<T>(word, std::move(position), std::move(type),
                             layer_norm<T>("embeddings.LayerNorm", hidden, config.layer_norm_eps));
    }

    /// Fails where the encoder's part of the checkpoint holds a tensor that nobody asked for: a model opened without it
    /// would not be the one that was trained. Heads outside of the encoder and buffers are fine. Errors: format.
    void check_all_used() const {
        for (const auto& [name, tensor] : checkpoint_.tensors()) {
            if (used_->names.count(name) != 0 || !detail::starts_with(name, prefix_)) continue;
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
    /// Bytes of the tensors that an encoder packs: those of its layers and its pooler.
    std::size_t layer_bytes() const {
        std::size_t bytes = 0;
        for (const char* part : {"encoder.", "pooler."}) {
            const std::string start = prefix_ + part;
            for (auto it = checkpoint_.tensors().lower_bound(start);
                 it != checkpoint_.tensors().end() && detail::starts_with(it->first, start); ++it) {
                bytes += it->second.bytes;
            }
        }
        return bytes;
    }

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
        detail::check_readable(*tensor);
        const std::lock_guard<std::mutex> lock(used_->mutex);
        used_->names.insert(tensor->name);
        return *tensor;
    }

    template <class W>
    Linear<W> pack(const std::vector<const TensorView*>& tensors, Index in_features, Index out_features,
                   const Vector<typename Linear<W>::Scalar>& bias) {
        using Scalar = typename Linear<W>::Scalar;
        const auto& kernels = choose_kernels<Scalar>(kernels_);
        if constexpr (std::is_same_v<W, std::int8_t>) {
            const auto is_int8 = [](const TensorView* tensor) { return tensor->dtype == DType::i8; };
            if (std::all_of(tensors.begin(), tensors.end(), is_int8)) {
                std::vector<std::vector<float>> scales;
                std::vector<Int8Rows> parts;
                for (const TensorView* tensor : tensors) {
                    scales.push_back(read_scales(*tensor));
                    parts.push_back({reinterpret_cast<const std::int8_t*>(tensor->data), scales.back().data()});
                }
                return Linear<W>(parts, in_features, out_features, bias, kernels, arena_);
            }
        }
        std::vector<RowMatrix<Scalar>> converted(tensors.size());  // of those that are not read in place
        std::vector<typename Linear<W>::WeightRows> weights;
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            const auto* values = in_place<Scalar>(*tensors[i]);
            if (!values) {
                converted[i].resize(out_features, in_features);
                convert(*tensors[i], converted[i].data());
                values = converted[i].data();
            }
            weights.emplace_back(values, out_features, in_features, Eigen::OuterStride<>(in_features));
        }
        return Linear<W>(weights, bias, kernels, arena_);
    }

    /// The scales of 8-bit weights that are fit for kernels as they are. Errors: format, unsupported (other blocks).
    static std::vector<float> read_scales(const TensorView& tensor) {
        check_int8_block(tensor);
        const Index rows = tensor.shape[0];
        const Index cols = tensor.shape[1];
        if (!fits_int8(reinterpret_cast<const std::int8_t*>(tensor.data), rows, cols)) {
            detail::fail(ErrorKind::format, tensor.path, ": tensor \"", tensor.name,
                         "\": the magnitudes of two neighbours add up to more than 128");
        }
        std::vector<float> scales(static_cast<std::size_t>(rows * int8_blocks(cols)));
        if (!scales.empty()) std::memcpy(scales.data(), tensor.scales, scales.size() * sizeof(float));
        for (const float scale : scales) {
            if (!(std::abs(scale) <= std::numeric_limits<float>::max() / 128)) fail_not_finite(tensor);
        }
        return scales;
    }

    static void check_int8_block(const TensorView& tensor) {
        if (tensor.scale_block == int8_block) return;
        detail::fail(ErrorKind::unsupported, tensor.path, ": 8-bit weights in blocks of ", tensor.scale_block,
                     " features, where this version of bert.hpp has ", int8_block, ": convert the model again");
    }

    /// The values of a tensor that are stored as they are needed, else null. Errors: format (not finite).
    template <class T>
    static const T* in_place(const TensorView& tensor) {
        if (!std::is_same_v<T, float> || tensor.dtype != DType::f32 ||
            reinterpret_cast<std::uintptr_t>(tensor.data) % alignof(float) != 0) {
            return nullptr;
        }
        const auto* const values = reinterpret_cast<const T*>(tensor.data);
        check_finite(tensor, values);
        return values;
    }

    template <class T>
    static void convert(const TensorView& tensor, T* out) {
        read_values(tensor, out);
        check_finite(tensor, out);
    }

    template <class T>
    static void check_finite(const TensorView& tensor, const T* values) {
        if (!detail::all_finite(values, static_cast<std::size_t>(tensor.elements()))) fail_not_finite(tensor);
    }

    [[noreturn]] static void fail_not_finite(const TensorView& tensor) {
        detail::fail(ErrorKind::format, tensor.path, ": tensor \"", tensor.name, "\" holds infinities or NaNs");
    }

    struct Used {
        std::mutex mutex;
        std::set<std::string> names;
    };

    const Checkpoint& checkpoint_;
    std::string prefix_;
    std::string kernels_;
    Arena arena_;
    std::unique_ptr<Used> used_;
};

BERT_NAMESPACE_END
