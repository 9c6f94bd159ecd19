// The Hugging Face hub as this machine knows it: names, settings in the environment, and the cache that the hub's
// Python client shares. No network here. Depends on the standard library and bert/error.hpp.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

/// What the environment says, read as the hub's Python client reads it.
struct HubSettings {
    std::string endpoint;  // HF_ENDPOINT, without a slash at its end
    std::string token;     // HF_TOKEN, or what the file HF_TOKEN_PATH holds; empty for none
    std::filesystem::path
        cache;             // HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub
    bool offline = false;  // HF_HUB_OFFLINE
};

/// Errors: file (no home folder to keep a cache in).
HubSettings hub_settings();

/// Whether the hub can have a model of that name: "model" or "owner/model".
bool is_hub_name(std::string_view name);

/// Whether `revision` can be a branch, a tag or a commit.
bool is_hub_revision(std::string_view revision);

/// Whether `revision` is a commit, written out.
bool is_commit(std::string_view revision);

/// The part of the cache that belongs to one model. A snapshot holds links to blobs, which are named by their hash;
/// both appear only when they are whole. A branch refers to a commit once all that is needed of it is there.
class HubCache {
public:
    HubCache(const std::filesystem::path& cache, const std::string& name);

    std::filesystem::path blob(const std::string& hash) const { return folder_ / "blobs" / hash; }
    std::filesystem::path snapshot(const std::string& commit) const { return folder_ / "snapshots" / commit; }
    std::filesystem::path reference(const std::string& revision) const { return folder_ / "refs" / revision; }
    /// Where it is noted that a commit does not have `file`.
    std::filesystem::path absence(const std::string& commit, const std::string& file) const {
        return folder_ / ".no_exist" / commit / file;
    }
    std::filesystem::path lock(const std::string& hash) const { return locks_ / (hash + ".lock"); }

    /// The folder of the model at `revision`, or nothing where the cache does not know that revision.
    /// Errors: file (the cache holds part of the model only).
    std::optional<std::filesystem::path> find(const std::string& revision) const;

private:
    std::filesystem::path folder_;
    std::filesystem::path locks_;
};

/// What a user wrote for a model: a path that exists stays as it is, a name whose model is in the cache becomes the
/// folder there, and anything else stays, to be reported where it is opened. Errors: file.
std::string model_path(const std::string& text);
