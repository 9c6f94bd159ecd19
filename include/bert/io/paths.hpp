// Paths that files of a model folder name. Depends on error.hpp only.
#pragma once

#include <bert/error.hpp>

#include <algorithm>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether `path` lies below `folder`. Both must be canonical.
inline bool lies_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
    const auto [end_of_folder, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end_of_folder == folder.end() && rest != path.end();
}

/// Fails where following the links of `path` leads out of `folder`: a model from a stranger could have anything of this
/// machine read as its own. Links into the blobs of the hub's cache, of which its snapshots are made, are its own.
/// Errors: file.
inline void check_links(const std::filesystem::path& path, const std::filesystem::path& folder) {
    std::error_code ec;
    const auto target = std::filesystem::canonical(path, ec);
    const auto root = ec ? target : std::filesystem::canonical(folder.empty() ? "." : folder, ec);
    if (ec == std::errc::not_enough_memory) throw std::bad_alloc();
    if (ec) return;  // not there, which opening it says
    if (lies_below(target, root)) return;
    for (auto above = root; above.has_relative_path(); above = above.parent_path()) {
        if (above.filename() == "snapshots" && target.parent_path() == above.parent_path() / "blobs") return;
    }
    fail(ErrorKind::file, path, " is a link that leads outside of its folder, to ", target,
         ": open the folder that holds the files themselves, or copy them");
}

/// The same for a file of a model folder, which is named without ".." or further folders. Errors: file.
inline void check_links(const std::filesystem::path& path) {
    std::error_code ec;
    if (std::filesystem::is_symlink(path, ec)) check_links(path, path.parent_path());
}

/// `folder` / `relative`, or an error where `relative` is absolute or climbs out of the folder, or where links lead out
/// of it. `named_by` is the file that holds it. Errors: format, file.
inline std::filesystem::path inside_folder(const std::filesystem::path& folder, const std::string& relative,
                                           const std::filesystem::path& named_by) {
    constexpr std::size_t longest = 4096;  // of names of files; paths in memory take many times the bytes of their text
    if (relative.size() > longest) {
        fail(ErrorKind::format, named_by, ": a path of ", relative.size(), " bytes; at most ", longest,
             " are accepted");
    }
    const std::filesystem::path path(relative);
    bool leaves = path.is_absolute() || path.has_root_name() || relative.find('\0') != std::string::npos;
    for (const auto& part : path) leaves = leaves || part == "..";
    if (leaves) fail(ErrorKind::format, named_by, ": path \"", relative, "\" leaves the model folder");
    if (relative.empty() || path.lexically_normal() == ".") return folder;
    check_links(folder / path, folder);
    return folder / path;
}

/// Whether the folder has an entry of that name, be it a broken link. Never throws.
inline bool is_there(const std::filesystem::path& path) noexcept {
    std::error_code ec;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ec));
}

/// Fails unless `folder` is an existing directory.
inline void check_folder(const std::filesystem::path& folder) {
    std::error_code ec;
    const auto status = std::filesystem::status(folder, ec);
    if (!std::filesystem::exists(status)) fail(ErrorKind::file, "cannot find the model folder ", folder);
    if (!std::filesystem::is_directory(status)) fail(ErrorKind::file, folder, " is not a model folder");
}

}  // namespace detail

BERT_NAMESPACE_END
