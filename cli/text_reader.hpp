// Texts out of files or standard input, one after another: the only reader of texts that commands have. Depends on
// CLI11, nlohmann/json and the library's errors.
#pragma once

#include <CLI/CLI.hpp>
#include <bert/error.hpp>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Keeps the order in which keys were added.
using Record = nlohmann::ordered_json;

/// Where texts come from and how they are written there.
struct InputOptions {
    std::vector<std::string> files;  ///< "-" is standard input, and so is no file at all
    /// "lines", "jsonl", "csv", "tsv", "parquet", "arrow", "whole" (a file is one text), or "auto": by the file's name,
    /// else `plain`
    std::string format = "auto";
    std::string plain = "lines";
    std::string field = "text";  ///< of JSON objects, or the column of tables
    bool skip_errors = false;    ///< leave out what cannot be read, and say so, instead of failing
};

/// Adds the files and add_format_options(); `input` must live until the parse.
void add_input_options(CLI::App& command, InputOptions& input);

/// Adds how texts are written in files.
void add_format_options(CLI::App& command, InputOptions& input);

/// A sum of everything that was read, 64 bits wide. It tells changed input from unchanged, not friend from foe.
class Checksum {
public:
    Checksum() = default;
    /// Goes on from a value that was taken.
    explicit Checksum(std::uint64_t value) : value_(value) {}

    void add(std::string_view bytes);
    std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0x9E3779B97F4A7C15;
};

/// How far a reader has come.
struct ReadPosition {
    std::uint64_t records = 0;  ///< lines, rows or files, with those that hold no text
    std::uint64_t skipped = 0;  ///< those that could not be read
    std::uint64_t bytes = 0;
    Checksum checksum;
};

/// A text, and the record it stood in ({"text": ...} for plain lines, {"file": ...} for whole files, an object of
/// strings for rows of CSV and TSV).
struct TextRecord {
    std::string text;
    Record record;
    std::string place;      ///< for messages: "articles.csv:12"
    ReadPosition position;  ///< behind this record
};

/// Reads records one at a time; memory is bounded by the longest record, and that by `max_record` bytes.
class TextReader {
public:
    static constexpr std::size_t max_record = std::size_t{256} << 20;

    explicit TextReader(InputOptions options);
    TextReader(TextReader&&) noexcept;
    TextReader& operator=(TextReader&&) noexcept;
    ~TextReader();

    /// The next text; none at the end. Errors name file and line: file; format (unless such records are skipped).
    std::optional<TextRecord> next();

    /// Passes over what was read before, without parsing it. Only at the beginning. Returns whether it is still the
    /// same, byte for byte. Errors: file.
    bool skip_to(const ReadPosition& position);

    const ReadPosition& position() const { return position_; }

    /// Whether next() would wait for what a pipe or a terminal has not given yet.
    bool waits() const;

    /// Bytes of all input; none where that is not known (pipes, terminals).
    std::optional<std::uint64_t> total_bytes() const;

private:
    class Source;
    enum class Format { lines, json, csv, tsv, whole };

    std::string format_of(const std::string& file) const;
    bool open_next();
    bool next_raw(std::string& raw);
    void parse(std::string&& raw, TextRecord& result) const;
    void parse_row(std::string_view raw, TextRecord& result) const;
    void read_header();
    void find_column();
    void count(std::string_view raw);
    std::string place() const;

    InputOptions options_;
    std::size_t next_file_ = 0;
    std::unique_ptr<Source> source_;
    Format format_ = Format::lines;
    std::vector<std::string> columns_;  // of a table
    std::size_t column_ = 0;            // that holds the text
    ReadPosition position_;
};

/// Throws the error of a record, or says on standard error that it is skipped, as the options want it. `number`: how
/// many were skipped before; from the twentieth on they are counted only.
void throw_or_skip(const InputOptions& options, const bert::Error& error, std::uint64_t number);

/// Says how many were skipped, if any.
void report_skipped(std::uint64_t number);

/// Reads texts to compute together, where not all have to be: at most 2048, or 1 MiB, which bounds memory, and no more
/// than there are where a pipe would have to be waited for. Returns whether there may be more. Errors: as next().
bool read_window(TextReader& reader, const std::function<void(TextRecord&& text)>& take);

/// Texts that are computed together.
struct Input {
    std::vector<std::string> texts;
    std::vector<Record> records;
    std::vector<std::string> places;  ///< for messages, as in TextRecord; of windows only
    std::size_t first = 0;            ///< number of texts before these
};

/// Reads everything. Errors name the file and line.
Input read_input(const InputOptions& options);

/// The whole content of a file, or of standard input for "-".
std::string read_whole(const std::string& file);
