// Search by words: BM25 (Robertson and Zaragoza 2009) over texts, by SQLite's FTS5 where the tool was built with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// The words of a store's texts by key, in a file of SQLite.
class TextIndex {
public:
    /// Whether the tool was built with SQLite and that has FTS5. Without, constructors throw an Error of kind
    /// unsupported.
    static bool available();

    enum class Mode { read, write };

    /// Opens a file; in mode `write` it is made where there is none, and changes wait for commit(). Errors: file,
    /// format.
    TextIndex(const std::filesystem::path& file, Mode mode);
    ~TextIndex();

    void add(std::uint64_t key, const std::string& text);

    /// `text` must be what was added.
    void remove(std::uint64_t key, const std::string& text);

    /// Errors: file (the disk is full).
    void commit();

    /// Keys and scores of the `limit` texts that fit best among those `accepts` takes, best first. Words of the query
    /// are alternatives; upper and lower case, accents and punctuation make no difference.
    std::vector<std::pair<std::uint64_t, float>> search(const std::string& query, std::size_t limit,
                                                        const std::function<bool(std::uint64_t)>& accepts) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};
