// A file that appears as a whole or not at all. Depends on error.hpp only.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>

#if defined(_WIN32)
#include <io.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Makes the name of a new file last as its content does. Not every file system can; the file is complete either way.
inline void synchronise_folder(const std::filesystem::path& file) noexcept {
#if defined(_WIN32)
    (void)file;
#else
    const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
    const int descriptor = open(folder.c_str(), O_RDONLY);
    if (descriptor < 0) return;
    (void)fsync(descriptor);
    close(descriptor);
#endif
}

/// Writes beside `path` and takes its place in commit(), after the bytes have reached the disk. Without commit()
/// nothing is left behind and a file that was there stays as it was.
class AtomicFile {
public:
    /// Errors: file (cannot be created).
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
        temporary_ += ".part";
        file_ = std::fopen(temporary_.string().c_str(), "wb");
        if (!file_) fail("could not be created");
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (file_) discard();
    }

    /// Errors: file.
    void write(const void* bytes, std::size_t count) {
        if (count > 0 && std::fwrite(bytes, 1, count, file_) != count) fail("could not be written");
    }
    void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

    /// Errors: file.
    void commit() {
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
        synchronise_folder(path_);
    }

private:
    [[noreturn]] void fail(const char* what) const {
        const int error = errno;
        detail::fail(ErrorKind::file, temporary_, ": ", what, ": ", std::strerror(error));
    }

    void discard() noexcept {
        std::fclose(file_);
        remove();
    }

    void remove() const noexcept {
        std::error_code ec;
        std::filesystem::remove(temporary_, ec);
    }

    static bool synchronise(std::FILE* file) {
#if defined(_WIN32)
        return _commit(_fileno(file)) == 0;
#else
        return fsync(fileno(file)) == 0;
#endif
    }

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::FILE* file_ = nullptr;
};

}  // namespace detail

BERT_NAMESPACE_END
