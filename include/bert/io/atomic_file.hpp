// A file that appears as a whole or not at all. Depends on error.hpp only.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string_view>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The folder that a file is in.
std::filesystem::path folder_of(const std::filesystem::path& file);

/// Makes the names of new files in a folder last as their content does. Not every file system can; the files are
/// complete either way.
void synchronise_folder(const std::filesystem::path& folder) noexcept;

/// Writes beside `path` and takes its place in commit(), after the bytes have reached the disk. Without commit()
/// nothing is left behind and a file that was there stays as it was.
class AtomicFile {
public:
    /// Errors: file (cannot be created).
    explicit AtomicFile(std::filesystem::path path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    /// Errors: file.
    void write(const void* bytes, std::size_t count);
    void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }

    /// Errors: file.
    void commit();

private:
    [[noreturn]] void fail(const char* what) const;

    void discard() noexcept;

    /// Opens a new file, or what a killed process left of one; nullptr with errno where that is not possible, EBUSY
    /// where another process is writing it.
    static std::FILE* create(const std::filesystem::path& path);

    static bool synchronise(std::FILE* file);

    std::filesystem::path path_;
    std::filesystem::path temporary_;
    std::FILE* file_ = nullptr;
};

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/atomic_file.ipp>
#endif
