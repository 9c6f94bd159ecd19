// Stores on disk: manifest, locks and generations.
#include "store.hpp"

#include "encoder_options.hpp"
#include "fingerprint.hpp"
#include "records.hpp"

#include <bert/io/atomic_file.hpp>
#include <bert/io/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace {

constexpr const char* manifest_name = "bert-store.json";
constexpr const char* lock_name = "lock";
constexpr int store_version = 1;
// Every integer up to here is exact as a double, which JSON readers may use.
constexpr std::int64_t largest_integer = std::int64_t{1} << 53;

std::uint64_t need_integer(const bert::detail::Json& json, const char* key, const std::filesystem::path& path,
                           std::int64_t low = 0) {
    const auto value = bert::detail::get_integer(json, key, path, low, largest_integer);
    if (!value) bert::detail::fail(bert::ErrorKind::format, path, ": \"", key, "\" is missing");
    return static_cast<std::uint64_t>(*value);
}

std::string need_string(const bert::detail::Json& json, const char* key, const std::filesystem::path& path) {
    auto value = bert::detail::get_string(json, key, path);
    if (!value) bert::detail::fail(bert::ErrorKind::format, path, ": \"", key, "\" is missing");
    return std::move(*value);
}

const bert::detail::Json& need_object(const bert::detail::Json& json, const char* key,
                                      const std::filesystem::path& path) {
    const bert::detail::Json* const value = bert::detail::find(json, key);
    if (!value || !value->is_object()) {
        bert::detail::fail(bert::ErrorKind::format, path, ": \"", key, "\" should be an object");
    }
    return *value;
}

template <class Value>
Value value_named(const std::map<std::string, Value>& names, const std::string& name, const char* key,
                  const std::filesystem::path& path) {
    const auto it = names.find(name);
    if (it == names.end()) {
        bert::detail::fail(bert::ErrorKind::format, path, ": \"", key, "\" is not known: \"", name, "\"");
    }
    return it->second;
}

template <class Value>
std::string name_of(const std::map<std::string, Value>& names, Value value) {
    return std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.second == value; })->first;
}

StoreManifest read_manifest(const std::filesystem::path& folder) {
    const auto path = folder / manifest_name;
    const auto json = bert::detail::read_json_object(path);
    if (need_string(json, "format", path) != "bert-store") {
        bert::detail::fail(bert::ErrorKind::format, path, ": \"format\" should be \"bert-store\"");
    }
    if (const auto version = need_integer(json, "version", path); version != store_version) {
        bert::detail::fail(bert::ErrorKind::unsupported, path, ": version ", version, " of stores; version ",
                           store_version, " is supported");
    }
    StoreManifest manifest;
    manifest.generation = need_integer(json, "generation", path, 1);
    const auto& model = need_object(json, "model", path);
    manifest.model_folder = need_string(model, "folder", path);
    manifest.model_identity = need_string(model, "identity", path);
    if (const auto length = bert::detail::get_integer(model, "max_length", path, 1, largest_integer)) {
        manifest.encoder.max_seq_length = static_cast<std::size_t>(*length);
    }
    manifest.encoder.normalize = bert::detail::get_bool(model, "normalize", path);
    if (const auto pooling = bert::detail::get_string(model, "pooling", path)) {
        manifest.encoder.pooling = value_named(pooling_names(), *pooling, "pooling", path);
    }
    if (const auto size = bert::detail::get_integer(model, "truncate_dim", path, 1, largest_integer)) {
        manifest.encoder.truncate_dim = static_cast<bert::Index>(*size);
    }
    manifest.measure = value_named(measure_names(), need_string(json, "measure", path), "measure", path);
    manifest.field = need_string(json, "field", path);
    manifest.id_field = need_string(json, "id_field", path);
    manifest.dimension =
        static_cast<bert::Index>(bert::detail::get_integer(json, "dimension", path, 1, 1 << 24).value_or(0));
    if (manifest.dimension == 0) bert::detail::fail(bert::ErrorKind::format, path, ": \"dimension\" is missing");
    // Bounded, so that products with the dimension do not overflow.
    manifest.documents = static_cast<std::size_t>(
        bert::detail::get_integer(json, "documents", path, 0, std::int64_t{1} << 36).value_or(0));
    manifest.next_key = need_integer(json, "next_key", path);
    if (bert::detail::find(json, "graph")) {
        const auto& graph = need_object(json, "graph", path);
        manifest.graph = GraphOptions{static_cast<std::size_t>(need_integer(graph, "links", path, 1)),
                                      static_cast<std::size_t>(need_integer(graph, "ef_construction", path, 1))};
    }
    manifest.bm25 = bert::detail::get_bool(json, "bm25", path).value_or(false);
    for (const auto& [name, entry] : need_object(json, "files", path).items()) {
        if (!entry.is_object()) bert::detail::wrong_type(path, name.c_str(), "an object", entry);
        manifest.files[name] = {need_integer(entry, "bytes", path), need_string(entry, "hash", path)};
    }
    return manifest;
}

void write_manifest(const std::filesystem::path& folder, const StoreManifest& manifest) {
    Record model = {{"folder", manifest.model_folder}, {"identity", manifest.model_identity}};
    if (manifest.encoder.max_seq_length) model["max_length"] = *manifest.encoder.max_seq_length;
    if (manifest.encoder.normalize) model["normalize"] = *manifest.encoder.normalize;
    if (manifest.encoder.pooling) model["pooling"] = name_of(pooling_names(), *manifest.encoder.pooling);
    if (manifest.encoder.truncate_dim) model["truncate_dim"] = *manifest.encoder.truncate_dim;
    Record json = {{"format", "bert-store"},
                   {"version", store_version},
                   {"generation", manifest.generation},
                   {"model", std::move(model)},
                   {"dimension", manifest.dimension},
                   {"measure", name_of(measure_names(), manifest.measure)},
                   {"field", manifest.field},
                   {"id_field", manifest.id_field},
                   {"documents", manifest.documents},
                   {"next_key", manifest.next_key},
                   {"bm25", manifest.bm25}};
    if (manifest.graph) {
        json["graph"] = {{"links", manifest.graph->links}, {"ef_construction", manifest.graph->ef_construction}};
    }
    for (const auto& [name, seal] : manifest.files) {
        json["files"][name] = {{"bytes", seal.bytes}, {"hash", seal.hash}};
    }
    bert::detail::AtomicFile file(folder / manifest_name);
    file.write(json.dump(2, ' ', false, Record::error_handler_t::replace) + "\n");
    file.commit();
}

/// Waits until the bytes of a file, or the names in a folder, have reached the disk. Errors: file.
void synchronise(const std::filesystem::path& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool done = descriptor >= 0 && fsync(descriptor) == 0;
    const int error = errno;
    if (descriptor >= 0) close(descriptor);
    if (!done) bert::detail::fail(bert::ErrorKind::file, path, ": could not be written: ", std::strerror(error));
}

/// Whether a folder is a generation, whole or not: a number as name, and nothing in it but files of a store.
bool is_generation(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) return false;
    std::error_code ec;
    if (std::filesystem::symlink_status(path, ec).type() != std::filesystem::file_type::directory) return false;
    for (std::filesystem::directory_iterator it(path, ec), end; !ec && it != end; it.increment(ec)) {
        std::string file = it->path().filename().string();
        if (it->path().extension() == ".part") file = it->path().stem().string();
        const auto names = {store_files::vectors, store_files::documents, store_files::keys,
                            store_files::graph,   store_files::bm25,      lock_name};
        if (std::none_of(names.begin(), names.end(), [&](const char* n) { return file == n; })) return false;
    }
    return !ec;
}

}  // namespace

void check_model(const StoreManifest& manifest, const std::filesystem::path& store) {
    const std::string identity = model_identity(manifest.model_folder);
    if (identity == manifest.model_identity) return;
    bert::detail::fail(bert::ErrorKind::input, store, " was made with another model: identity ",
                       manifest.model_identity, ", but ", manifest.model_folder, " has ", identity);
}

std::unique_ptr<FolderLock> FolderLock::try_lock(const std::filesystem::path& folder, bool exclusive) {
    const auto path = folder / lock_name;
    const int descriptor = open(path.c_str(), O_CLOEXEC | (exclusive ? O_RDWR | O_CREAT : O_RDONLY), 0666);
    if (descriptor < 0) {
        if (!exclusive && errno == ENOENT) return nullptr;
        const int error = errno;
        bert::detail::fail(bert::ErrorKind::file, path, ": could not be opened: ", std::strerror(error));
    }
    if (flock(descriptor, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        close(descriptor);
        return nullptr;
    }
    return std::unique_ptr<FolderLock>(new FolderLock(descriptor));
}

FolderLock::~FolderLock() {
    close(descriptor_);
}

bool Store::is_store(const std::filesystem::path& folder) {
    std::error_code ec;
    return std::filesystem::exists(folder / manifest_name, ec);
}

Store::Store(const std::filesystem::path& folder) : folder_(folder) {
    // Between the reading of the manifest and the lock a writer may have moved on; not every time, though.
    for (int attempt = 0; attempt < 10 && !lock_; ++attempt) {
        manifest_ = read_manifest(folder);
        lock_ = FolderLock::try_lock(folder / std::to_string(manifest_.generation), false);
        if (lock_ && read_manifest(folder).generation != manifest_.generation) lock_.reset();
    }
    if (!lock_) {
        bert::detail::fail(bert::ErrorKind::file, folder, ": generation ", manifest_.generation, " cannot be opened");
    }
    vectors_ = open_file(store_files::vectors,
                         manifest_.documents * static_cast<std::uint64_t>(manifest_.dimension) * sizeof(float));
    key_file_ = open_file(store_files::keys, manifest_.documents * sizeof(std::uint64_t));
    keys_ = reinterpret_cast<const std::uint64_t*>(key_file_->data());
    documents_ = open_file(store_files::documents, manifest_.files[store_files::documents].bytes);
    checked_file(store_files::keys);
    checked_file(store_files::documents);
    split_lines();
}

std::filesystem::path Store::path_of(const std::string& name) const {
    return folder_ / std::to_string(manifest_.generation) / name;
}

std::shared_ptr<const bert::MappedFile> Store::open_file(const std::string& name, std::uint64_t bytes) const {
    auto file = std::make_shared<const bert::MappedFile>(path_of(name));
    if (file->size() != bytes) {
        bert::detail::fail(bert::ErrorKind::format, path_of(name), " is damaged: it should have ", bytes,
                           " bytes, but has ", file->size());
    }
    return file;
}

std::filesystem::path Store::checked_file(const std::string& name) const {
    const auto seal = manifest_.files.find(name);
    if (seal == manifest_.files.end()) {
        bert::detail::fail(bert::ErrorKind::format, folder_ / manifest_name, ": \"files\" does not name ", name);
    }
    auto path = path_of(name);
    if (file_hash(path) != seal->second.hash) {
        bert::detail::fail(bert::ErrorKind::format, path, " is damaged: its hash is not the one in ", manifest_name);
    }
    return path;
}

void Store::split_lines() {
    const std::string_view all(reinterpret_cast<const char*>(documents_->data()), documents_->size());
    lines_.reserve(manifest_.documents);
    for (std::size_t begin = 0; begin < all.size();) {
        const std::size_t end = std::min(all.find('\n', begin), all.size());
        lines_.push_back(all.substr(begin, end - begin));
        begin = end + 1;
    }
    if (lines_.size() != manifest_.documents) {
        bert::detail::fail(bert::ErrorKind::format, path_of(store_files::documents), ": there should be ",
                           manifest_.documents, " documents, but there are ", lines_.size());
    }
}

bert::ConstRows<float> Store::vectors() const {
    if (!vectors_checked_) checked_file(store_files::vectors);
    vectors_checked_ = true;
    return Eigen::Map<const bert::Matrix>(reinterpret_cast<const float*>(vectors_->data()),
                                          static_cast<bert::Index>(manifest_.documents), manifest_.dimension);
}

std::optional<bert::Index> Store::row_of(std::uint64_t key) const {
    const std::uint64_t* const end = keys_ + manifest_.documents;
    const std::uint64_t* const it = std::lower_bound(keys_, end, key);
    if (it == end || *it != key) return std::nullopt;
    return static_cast<bert::Index>(it - keys_);
}

StoreWriter::StoreWriter(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code ec;
    if (!Store::is_store(folder_)) {
        if (std::filesystem::exists(folder_, ec) && !std::filesystem::is_directory(folder_, ec)) {
            bert::detail::fail(bert::ErrorKind::file, folder_, " is not a folder");
        }
        for (std::filesystem::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
            // What an interrupted first call left behind is no reason to refuse.
            const std::string name = it->path().filename().string();
            if (name == lock_name || is_generation(it->path()) || name == std::string(manifest_name) + ".part")
                continue;
            bert::detail::fail(bert::ErrorKind::file, folder_, " is no store, and holds ", name,
                               ": name a folder that is new or empty");
        }
        made_folder_ = std::filesystem::create_directories(folder_, ec);
        if (ec) bert::detail::fail(bert::ErrorKind::file, folder_, ": could not be made: ", ec.message());
    }
    lock_ = FolderLock::try_lock(folder_, true);
    if (!lock_) bert::detail::fail(bert::ErrorKind::file, folder_, ": another process is writing to this store");
}

StoreWriter::~StoreWriter() {
    std::error_code ec;
    if (!generation_.empty()) std::filesystem::remove_all(generation_, ec);
    if (made_folder_) {
        std::filesystem::remove(folder_ / lock_name, ec);
        std::filesystem::remove(folder_, ec);
    }
}

std::filesystem::path StoreWriter::begin(std::uint64_t generation) {
    generation_ = folder_ / std::to_string(generation);
    std::error_code ec;
    if (std::filesystem::exists(generation_, ec) && !is_generation(generation_)) {
        const auto path = std::exchange(generation_, {});
        bert::detail::fail(bert::ErrorKind::file, path, " holds what is not of this store");
    }
    std::filesystem::remove_all(generation_, ec);  // of an interrupted call
    if (!ec) std::filesystem::create_directory(generation_, ec);
    if (ec) bert::detail::fail(bert::ErrorKind::file, generation_, ": could not be made: ", ec.message());
    return generation_;
}

void StoreWriter::commit(StoreManifest& manifest) {
    manifest.files.clear();
    for (const auto& entry : std::filesystem::directory_iterator(generation_)) {
        synchronise(entry.path());
        manifest.files[entry.path().filename().string()] = {entry.file_size(), file_hash(entry.path())};
    }
    FolderLock::try_lock(generation_, true);  // makes the file that readers lock
    synchronise(generation_);
    write_manifest(folder_, manifest);
    made_folder_ = false;
    remove_generations_but(std::exchange(generation_, {}).filename().string());
}

void StoreWriter::remove_generations_but(const std::string& kept) const {
    std::vector<std::filesystem::path> old;
    std::error_code ec;
    for (std::filesystem::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
        const std::string name = it->path().filename().string();
        if (name != kept && is_generation(it->path())) old.push_back(it->path());
    }
    for (const auto& generation : old) {
        // Those still read are left to the next writer.
        if (FolderLock::try_lock(generation, true)) std::filesystem::remove_all(generation, ec);
    }
}
