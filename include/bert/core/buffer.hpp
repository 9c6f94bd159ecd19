// Memory the library owns: 64-byte aligned buffers for weights and the workspace that lends scratch memory to a forward
// pass. Depends on config, error and core/thread_pool.
#pragma once

#include <bert/config.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

BERT_NAMESPACE_BEGIN

/// One cache line, and the widest vector register in use: rows of packed weights start on it.
inline constexpr std::size_t buffer_alignment = 64;

namespace detail {

/// Memory is asked for in pages of this size where that much is needed: fewer of them have to be made and looked up.
inline constexpr std::size_t huge_page = std::size_t{2} << 20;

inline constexpr std::size_t alignment_for(std::size_t bytes) {
    return bytes >= huge_page ? huge_page : buffer_alignment;
}

/// Tells the system that [begin, begin + bytes) may lie in huge pages. Only memory that is used becomes resident.
inline void advise_huge_pages([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    ::madvise(begin, bytes / huge_page * huge_page, MADV_HUGEPAGE);
#endif
}

}  // namespace detail

/// An owning array of `size()` trivially copyable values, 64-byte aligned, not initialised. Move-only.
template <class T>
class AlignedBuffer {
    static_assert(std::is_trivially_copyable_v<T>, "AlignedBuffer holds plain values");

public:
    AlignedBuffer() = default;

    /// Errors: std::bad_alloc where `size` values do not fit into memory.
    explicit AlignedBuffer(std::size_t size) : size_(size) {
        if (size > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) throw std::bad_alloc();
        if (size == 0) return;
        const std::size_t bytes = size * sizeof(T);
        const std::size_t alignment = detail::alignment_for(bytes);
        data_ = Data(static_cast<T*>(::operator new (bytes, std::align_val_t{alignment})), Free{alignment});
        if (alignment == detail::huge_page) detail::advise_huge_pages(data_.get(), bytes);
    }

    T* data() noexcept { return data_.get(); }  ///< at least 64-byte aligned; null where size() is 0
    /// The same, not to be changed.
    const T* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }  ///< of elements

private:
    struct Free {
        std::size_t alignment = buffer_alignment;
        void operator()(T* pointer) const noexcept { ::operator delete (pointer, std::align_val_t{alignment}); }
    };
    using Data = std::unique_ptr<T, Free>;

    Data data_;
    std::size_t size_ = 0;
};

/// Scratch memory of one forward pass at a time, and the threads that pass may use.
///
/// Memory is lent in stack order: a Frame remembers the top and gives back everything lent since when it ends. Blocks
/// are kept for the next pass, so a steady stream of batches allocates nothing. A workspace serves one thread at a
/// time.
class Workspace {
public:
    /// `threads` is not owned and may be null: then everything runs on the calling thread.
    explicit Workspace(ThreadPool* threads = nullptr) : threads_(threads) {}

    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    /// Gives back at its end what was lent during its life.
    class Frame {
    public:
        /// From here on, what is lent counts as lent during the life of this.
        explicit Frame(Workspace& workspace)
            : workspace_(workspace), block_(workspace.block_), used_(workspace.used_) {}
        ~Frame() {
            workspace_.block_ = block_;
            workspace_.used_ = used_;
            if (block_ == 0 && used_ == 0) workspace_.merge_blocks();
        }
        Frame(const Frame&) = delete;
        Frame& operator=(const Frame&) = delete;

    private:
        Workspace& workspace_;
        std::size_t block_;
        std::size_t used_;
    };

    /// `count` uninitialised values, 64-byte aligned, valid until the innermost Frame ends.
    template <class T>
    T* take(std::size_t count) {
        static_assert(std::is_trivially_copyable_v<T>, "scratch memory holds plain values");
        if (count > std::numeric_limits<std::size_t>::max() / 4 / sizeof(T)) throw std::bad_alloc();
        const std::size_t bytes = (count * sizeof(T) + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
        while (block_ < blocks_.size() && blocks_[block_].size() - used_ < bytes) {
            ++block_;
            used_ = 0;
        }
        if (block_ == blocks_.size()) blocks_.emplace_back(std::max(bytes, minimal_block));
        std::byte* const memory = blocks_[block_].data() + used_;
        used_ += bytes;
        return reinterpret_cast<T*>(memory);
    }

    /// Bytes held at present.
    std::size_t capacity() const noexcept {
        std::size_t bytes = own_capacity();
        for (const auto& worker : workers_) bytes += worker->capacity();
        return bytes;
    }

    /// Frees all memory. Must not be called while a Frame is alive.
    void shrink() noexcept {
        blocks_.clear();
        workers_.clear();
        block_ = used_ = 0;
    }

    /// Most workers that run() may use at once: the range of its worker numbers.
    std::size_t workers() const noexcept { return threads_ ? threads_->size() : 1; }

    /// A workspace of worker `index` alone, for use inside a task of run(): what is done with it stays on that thread.
    /// prepare_workers() must have been called before run().
    Workspace& worker(std::size_t index) { return *workers_[index]; }

    /// Makes sure that every worker of run() has its own workspace.
    void prepare_workers() {
        while (workers_.size() < workers()) workers_.push_back(std::make_unique<Workspace>());
    }

    /// Calls function(task, worker) for every task in [0, tasks), spread over the threads. Returns when all are done.
    template <class Function>
    void run(std::size_t tasks, const Function& function) {
        if (threads_) {
            threads_->run(tasks, function);
        } else {
            for (std::size_t task = 0; task < tasks; ++task) function(task, std::size_t{0});
        }
    }

private:
    static constexpr std::size_t minimal_block = std::size_t{1} << 16;

    std::size_t own_capacity() const noexcept {
        std::size_t bytes = 0;
        for (const auto& block : blocks_) bytes += block.size();
        return bytes;
    }

    // A pass that outgrew its block left several: the next one of its size should find one block.
    void merge_blocks() noexcept {
        if (blocks_.size() < 2) return;
        const std::size_t bytes = own_capacity();
        blocks_.clear();
        try {
            blocks_.emplace_back(bytes);
        } catch (const std::bad_alloc&) {
            blocks_.clear();  // the next take() will ask again
        }
    }

    std::vector<AlignedBuffer<std::byte>> blocks_;
    std::size_t block_ = 0;  // the block lent from
    std::size_t used_ = 0;   // bytes lent from it
    std::vector<std::unique_ptr<Workspace>> workers_;
    ThreadPool* threads_;
};

BERT_NAMESPACE_END
