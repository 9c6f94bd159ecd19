// A store of embedded documents: one folder whose manifest names the generation that counts. Readers see one generation
// from beginning to end; a writer makes the next one beside it and then replaces the manifest.
#pragma once

#include "graph.hpp"

#include <bert/bert.hpp>
#include <bert/core/mapped_file.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the manifest says.
struct StoreManifest {
    std::uint64_t generation = 0;  ///< 0: nothing written yet
    std::string model_folder;      ///< where the model was when the store was made
    std::string model_identity;    ///< see model_identity()
    /// How documents were embedded, and queries have to be. Weights, threads and kernels are left open.
    bert::SentenceEncoderOptions encoder;
    bert::Similarity measure = bert::Similarity::cosine;
    std::string field = "text";   ///< of a document: its text
    std::string id_field = "id";  ///< of a document: a string or an integer that no other has
    bert::Index dimension = 0;
    std::size_t documents = 0;
    std::uint64_t next_key = 0;         ///< for the next document; keys are never used twice
    std::optional<GraphOptions> graph;  ///< where there is one for approximate search
    bool bm25 = false;                  ///< whether words can be searched

    struct Seal {
        std::uint64_t bytes = 0;
        std::string hash;
    };
    std::map<std::string, Seal> files;  ///< of the generation, by name
};

/// Fails where the model in manifest.model_folder is not the one that `store` was made with. Errors: input, file.
void check_model(const StoreManifest& manifest, const std::filesystem::path& store);

/// A folder locked against others (flock) as long as the object lives.
class FolderLock {
public:
    /// Opens `folder`/lock, which `exclusive` makes where it is missing. Null where the lock is held in a way that
    /// excludes this one, or where a shared one finds no file.
    static std::unique_ptr<FolderLock> try_lock(const std::filesystem::path& folder, bool exclusive);

    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

/// A generation of a store, open for reading. Rows stand in the order in which documents were added.
class Store {
public:
    /// Whether a folder is a store, whole or damaged.
    static bool is_store(const std::filesystem::path& folder);

    /// Errors: file, format (damaged; the file and what is wrong with it are named), unsupported (a newer version).
    explicit Store(const std::filesystem::path& folder);

    const StoreManifest& manifest() const noexcept { return manifest_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }

    /// documents x dimension. Errors: format (damaged).
    bert::ConstRows<float> vectors() const;

    /// The document of a row as a line of JSON.
    std::string_view line(bert::Index row) const { return lines_[static_cast<std::size_t>(row)]; }

    /// Keys ascend with rows.
    std::uint64_t key(bert::Index row) const noexcept { return keys_[row]; }
    std::optional<bert::Index> row_of(std::uint64_t key) const;

    /// The path of a file of the generation, checked against its hash. Errors: file, format.
    std::filesystem::path checked_file(const std::string& name) const;

private:
    std::filesystem::path path_of(const std::string& name) const;
    std::shared_ptr<const bert::MappedFile> open_file(const std::string& name, std::uint64_t bytes) const;
    void split_lines();

    std::filesystem::path folder_;
    StoreManifest manifest_;
    std::unique_ptr<FolderLock> lock_;  // keeps the generation from being removed
    std::shared_ptr<const bert::MappedFile> vectors_;
    std::shared_ptr<const bert::MappedFile> documents_;
    std::shared_ptr<const bert::MappedFile> key_file_;
    const std::uint64_t* keys_ = nullptr;
    std::vector<std::string_view> lines_;
    mutable bool vectors_checked_ = false;
};

/// Names of a generation's files.
namespace store_files {
inline constexpr const char* vectors = "vectors.f32";        // little-endian floats, row after row
inline constexpr const char* documents = "documents.jsonl";  // a line a row
inline constexpr const char* keys = "keys.u64";              // little-endian, one a row
inline constexpr const char* graph = "graph.hnsw";
inline constexpr const char* bm25 = "bm25.sqlite";
}  // namespace store_files

/// The one writer of a store.
class StoreWriter {
public:
    /// Locks a store, or makes the folder of a new one. Errors: file (another process writes to it, the folder holds
    /// something else).
    explicit StoreWriter(std::filesystem::path folder);

    /// Removes what was not committed.
    ~StoreWriter();
    StoreWriter(const StoreWriter&) = delete;
    StoreWriter& operator=(const StoreWriter&) = delete;

    /// Makes an empty folder for a generation.
    std::filesystem::path begin(std::uint64_t generation);

    /// Makes the generation begun the one that counts, with the files that are in its folder, and removes others that
    /// nobody reads. Errors: file.
    void commit(StoreManifest& manifest);

private:
    void remove_generations_but(const std::string& kept) const;

    std::filesystem::path folder_;
    bool made_folder_ = false;
    std::unique_ptr<FolderLock> lock_;
    std::filesystem::path generation_;
};
