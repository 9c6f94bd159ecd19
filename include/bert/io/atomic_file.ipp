// Definitions of io/atomic_file.hpp.
#pragma once

#include <bert/io/atomic_file.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#if defined(_WIN32)
#include <io.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

BERT_INLINE void synchronise_folder(const std::filesystem::path& folder) noexcept {
#if defined(_WIN32)
    (void)folder;
#else
    const int descriptor = open(folder.c_str(), O_RDONLY);
    if (descriptor < 0) return;
    (void)fsync(descriptor);
    close(descriptor);
#endif
}

BERT_INLINE AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
    temporary_ += ".part";
    file_ = std::fopen(temporary_.string().c_str(), "wb");
    if (!file_) fail("could not be created");
}

BERT_INLINE AtomicFile::~AtomicFile() {
    if (file_) discard();
}

BERT_INLINE void AtomicFile::write(const void* bytes, std::size_t count) {
    if (count > 0 && std::fwrite(bytes, 1, count, file_) != count) fail("could not be written");
}

BERT_INLINE void AtomicFile::commit() {
    const std::filesystem::path folder = folder_of(path_);
    if (std::fflush(file_) != 0 || !synchronise(file_)) fail("could not be written");
    if (std::fclose(std::exchange(file_, nullptr)) != 0) {
        remove();
        fail("could not be closed");
    }
    std::error_code ec;
    std::filesystem::rename(temporary_, path_, ec);
    if (ec) {
        remove();
        detail::fail(ErrorKind::file, path_, ": could not be replaced: ", ec.message());
    }
    synchronise_folder(folder);
}

BERT_INLINE void AtomicFile::fail(const char* what) const {
    const int error = errno;
    detail::fail(ErrorKind::file, temporary_, ": ", what, ": ", std::strerror(error));
}

BERT_INLINE void AtomicFile::discard() noexcept {
    std::fclose(file_);
    remove();
}

BERT_INLINE void AtomicFile::remove() const noexcept {
    std::error_code ec;
    std::filesystem::remove(temporary_, ec);
}

BERT_INLINE bool AtomicFile::synchronise(std::FILE* file) {
#if defined(_WIN32)
    return _commit(_fileno(file)) == 0;
#else
    return fsync(fileno(file)) == 0;
#endif
}

}  // namespace detail

BERT_NAMESPACE_END
