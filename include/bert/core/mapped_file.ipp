// Definitions of core/mapped_file.hpp.
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/error.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

BERT_NAMESPACE_BEGIN

BERT_INLINE MappedFile::MappedFile(const std::filesystem::path& path, bool map) {
#if defined(BERT_DETAIL_MMAP)
    if (map) {
        open_mapped(path);
        return;
    }
#else
    (void)map;
#endif
    copy(path);
}

BERT_INLINE MappedFile::~MappedFile() {
#if defined(BERT_DETAIL_MMAP)
    if (mapping_) ::munmap(mapping_, size_);
#endif
}

BERT_INLINE const std::byte* MappedFile::data() const noexcept {
    return data_;
}

BERT_INLINE std::size_t MappedFile::size() const noexcept {
    return size_;
}

BERT_INLINE void MappedFile::drop_pages(const std::byte* begin, std::size_t length) const noexcept {
#if defined(BERT_DETAIL_MMAP)
    if (!mapping_) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    const auto first = (address + page - 1) / page * page;
    const auto last = (address + length) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
#else
    (void)begin;
    (void)length;
#endif
}

BERT_INLINE void MappedFile::copy(const std::filesystem::path& path) {
    std::error_code ec;
    const auto status = std::filesystem::status(path, ec);
    if (ec || !std::filesystem::exists(status)) detail::fail(ErrorKind::file, "cannot find ", path);
    if (!std::filesystem::is_regular_file(status)) detail::fail(ErrorKind::file, path, " is not a regular file");
    const auto size = std::filesystem::file_size(path, ec);
    std::ifstream in(path, std::ios::binary);
    if (ec || !in) detail::fail(ErrorKind::file, "cannot read ", path);
    copied_ = AlignedBuffer<std::byte>(static_cast<std::size_t>(size));
    if (size > 0 && !in.read(reinterpret_cast<char*>(copied_.data()), static_cast<std::streamsize>(copied_.size()))) {
        detail::fail(ErrorKind::file, "cannot read ", path);
    }
    data_ = copied_.data();
    size_ = copied_.size();
}

#if defined(BERT_DETAIL_MMAP)
BERT_INLINE void MappedFile::open_mapped(const std::filesystem::path& path) {
    struct Descriptor {
        int value;
        ~Descriptor() {
            if (value >= 0) ::close(value);
        }
    };
    // O_NONBLOCK: opening a named pipe must not wait for its writer; it is refused as no regular file below.
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.value < 0) {
        const int error = errno;
        detail::fail(ErrorKind::file, "cannot open ", path, ": ", std::strerror(error));
    }
    struct stat status {};
    if (::fstat(file.value, &status) != 0 || !S_ISREG(status.st_mode)) {
        detail::fail(ErrorKind::file, path, " is not a regular file");
    }
    if (status.st_size == 0) return;
    size_ = static_cast<std::size_t>(status.st_size);
    void* const mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
    if (mapping == MAP_FAILED) {
        const int error = errno;
        detail::fail(ErrorKind::file, "cannot map ", path, ": ", std::strerror(error));
    }
    mapping_ = mapping;
    data_ = static_cast<const std::byte*>(mapping);
}
#endif

BERT_NAMESPACE_END
