// Paths that files of a model folder name. Depends on error.hpp only.
#pragma once

#include <bert/error.hpp>

#include <filesystem>
#include <string>
#include <system_error>

BERT_NAMESPACE_BEGIN

namespace detail {

/// `folder` / `relative`, or an error where `relative` is absolute or climbs out of the folder. `named_by` is the file
/// that holds it. (Links inside a folder are the user's own: the hub's cache is made of them.)
inline std::filesystem::path inside_folder(const std::filesystem::path& folder, const std::string& relative,
                                           const std::filesystem::path& named_by) {
    const std::filesystem::path path(relative);
    bool leaves = path.is_absolute() || path.has_root_name() || relative.find('\0') != std::string::npos;
    for (const auto& part : path) leaves = leaves || part == "..";
    if (leaves) fail(ErrorKind::format, named_by, ": path \"", relative, "\" leaves the model folder");
    return relative.empty() ? folder : folder / path;
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
