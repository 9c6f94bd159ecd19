// The input of the encoder: word, position and token type embeddings, added and normalised. Depends on core,
// kernels, io and nn.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/finite.hpp>
#include <bert/core/float16.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/tensor_values.hpp>
#include <bert/kernels/dispatch.hpp>
#include <bert/nn/batch.hpp>
#include <bert/nn/layer_norm.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A matrix of embeddings in a file's own number format, converted row by row when looked up: a vocabulary of which a
/// text uses a few hundred rows is never copied nor converted as a whole.
class EmbeddingTable {
public:
    /// How rows are stored; they are read as floats.
    enum class Format { f32, f16, bf16, int8, q8_0 };

    /// What values are rounded to when they are looked up, as the weights of dense layers are when they are packed: the
    /// result is the same whether they are stored in that format or in a wider one.
    enum class Rounding { none, bfloat16, int8 };

    /// `data`: rows x cols values of `format`, row-major, of any alignment; `owner` keeps them alive. `name` is what
    /// errors call the table. q8_0, GGUF's format, needs `cols` to be a multiple of 32; int8 needs `scales`, which are
    /// rows x int8_blocks(cols) floats of any alignment.
    EmbeddingTable(const std::byte* data, Format format, Index rows, Index cols, std::shared_ptr<const void> owner,
                   std::string name = "the embedding table", Rounding rounding = Rounding::none,
                   const std::byte* scales = nullptr)
        : data_(data),
          scales_(scales),
          format_(format),
          rounding_(format == Format::int8 ? Rounding::none : rounding),
          rows_(rows),
          cols_(cols),
          owner_(std::move(owner)),
          name_(std::move(name)) {}

    Index rows() const noexcept { return rows_; }  ///< ids that there is a row for
    Index cols() const noexcept { return cols_; }  ///< columns of a row

    /// Adds row `row` (which must be in range) to the `cols()` values at `out`.
    template <class T>
    void add_row(Index row, T* out) const {
        float values[int8_block];
        for (Index first = 0; first < cols_; first += int8_block) {
            const Index count = std::min<Index>(int8_block, cols_ - first);
            read(row, first, count, values);
            round(values, count);
            for (Index i = 0; i < count; ++i) out[first + i] += static_cast<T>(values[i]);
        }
    }

    /// The same table with all its rows converted already: for small ones, of which every text uses the same rows.
    EmbeddingTable converted() const {
        const auto size = static_cast<std::size_t>(rows_) * static_cast<std::size_t>(cols_);
        const auto values = std::make_shared<AlignedBuffer<float>>(size);
        std::fill_n(values->data(), size, 0.0f);
        for (Index row = 0; row < rows_; ++row) add_row(row, values->data() + row * cols_);
        return EmbeddingTable(reinterpret_cast<const std::byte*>(values->data()), Format::f32, rows_, cols_, values,
                              name_);
    }

    /// Errors: format, where row `row` (which must be in range) holds infinities or NaNs.
    void check_row(Index row) const {
        std::vector<float> values(static_cast<std::size_t>(cols_));
        add_row(row, values.data());
        if (!detail::all_finite(values.data(), values.size())) {
            detail::fail(ErrorKind::format, name_, " is not finite: row ", row, " holds infinities or NaNs");
        }
    }

private:
    /// `count` values of a row from column `first` on, a multiple of int8_block.
    void read(Index row, Index first, Index count, float* values) const {
        const auto at = static_cast<std::size_t>(row * cols_ + first);
        const auto size = static_cast<std::size_t>(count);
        switch (format_) {
            case Format::f32: return detail::read_stored<float>(data_ + at * sizeof(float), size, values);
            case Format::f16: return detail::read_stored<float16>(data_ + at * sizeof(float16), size, values);
            case Format::bf16: return detail::read_stored<bfloat16>(data_ + at * sizeof(bfloat16), size, values);
            case Format::q8_0: return detail::read_q8_0(data_, at, size, values);
            case Format::int8: break;
        }
        const auto scale = static_cast<std::size_t>(row * int8_blocks(cols_) + first / int8_block);
        detail::read_scaled(data_ + at, scales_ + scale * sizeof(float), size, size, values);
    }

    /// At most int8_block values. What is not finite stays as it is.
    void round(float* values, Index count) const {
        if (rounding_ == Rounding::none || !detail::all_finite(values, static_cast<std::size_t>(count))) return;
        if (rounding_ == Rounding::bfloat16) {
            for (Index i = 0; i < count; ++i) values[i] = static_cast<float>(bfloat16::from_float(values[i]));
            return;
        }
        std::int8_t rounded[int8_block];
        float scale;
        quantize_int8(values, 1, count, rounded, &scale);
        detail::read_scaled(reinterpret_cast<const std::byte*>(rounded), reinterpret_cast<const std::byte*>(&scale),
                            static_cast<std::size_t>(count), static_cast<std::size_t>(count), values);
    }

    const std::byte* data_;
    const std::byte* scales_;
    Format format_;
    Rounding rounding_;
    Index rows_;
    Index cols_;
    std::shared_ptr<const void> owner_;
    std::string name_;
};

/// LayerNorm(word[id] + position[i] + token_type[type]), i being the token's place in its own text (Devlin et al. 2018,
/// section 3). `T` is the type of the activations.
template <class T>
class Embeddings {
public:
    /// word: vocab x hidden; position: longest text x hidden; token_type: types x hidden. Errors: shape.
    Embeddings(EmbeddingTable word, EmbeddingTable position, EmbeddingTable token_type, LayerNorm<T> norm)
        : word_(std::move(word)),
          position_(std::move(position)),
          token_type_(std::move(token_type)),
          norm_(std::move(norm)) {
        for (const EmbeddingTable* table : {&word_, &position_, &token_type_}) {
            if (table->cols() != norm_.hidden_size()) {
                detail::fail(ErrorKind::shape, "Embeddings: a table of ", table->cols(),
                             " columns beside a LayerNorm of ", norm_.hidden_size());
            }
        }
    }

    Index hidden_size() const noexcept { return norm_.hidden_size(); }  ///< columns of a row
    Index max_tokens() const noexcept { return position_.rows(); }      ///< positions that there is a row for

    /// Checks that every text is one this model can take. `first_positions`: see forward(). Errors: input (no tokens,
    /// too many, id or type out of range, nothing to attend to), shape (vectors of different lengths).
    void check(const Batch& batch, const std::vector<Index>* first_positions = nullptr) const {
        using detail::fail;
        const auto tokens = static_cast<std::size_t>(batch.tokens());
        if (batch.type_ids.size() != tokens ||
            (!batch.attention_mask.empty() && batch.attention_mask.size() != tokens) || batch.offsets.empty() ||
            batch.offsets.front() != 0 || batch.offsets.back() != batch.tokens()) {
            fail(ErrorKind::shape, "Batch: ids, type_ids, attention_mask and offsets should describe the same tokens");
        }
        for (Index text = 0; text < batch.texts(); ++text) {
            const Index begin = batch.offsets[static_cast<std::size_t>(text)];
            const Index end = batch.offsets[static_cast<std::size_t>(text) + 1];
            if (end < begin || end > batch.tokens()) {
                fail(ErrorKind::shape, "Batch: offsets should ascend from 0 to ", batch.tokens());
            }
            const Index length = end - begin;
            const Index before = first_positions ? (*first_positions)[static_cast<std::size_t>(text)] : 0;
            if (length < 1 || before + length > max_tokens()) {
                fail(ErrorKind::input, "text ", text, " has ", before + length, " tokens; the model takes 1 to ",
                     max_tokens());
            }
            bool attended = batch.attention_mask.empty();
            for (Index i = begin; i < end; ++i) {
                const auto at = static_cast<std::size_t>(i);
                if (batch.ids[at] < 0 || batch.ids[at] >= word_.rows()) {
                    fail(ErrorKind::input, "text ", text, ", token ", i - begin, ": id ", batch.ids[at],
                         " is outside the vocabulary of ", word_.rows());
                }
                if (batch.type_ids[at] < 0 || batch.type_ids[at] >= token_type_.rows()) {
                    fail(ErrorKind::input, "text ", text, ", token ", i - begin, ": token type ", batch.type_ids[at],
                         " is outside the model's ", token_type_.rows());
                }
                attended = attended || batch.attention_mask[at] != 0;
            }
            if (!attended) fail(ErrorKind::input, "text ", text, ": its attention_mask is 0 everywhere");
        }
    }

    /// x = embeddings of a checked batch: tokens x hidden. `first_positions`, one per text, is given where texts are
    /// the continuations of others. Errors: format (a row of a table, or the sum of rows, is not finite).
    void forward(const Batch& batch, Rows<T> x, Workspace& workspace,
                 const std::vector<Index>* first_positions = nullptr) const {
        for (Index text = 0; text < batch.texts(); ++text) {
            const Index before = first_positions ? (*first_positions)[static_cast<std::size_t>(text)] : 0;
            const Index begin = batch.offsets[static_cast<std::size_t>(text)];
            for (Index i = 0; i < batch.length(text); ++i) {
                const auto at = static_cast<std::size_t>(begin + i);
                T* const row = x.data() + (begin + i) * x.outerStride();
                std::fill_n(row, hidden_size(), T(0));
                // In the order of the reference implementation, whose rounding it shares.
                word_.add_row(batch.ids[at], row);
                token_type_.add_row(batch.type_ids[at], row);
                position_.add_row(before + i, row);
                if (!detail::all_finite(row, static_cast<std::size_t>(hidden_size()))) {
                    word_.check_row(batch.ids[at]);
                    token_type_.check_row(batch.type_ids[at]);
                    position_.check_row(before + i);
                    detail::fail(ErrorKind::format, "text ", text, ", token ", i,
                                 ": the sum of its embeddings is not finite: they are too large");
                }
            }
        }
        norm_.forward(x, workspace);
    }

private:
    EmbeddingTable word_;
    EmbeddingTable position_;
    EmbeddingTable token_type_;
    LayerNorm<T> norm_;
};

BERT_NAMESPACE_END
