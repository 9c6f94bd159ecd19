// The cache of the Hugging Face hub. Its layout is that of the package huggingface_hub.
#include "hub_cache.hpp"

#include <bert/error.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>

namespace {

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

std::filesystem::path home_folder() {
    if (const std::string home = environment("HOME"); !home.empty()) return home;
    const ::passwd* const user = ::getpwuid(::getuid());
    if (!user)
        throw bert::Error(bert::ErrorKind::file, "there is no home folder: HF_HOME can name one to keep models in");
    return user->pw_dir;
}

/// A path out of the environment, where ~ stands for the home folder.
std::filesystem::path expanded(const std::string& path) {
    if (path == "~") return home_folder();
    if (path.rfind("~/", 0) == 0) return home_folder() / path.substr(2);
    return path;
}

/// The first characters of a file, without white space around them. Empty for a file that is not there.
std::string read_short_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(4096, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    constexpr const char* space = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(space);
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

bool is_true(std::string value) {
    std::transform(value.begin(), value.end(), value.begin(),
                   [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
    return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

bool is_name_character(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
}

/// Letters, digits, and - and . between them.
bool is_name_part(std::string_view part) {
    const auto edge = [](char c) { return c == '-' || c == '.'; };
    return !part.empty() && part.size() <= 96 && !edge(part.front()) && !edge(part.back()) &&
           std::all_of(part.begin(), part.end(), is_name_character);
}

/// Whether a folder holds weights, itself or in a folder of one of its modules.
bool has_weights(const std::filesystem::path& folder) {
    std::error_code ec;
    std::filesystem::recursive_directory_iterator it(folder, ec);
    for (const std::filesystem::recursive_directory_iterator end; !ec && it != end; it.increment(ec)) {
        if (it.depth() > 0) it.disable_recursion_pending();
        std::error_code broken_link;
        if (it->path().extension() == ".safetensors" && std::filesystem::is_regular_file(it->path(), broken_link))
            return true;
    }
    return false;
}

}  // namespace

HubSettings hub_settings() {
    HubSettings settings;
    settings.endpoint = environment("HF_ENDPOINT");
    while (!settings.endpoint.empty() && settings.endpoint.back() == '/') settings.endpoint.pop_back();
    if (settings.endpoint.empty()) settings.endpoint = "https://huggingface.co";

    const auto home = [] {
        if (const std::string named = environment("HF_HOME"); !named.empty()) return expanded(named);
        const std::string caches = environment("XDG_CACHE_HOME");
        return (caches.empty() ? home_folder() / ".cache" : expanded(caches)) / "huggingface";
    };
    std::string cache = environment("HF_HUB_CACHE");
    if (cache.empty()) cache = environment("HUGGINGFACE_HUB_CACHE");
    settings.cache = cache.empty() ? home() / "hub" : expanded(cache);

    settings.token = environment("HF_TOKEN");
    if (settings.token.empty() && !is_true(environment("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) {
        const std::string path = environment("HF_TOKEN_PATH");
        settings.token = read_short_file(path.empty() ? home() / "token" : expanded(path));
    }
    settings.offline = is_true(environment("HF_HUB_OFFLINE"));
    return settings;
}

bool is_hub_name(std::string_view name) {
    const std::size_t slash = name.find('/');
    const bool parts = slash == std::string_view::npos
                           ? is_name_part(name)
                           : is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
    const bool git = name.size() >= 4 && name.substr(name.size() - 4) == ".git";
    return parts && !git && name.find("--") == std::string_view::npos && name.find("..") == std::string_view::npos;
}

bool is_hub_revision(std::string_view revision) {
    if (revision.empty() || revision.size() > 200 || revision.back() == '/') return false;
    if (revision.find("..") != std::string_view::npos) return false;
    char before = '/';
    for (const char c : revision) {
        if (c != '/' && !is_name_character(c)) return false;
        if (before == '/' && (c == '/' || c == '.' || c == '-')) return false;
        before = c;
    }
    return true;
}

bool is_commit(std::string_view revision) {
    return revision.size() == 40 && std::all_of(revision.begin(), revision.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

HubCache::HubCache(const std::filesystem::path& cache, const std::string& name) {
    std::string folder = "models--" + name;
    if (const std::size_t slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
    folder_ = cache / folder;
    locks_ = cache / ".locks" / folder;
}

std::optional<std::filesystem::path> HubCache::find(const std::string& revision) const {
    const std::string commit = is_commit(revision) ? revision : read_short_file(reference(revision));
    if (!is_commit(commit)) return std::nullopt;
    std::error_code ec;
    const auto folder = snapshot(commit);
    if (!std::filesystem::is_directory(folder, ec)) return std::nullopt;
    // Others fetch single files. Without modules.json a sentence encoder would be taken for one with mean pooling.
    const char* missing = nullptr;
    if (!has_weights(folder)) missing = "no weights";
    else if (!std::filesystem::exists(folder / "modules.json", ec) &&
             !std::filesystem::exists(absence(commit, "modules.json"), ec)) {
        missing = "nothing about modules.json";
    }
    if (missing) {
        throw bert::Error(bert::ErrorKind::file, folder.string() + " is only part of a model, with " + missing +
                                                     ": bert download completes it");
    }
    return folder;
}

std::string model_path(const std::string& text) {
    std::error_code ec;
    if (std::filesystem::exists(text, ec) || !is_hub_name(text)) return text;
    const auto folder = HubCache(hub_settings().cache, text).find("main");
    return folder ? folder->string() : text;
}
