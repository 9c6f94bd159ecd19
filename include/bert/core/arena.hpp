// Memory for the weights of a model, cut from few large pieces. Depends on core/buffer.
#pragma once

#include <bert/core/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>

BERT_NAMESPACE_BEGIN

/// Lends arrays that live as long as anyone holds them. They lie side by side in large pieces of memory, for which the
/// system has huge pages: reading weights then misses fewer addresses in the processor's tables. Threads may take at
/// the same time.
class Arena {
public:
    /// `piece`: bytes to take from the system at once, as much as will be needed if that is known.
    explicit Arena(std::size_t piece = 0) : state_(std::make_unique<State>()) { state_->piece_size = piece; }

    // Copies would lend the same memory twice.
    /// What was lent moves along; the source lends nothing any more.
    Arena(Arena&&) = default;
    /// Gives back what was lent, and takes what `other` lends.
    Arena& operator=(Arena&&) = default;

    /// `count` uninitialised values, 64-byte aligned. Errors: std::bad_alloc.
    template <class T>
    std::shared_ptr<T> take(std::size_t count) {
        static_assert(std::is_trivially_copyable_v<T>, "an Arena holds plain values");
        if (count > std::numeric_limits<std::size_t>::max() / 4 / sizeof(T)) throw std::bad_alloc();
        const std::size_t bytes = (count * sizeof(T) + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
        State& s = *state_;
        const std::lock_guard<std::mutex> lock(s.mutex);
        if (!s.piece || s.piece->size() - s.used < bytes) {
            s.piece = std::make_shared<AlignedBuffer<std::byte>>(std::max(bytes, s.piece_size));
            s.used = 0;
        }
        T* const memory = reinterpret_cast<T*>(s.piece->data() + s.used);
        s.used += bytes;
        return std::shared_ptr<T>(s.piece, memory);
    }

private:
    struct State {
        std::mutex mutex;
        std::size_t piece_size = 0;
        std::shared_ptr<AlignedBuffer<std::byte>> piece;
        std::size_t used = 0;
    };
    std::unique_ptr<State> state_;
};

BERT_NAMESPACE_END
