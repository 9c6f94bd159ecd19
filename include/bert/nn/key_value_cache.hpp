// Keys and values of the tokens that attention looks back at. Depends on core.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

BERT_NAMESPACE_BEGIN

/// The keys and values of one sequence in every layer, with room for `capacity` tokens. A copy can go on differently.
template <class T>
class KeyValueCache {
public:
    /// Room for `capacity` tokens in each of `layers`.
    KeyValueCache(Index layers, Index hidden, Index capacity)
        : layers_(layers), hidden_(hidden), capacity_(capacity), values_(static_cast<std::size_t>(count())) {}

    /// Copies the tokens that there are, not the room behind them.
    KeyValueCache(const KeyValueCache& other)
        : layers_(other.layers_),
          hidden_(other.hidden_),
          capacity_(other.capacity_),
          size_(other.size_),
          values_(static_cast<std::size_t>(count())) {
        for (Index layer = 0; layer < layers_; ++layer) {
            std::copy_n(other.rows(layer), size_ * row_size(), rows(layer));
        }
    }
    /// Copies the tokens that there are, not the room behind them.
    KeyValueCache& operator=(const KeyValueCache& other) {
        KeyValueCache copy(other);
        *this = std::move(copy);
        return *this;
    }
    /// Leaves `other` without memory.
    KeyValueCache(KeyValueCache&&) noexcept = default;
    /// Leaves `other` without memory.
    KeyValueCache& operator=(KeyValueCache&&) noexcept = default;

    Index layers() const noexcept { return layers_; }       ///< of the decoder
    Index hidden_size() const noexcept { return hidden_; }  ///< columns of a key, and of a value
    Index capacity() const noexcept { return capacity_; }   ///< tokens that there is room for

    /// Tokens whose keys and values are complete.
    Index size() const noexcept { return size_; }

    /// Values from one token's row to the next: its keys of all heads, then its values.
    Index row_size() const noexcept { return 2 * hidden_; }

    /// capacity() rows of a layer, of which those from size() on may be written before grow() is called.
    T* rows(Index layer) noexcept { return values_.data() + layer * capacity_ * row_size(); }
    /// Of a layer: capacity() rows of row_size() values.
    const T* rows(Index layer) const noexcept { return values_.data() + layer * capacity_ * row_size(); }

    /// Declares `tokens` further rows of every layer complete. Errors: shape (beyond the capacity).
    void grow(Index tokens) {
        require_room(tokens);
        size_ += tokens;
    }

    /// Errors: shape, where `tokens` more do not fit.
    void require_room(Index tokens) const {
        if (tokens > capacity_ - size_) {
            detail::fail(ErrorKind::shape, "KeyValueCache of ", capacity_, " tokens holds ", size_, ": ", tokens,
                         " more do not fit");
        }
    }

private:
    Index count() const noexcept { return layers_ * capacity_ * row_size(); }

    Index layers_;
    Index hidden_;
    Index capacity_;
    Index size_ = 0;
    AlignedBuffer<T> values_;
};

BERT_NAMESPACE_END
