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
#include <sys/file.h>
#include <sys/stat.h>
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
    file_ = create(temporary_);
    if (!file_) fail("could not be created");
}

BERT_INLINE std::FILE* AtomicFile::create(const std::filesystem::path& path) {
#if defined(_WIN32)
    return std::fopen(path.string().c_str(), "wb");
#else
    // Not cut before it is locked: another process may be writing it, or have given it its name just now.
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) return nullptr;
    struct stat opened {};
    struct stat named {};
    std::FILE* file = nullptr;
    if ((flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) || fstat(descriptor, &opened) != 0 ||
        stat(path.c_str(), &named) != 0 || opened.st_ino != named.st_ino) {
        errno = EBUSY;
    } else if (ftruncate(descriptor, 0) == 0) {
        file = fdopen(descriptor, "wb");
    }
    if (!file) {
        const int error = errno;
        close(descriptor);
        errno = error;
    }
    return file;
#endif
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
#if defined(_WIN32)
    std::fclose(std::exchange(file_, nullptr));  // there only what is closed can be renamed
#endif
    std::error_code ec;
    std::filesystem::rename(temporary_, path_, ec);
    if (ec) {
        discard();
        detail::fail(ErrorKind::file, path_, ": could not be replaced: ", ec.message());
    }
    if (file_) std::fclose(std::exchange(file_, nullptr));
    synchronise_folder(folder);
}

BERT_INLINE void AtomicFile::fail(const char* what) const {
    const int error = errno;
    detail::fail(ErrorKind::file, temporary_, ": ", what, ": ", std::strerror(error));
}

BERT_INLINE void AtomicFile::discard() noexcept {
    if (file_) std::fclose(std::exchange(file_, nullptr));
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
