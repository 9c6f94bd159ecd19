// Models of the Hugging Face hub, brought into the cache: which files, whether they are whole, and in what order they
// appear.
#include "hub_download.hpp"

#include "digest.hpp"
#include "http.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "records.hpp"

#include <bert/error.hpp>
#include <bert/io/atomic_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using bert::ErrorKind;

[[noreturn]] void fail(ErrorKind kind, const std::string& message) {
    throw bert::Error(kind, message);
}

void make_folder_of(const std::filesystem::path& file) {
    std::error_code ec;
    std::filesystem::create_directories(file.parent_path(), ec);
    if (ec) fail(ErrorKind::file, file.parent_path().string() + ": could not be made: " + ec.message());
}

[[noreturn]] void fail_at(const std::filesystem::path& path, const char* what) {
    fail(ErrorKind::file, path.string() + ": " + what + ": " + std::strerror(errno));
}

/// Keeps other processes, the hub's Python client too, from writing the same file.
class FileLock {
public:
    /// Waits until nobody else holds it. Errors: file, Interrupted.
    explicit FileLock(const std::filesystem::path& path) {
        make_folder_of(path);
        for (;;) {
            file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            if (file_ < 0) fail_at(path, "could not be opened");
            try {
                wait(path);
            } catch (...) {
                ::close(file_);
                throw;
            }
            // Whoever held it may have removed it, and others wait at a new one.
            struct ::stat status {};
            if (::fstat(file_, &status) == 0 && status.st_nlink > 0) return;
            ::close(file_);
        }
    }
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock() { ::close(file_); }

private:
    void wait(const std::filesystem::path& path) const {
        while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK && errno != EINTR) fail_at(path, "could not be locked");
            throw_if_interrupted();
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    }

    int file_ = -1;
};

/// A file that grows at its end until it is whole and gets its name.
class PartialFile {
public:
    /// Errors: file.
    explicit PartialFile(std::filesystem::path path) : path_(std::move(path)) {
        make_folder_of(path_);
        file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file_ < 0) fail_at(path_, "could not be opened");
        size_ = static_cast<std::uint64_t>(std::max(::lseek(file_, 0, SEEK_END), ::off_t{0}));
    }
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile() { ::close(file_); }

    const std::uint64_t& size() const noexcept { return size_; }
    const std::filesystem::path& path() const noexcept { return path_; }

    /// Errors: file.
    void clear() {
        if (::ftruncate(file_, 0) != 0) fail_at(path_, "could not be emptied");
        size_ = 0;
    }

    /// Errors: file.
    void append(const char* bytes, std::size_t count) {
        while (count > 0) {
            const ::ssize_t written = ::pwrite(file_, bytes, count, static_cast<::off_t>(size_));
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) fail_at(path_, "could not be written");
            size_ += static_cast<std::uint64_t>(written);
            bytes += written;
            count -= static_cast<std::size_t>(written);
        }
    }

    /// Gives the file its name, after its bytes have reached the disk. Errors: file.
    void finish(const std::filesystem::path& name) {
        if (::fsync(file_) != 0 || ::rename(path_.c_str(), name.c_str()) != 0) fail_at(path_, "could not be kept");
        bert::detail::synchronise_folder(name);
    }

private:
    std::filesystem::path path_;
    std::uint64_t size_ = 0;
    int file_ = -1;
};

std::string percent_encoded(std::string_view text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || std::strchr("-._~", c))
            out += c;
        else (((out += '%') += digits[byte >> 4]) += digits[byte & 15]);
    }
    return out;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// Whether the file `name` of the folder of a model or module is read: settings, tokenizer and weights.
bool is_needed(std::string_view name) {
    constexpr std::string_view names[] = {"config.json",
                                          "modules.json",
                                          "vocab.txt",
                                          "config_sentence_transformers.json",
                                          "tokenizer.json",
                                          "special_tokens_map.json",
                                          "tokenizer_config.json",
                                          "generation_config.json",
                                          "artifact.metadata",
                                          "added_tokens.json",
                                          "model.safetensors",
                                          "model.safetensors.index.json"};
    if (std::find(std::begin(names), std::end(names), name) != std::end(names)) return true;
    const auto starts = [&](std::string_view begin) { return name.substr(0, begin.size()) == begin; };
    return (starts("model-") && ends_with(name, ".safetensors")) ||
           (starts("sentence_") && ends_with(name, "_config.json"));
}

/// A file of a model, and what the hub says about it.
struct HubFile {
    std::string name;
    std::string url;
    std::string hash;
    std::uint64_t size = 0;
};

class Download {
public:
    Download(const HubSettings& settings, std::string name, bool quiet)
        : endpoint_(settings.endpoint),
          name_(std::move(name)),
          has_token_(!settings.token.empty()),
          quiet_(quiet),
          cache_(settings.cache, name_),
          http_(settings.token) {}

    std::filesystem::path run(const std::string& revision) {
        const std::vector<std::string> listed = list(revision);
        const bool has_modules = std::find(listed.begin(), listed.end(), "modules.json") != listed.end();
        std::vector<std::string> folders = {""};
        if (has_modules) {
            fetch({"modules.json"});
            add_modules(folders);
        } else {
            write_file(cache_.absence(commit_, "modules.json"), "");
        }
        std::vector<std::string> settings;
        std::vector<std::string> weights;
        for (const std::string& file : listed) {
            const std::size_t slash = file.rfind('/');
            const bool in_root = slash == std::string::npos;
            // Module folders are relative; "/config.json" is in none.
            if (!in_root &&
                (slash == 0 || std::find(folders.begin(), folders.end(), file.substr(0, slash)) == folders.end()))
                continue;
            if (!is_needed(in_root ? file : file.substr(slash + 1))) continue;
            (ends_with(file, ".safetensors") ? weights : settings).push_back(file);
        }
        if (weights.empty()) {
            fail(ErrorKind::unsupported, name_ +
                                             " has no weights as safetensors (tools/from_checkpoint.py makes them of "
                                             "PyTorch's and TensorFlow's)");
        }
        // Weights come last: a folder that has them has the rest.
        settings.insert(settings.end(), weights.begin(), weights.end());
        fetch(settings);
        if (!is_commit(revision)) write_file(cache_.reference(revision), commit_);
        return cache_.snapshot(commit_);
    }

private:
    /// The names of the files at `revision`, of which commit_ becomes the commit.
    std::vector<std::string> list(const std::string& revision) {
        const std::string url = endpoint_ + "/api/models/" + name_ + "/revision/" + percent_encoded(revision);
        const HttpAnswer answer = http_.get(url, std::size_t{64} << 20);
        check(answer, url, revision);
        const Record record = Record::parse(answer.body, nullptr, false);
        const auto sha = record.is_object() ? record.find("sha") : record.end();
        const auto siblings = record.is_object() ? record.find("siblings") : record.end();
        if (!record.is_object() || sha == record.end() || !sha->is_string() || !is_commit(sha->get<std::string>()) ||
            siblings == record.end() || !siblings->is_array()) {
            fail(ErrorKind::format, url + ": expected a JSON object with \"sha\" and \"siblings\"");
        }
        commit_ = sha->get<std::string>();
        std::vector<std::string> names;
        for (const Record& sibling : *siblings) {
            const auto file = sibling.is_object() ? sibling.find("rfilename") : sibling.end();
            if (!sibling.is_object() || file == sibling.end() || !file->is_string()) {
                fail(ErrorKind::format, url + ": a sibling has no \"rfilename\"");
            }
            names.push_back(file->get<std::string>());
        }
        return names;
    }

    /// Adds the folders that modules.json names.
    void add_modules(std::vector<std::string>& folders) const {
        const auto path = cache_.snapshot(commit_) / "modules.json";
        std::ifstream file(path, std::ios::binary);
        const Record modules = Record::parse(file, nullptr, false);
        if (!modules.is_array()) fail(ErrorKind::format, path.string() + ": expected a JSON array");
        for (const Record& module : modules) {
            const auto folder = module.is_object() ? module.find("path") : module.end();
            if (!module.is_object() || folder == module.end() || !folder->is_string()) {
                fail(ErrorKind::format, path.string() + ": a module has no \"path\"");
            }
            const std::string name = folder->get<std::string>();
            // They become paths here.
            if (!name.empty() && !is_hub_revision(name)) {
                fail(ErrorKind::format, path.string() + ": a module is in the folder \"" + name + "\"");
            }
            folders.push_back(name);
        }
    }

    /// Brings files of commit_ into the snapshot.
    void fetch(const std::vector<std::string>& names) {
        std::vector<HubFile> files;
        std::uint64_t total = 0;
        for (const std::string& name : names) {
            std::error_code ec;
            if (std::filesystem::exists(cache_.snapshot(commit_) / name, ec)) continue;
            files.push_back(describe(name));
            total += files.back().size;
        }
        Progress progress(quiet_, 0, total, "MB");
        std::uint64_t done = 0;
        for (const HubFile& file : files) {
            fetch_blob(file, [&](std::uint64_t bytes) { progress.show((done + bytes) / 1000000, done + bytes); });
            done += file.size;
            link(file);
        }
    }

    /// Asks for the size and the hash of a file, which are in the headers before any redirection to where it is stored.
    HubFile describe(const std::string& name) {
        HubFile file;
        file.name = name;
        file.url = endpoint_ + "/" + name_ + "/resolve/" + commit_;
        for (std::size_t begin = 0; begin <= name.size();) {
            const std::size_t end = std::min(name.find('/', begin), name.size());
            file.url += "/" + percent_encoded(std::string_view(name).substr(begin, end - begin));
            begin = end + 1;
        }
        HttpAnswer answer = http_.head(file.url);
        // Models that were renamed are found at another place of the same hub.
        for (int i = 0;
             i < 5 && answer.header("x-linked-etag").empty() && answer.redirect.rfind(endpoint_ + "/", 0) == 0; ++i) {
            file.url = answer.redirect;
            answer = http_.head(file.url);
        }
        check(answer, file.url, commit_);
        std::string etag = answer.header("x-linked-etag");
        if (etag.empty()) etag = answer.header("etag");
        if (etag.rfind("W/", 0) == 0) etag.erase(0, 2);
        etag.erase(std::remove(etag.begin(), etag.end(), '"'), etag.end());
        std::string size = answer.header("x-linked-size");
        if (size.empty()) size = answer.header("content-length");
        const bool digits =
            !size.empty() && size.size() < 16 && size.find_first_not_of("0123456789") == std::string::npos;
        if (!is_file_hash(etag) || !digits) {
            fail(ErrorKind::format, file.url + ": the hub gives no size and hash to check the file with (ETag \"" +
                                        etag + "\", size \"" + size + "\")");
        }
        file.hash = etag;
        file.size = std::strtoull(size.c_str(), nullptr, 10);
        return file;
    }

    template <class OnProgress>
    void fetch_blob(const HubFile& file, OnProgress&& on_progress) {
        const FileLock lock(cache_.lock(file.hash));
        const auto blob = cache_.blob(file.hash);
        std::error_code ec;
        if (std::filesystem::exists(blob, ec)) return;
        PartialFile partial(blob.string() + ".incomplete");
        bool resumed = partial.size() > 0;
        if (partial.size() > file.size) partial.clear();
        for (;; resumed = false) {
            if (partial.size() < file.size) transfer(file, partial, on_progress);
            const std::string hash = partial.size() == file.size ? hash_like(file.hash, partial.path()) : "";
            if (hash == file.hash) break;
            const std::string size = std::to_string(partial.size());
            partial.clear();
            // What was there before may not be what it seemed: once more, from the begin.
            if (resumed) continue;
            fail(ErrorKind::file, file.url + " arrived damaged: expected " + std::to_string(file.size) +
                                      " bytes of hash " + file.hash + ", got " + size +
                                      (hash.empty() ? "" : " of hash " + hash));
        }
        partial.finish(blob);
    }

    template <class OnProgress>
    void transfer(const HubFile& file, PartialFile& partial, OnProgress&& on_progress) {
        const auto receive = [&](std::uint64_t offset, const char* bytes, std::size_t count) {
            if (offset == 0 && partial.size() > 0) partial.clear();
            if (offset != partial.size()) {
                fail(ErrorKind::format, file.url + ": expected the bytes from " + std::to_string(partial.size()) +
                                            " on, got those from " + std::to_string(offset) + " on");
            }
            if (count > file.size - offset) {
                fail(ErrorKind::file, file.url + ": more than the expected " + std::to_string(file.size) + " bytes");
            }
            partial.append(bytes, count);
            on_progress(partial.size());
        };
        check(http_.get_file(file.url, partial.size(), receive), file.url, commit_);
    }

    /// Makes a whole blob appear in the snapshot, by a link that stays right when the cache is moved.
    void link(const HubFile& file) const {
        const auto path = cache_.snapshot(commit_) / file.name;
        make_folder_of(path);
        std::error_code ec;
        std::filesystem::create_symlink(cache_.blob(file.hash).lexically_relative(path.parent_path()), path, ec);
        if (ec && ec != std::errc::file_exists) {
            fail(ErrorKind::file, path.string() + ": could not be made: " + ec.message());
        }
    }

    void write_file(const std::filesystem::path& path, const std::string& text) const {
        const FileLock lock(cache_.lock("snapshot"));
        make_folder_of(path);
        bert::detail::AtomicFile file(path);
        file.write(text);
        file.commit();
    }

    /// Says what an answer that is no success means.
    void check(const HttpAnswer& answer, const std::string& url, const std::string& revision) const {
        if (answer.status < 400) return;
        const std::string code = answer.header("x-error-code");
        if (code == "GatedRepo") {
            fail(ErrorKind::file,
                 name_ + " is gated: its conditions are to be accepted at " + endpoint_ + "/" + name_ +
                     (has_token_ ? "; the token given has no access" : ", and a token given in HF_TOKEN"));
        }
        if (code == "RevisionNotFound") fail(ErrorKind::file, name_ + " has no revision " + revision);
        if (code == "RepoNotFound" || answer.status == 401 || (answer.status == 404 && code.empty())) {
            fail(ErrorKind::file, endpoint_ + " has no model " + name_ +
                                      (has_token_ ? ", or the token given has no access"
                                                  : ", or it is private and needs a token in HF_TOKEN"));
        }
        const std::string message = answer.header("x-error-message");
        fail(ErrorKind::file,
             url + ": status " + std::to_string(answer.status) + (message.empty() ? "" : ": " + message));
    }

    std::string endpoint_;
    std::string name_;
    bool has_token_;
    bool quiet_;
    HubCache cache_;
    Http http_;
    std::string commit_;
};

}  // namespace

std::filesystem::path download_model(const HubSettings& settings, const std::string& name, const std::string& revision,
                                     bool quiet) {
    return Download(settings, name, quiet).run(revision);
}
