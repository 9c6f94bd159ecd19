// Several texts as one tall matrix of tokens, without padding. Depends on core and text/encoding.
#pragma once

#include <bert/core/finite.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/text/encoding.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The tokens of all texts one after another. Text i has the rows [offsets[i], offsets[i + 1]).
struct Batch {
    std::vector<std::int32_t> ids;             ///< vocabulary ids, one per token
    std::vector<std::int32_t> type_ids;        ///< token types, one per token
    std::vector<std::uint8_t> attention_mask;  ///< 0 for tokens nobody attends to (padding); empty: all are attended to
    std::vector<Index> offsets{0};             ///< cumulative lengths: number of texts + 1 values, the first being 0

    Index texts() const noexcept { return static_cast<Index>(offsets.size()) - 1; }  ///< how many there are
    Index tokens() const noexcept { return static_cast<Index>(ids.size()); }         ///< of all texts
    /// Tokens of one text; `text` is less than texts().
    Index length(Index text) const {
        return offsets[static_cast<std::size_t>(text) + 1] - offsets[static_cast<std::size_t>(text)];
    }

    /// Appends a text of `count` tokens; `types` may be null for all 0.
    void add(const std::int32_t* text_ids, const std::int32_t* types, std::size_t count) {
        ids.insert(ids.end(), text_ids, text_ids + count);
        if (types) {
            type_ids.insert(type_ids.end(), types, types + count);
        } else {
            type_ids.resize(ids.size(), 0);
        }
        if (!attention_mask.empty()) attention_mask.resize(ids.size(), 1);
        offsets.push_back(tokens());
    }

    /// Appends a tokenized text, with its padding if it has any.
    void add(const Encoding& encoding) {
        if (encoding.type_ids.size() != encoding.size()) {
            detail::fail(ErrorKind::shape, "Encoding: ", encoding.size(), " ids, but ", encoding.type_ids.size(),
                         " type_ids");
        }
        const std::size_t first = ids.size();
        add(encoding.ids.data(), encoding.type_ids.data(), encoding.size());
        if (encoding.attention_mask.empty()) return;
        if (encoding.attention_mask.size() != encoding.size()) {
            detail::fail(ErrorKind::shape, "Encoding: ", encoding.size(), " ids, but an attention_mask of ",
                         encoding.attention_mask.size());
        }
        attention_mask.resize(first, 1);
        attention_mask.insert(attention_mask.end(), encoding.attention_mask.begin(), encoding.attention_mask.end());
    }

    /// Removes all texts; the memory stays for the next ones.
    void clear() {
        ids.clear();
        type_ids.clear();
        attention_mask.clear();
        offsets.assign(1, 0);
    }
};

namespace detail {

/// Fails where a model's hidden states (tokens x hidden) are not finite: with finite weights and embeddings,
/// which are checked before, numbers grew too large on the way. Errors: format.
template <class T>
void check_hidden_states(const Rows<T>& hidden, const Batch& batch) {
    const auto size = static_cast<std::size_t>(hidden.cols());
    for (Index text = 0; text < batch.texts(); ++text) {
        for (Index row = batch.offsets[static_cast<std::size_t>(text)], i = 0; i < batch.length(text); ++i, ++row) {
            if (all_finite(hidden.data() + row * hidden.outerStride(), size)) continue;
            fail(ErrorKind::format, "text ", text, ", token ", i,
                 ": its hidden state is not finite: the model's weights make numbers too large");
        }
    }
}

}  // namespace detail

BERT_NAMESPACE_END
