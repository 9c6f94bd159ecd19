// Search by words by SQLite's FTS5.
#include "text_index.hpp"

#include <bert/error.hpp>

#ifdef BERT_CLI_SQLITE

#include <sqlite3.h>

#include <cctype>
#include <limits>

struct TextIndex::State {
    explicit State(const std::filesystem::path& file) : path(file) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        for (sqlite3_stmt* const statement : {insert, erase}) sqlite3_finalize(statement);
        sqlite3_close(database);
    }

    [[noreturn]] void fail(int code) const {
        const bool damaged = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
        throw bert::Error(damaged ? bert::ErrorKind::format : bert::ErrorKind::file,
                          path.string() + ": " + (database ? sqlite3_errmsg(database) : sqlite3_errstr(code)));
    }

    void execute(const char* sql) const {
        const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
        if (code != SQLITE_OK) fail(code);
    }

    sqlite3_stmt* prepare(const char* sql) const {
        sqlite3_stmt* statement = nullptr;
        const int code = sqlite3_prepare_v2(database, sql, -1, &statement, nullptr);
        if (code != SQLITE_OK) fail(code);
        return statement;
    }

    void run(sqlite3_stmt* statement, std::uint64_t key, const std::string& text) const {
        if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) fail(SQLITE_TOOBIG);
        sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(key));
        sqlite3_bind_text(statement, 2, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
        const int code = sqlite3_step(statement);
        sqlite3_reset(statement);
        if (code != SQLITE_DONE) fail(code);
    }

    std::filesystem::path path;
    sqlite3* database = nullptr;
    sqlite3_stmt* insert = nullptr;
    sqlite3_stmt* erase = nullptr;
};

namespace {

/// Each word in quotes, so that nothing of it is taken for FTS5's query language. What is no letter or digit of ASCII
/// parts words, as it does in the index: inside of quotes the parts would have to stand side by side.
std::string any_of_words(const std::string& query) {
    std::string expression;
    bool inside = false;
    for (const char c : query) {
        if (static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0) {
            if (inside) expression += '"';
            inside = false;
            continue;
        }
        if (!inside) expression += expression.empty() ? "\"" : " OR \"";
        inside = true;
        expression += c;
    }
    return inside ? expression + '"' : expression;
}

}  // namespace

bool TextIndex::available() {
    return sqlite3_compileoption_used("ENABLE_FTS5") != 0;
}

TextIndex::TextIndex(const std::filesystem::path& file, Mode mode) : state_(std::make_unique<State>(file)) {
    if (!available()) throw bert::Error(bert::ErrorKind::unsupported, "search by words: this SQLite has no FTS5");
    const int flags = mode == Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(file.c_str(), &state_->database, flags, nullptr);
    if (code != SQLITE_OK) state_->fail(code);
    if (mode == Mode::read) return;
    // The file is a copy that nobody sees before it is complete: no journal is needed. Texts stand in the store.
    state_->execute("PRAGMA journal_mode=OFF");
    state_->execute("BEGIN");
    state_->execute("CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(text, content='')");
    state_->insert = state_->prepare("INSERT INTO texts(rowid, text) VALUES(?1, ?2)");
    state_->erase = state_->prepare("INSERT INTO texts(texts, rowid, text) VALUES('delete', ?1, ?2)");
}

void TextIndex::add(std::uint64_t key, const std::string& text) {
    state_->run(state_->insert, key, text);
}

void TextIndex::remove(std::uint64_t key, const std::string& text) {
    state_->run(state_->erase, key, text);
}

void TextIndex::commit() {
    state_->execute("COMMIT");
}

std::vector<std::pair<std::uint64_t, float>> TextIndex::search(
    const std::string& query, std::size_t limit, const std::function<bool(std::uint64_t)>& accepts) const {
    std::vector<std::pair<std::uint64_t, float>> found;
    const std::string expression = any_of_words(query);
    if (expression.empty() || limit == 0) return found;
    if (expression.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) state_->fail(SQLITE_TOOBIG);
    struct Finalizer {
        sqlite3_stmt* statement;
        ~Finalizer() { sqlite3_finalize(statement); }
    } const finalizer{state_->prepare("SELECT rowid, bm25(texts) FROM texts WHERE texts MATCH ?1 ORDER BY 2, 1")};
    sqlite3_stmt* const statement = finalizer.statement;
    sqlite3_bind_text(statement, 1, expression.data(), static_cast<int>(expression.size()), SQLITE_STATIC);
    int code = SQLITE_DONE;
    while (found.size() < limit && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const auto key = static_cast<std::uint64_t>(sqlite3_column_int64(statement, 0));
        // FTS5 gives negative scores, so that better ones sort first.
        if (accepts(key)) found.emplace_back(key, static_cast<float>(-sqlite3_column_double(statement, 1)));
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) state_->fail(code);
    return found;
}

#else

struct TextIndex::State {};

namespace {

[[noreturn]] void without_sqlite() {
    throw bert::Error(bert::ErrorKind::unsupported, "search by words: this tool was built without SQLite");
}

}  // namespace

bool TextIndex::available() {
    return false;
}
TextIndex::TextIndex(const std::filesystem::path&, Mode) {
    without_sqlite();
}
void TextIndex::add(std::uint64_t, const std::string&) {
    without_sqlite();
}
void TextIndex::remove(std::uint64_t, const std::string&) {
    without_sqlite();
}
void TextIndex::commit() {
    without_sqlite();
}
std::vector<std::pair<std::uint64_t, float>> TextIndex::search(const std::string&, std::size_t,
                                                               const std::function<bool(std::uint64_t)>&) const {
    without_sqlite();
}

#endif

TextIndex::~TextIndex() = default;
