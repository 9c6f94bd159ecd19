// Read-only access to the bytes of a file, mapped or copied. Depends on config, error and core/buffer.
#pragma once

#include <bert/config.hpp>
#include <bert/core/buffer.hpp>

#include <cstddef>
#include <filesystem>

#if defined(__unix__) || defined(__APPLE__)
#define BERT_DETAIL_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

BERT_NAMESPACE_BEGIN

/// The bytes of a regular file, unchanging as long as nobody writes to it.
///
/// A mapped file is read on demand and shared between processes; cutting it short while it is mapped makes the system
/// end the process (SIGBUS), as with every mapping. Where files may change under the program, copy instead.
class MappedFile {
public:
    /// Opens `path`: mapped where the system can and `map` asks for it, else copied into memory.
    /// Errors: file (missing, not a regular file, unreadable).
    explicit MappedFile(const std::filesystem::path& path, bool map = true);

    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    ~MappedFile();

    const std::byte* data() const noexcept;  ///< size() bytes, valid as long as this; null for an empty file
    std::size_t size() const noexcept;       ///< of bytes

    /// Tells the system that [begin, begin + length) will not be read soon: its pages stop counting as resident. The
    /// bytes stay readable. No effect on a copied file.
    void drop_pages(const std::byte* begin, std::size_t length) const noexcept;

private:
    void copy(const std::filesystem::path& path);

#if defined(BERT_DETAIL_MMAP)
    void open_mapped(const std::filesystem::path& path);

    void* mapping_ = nullptr;
#endif
    AlignedBuffer<std::byte> copied_;
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/core/mapped_file.ipp>
#endif
