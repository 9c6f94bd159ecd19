// Texts in and records out, as all commands read and write them.
#pragma once

#include <CLI/CLI.hpp>
#include <bert/io/atomic_file.hpp>
#include <nlohmann/json.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

/// Keeps the order in which keys were added.
using Record = nlohmann::ordered_json;

/// Where texts come from and how they are written there.
struct InputOptions {
    std::vector<std::string> files;  ///< "-" is standard input, and so is no file at all
    /// "lines", "jsonl", "whole" (a file is one text), or "auto": JSON lines by the file's name, else `plain`
    std::string format = "auto";
    std::string plain = "lines";
    std::string field = "text";  ///< of JSON lines
};

void add_input_options(CLI::App& command, InputOptions& input);

/// What was read: each text, and the record it stood in ({"text": ...} for plain lines, {"file": ...} for whole files).
struct Input {
    std::vector<std::string> texts;
    std::vector<Record> records;
};

/// Reads everything. Errors name the file and line.
Input read_input(const InputOptions& options);

/// The second text of each record: its field `field`, or, of plain lines, what stands behind the first tab, which is
/// then cut off the text. Errors name the record.
std::vector<std::string> take_second_texts(Input& input, const std::string& field);

/// The whole content of a file, or of standard input for "-".
std::string read_whole(const std::string& file);

/// Output that appears as a whole or not at all: standard output is written in commit(), a file takes its name there.
class Output {
public:
    /// `path`: empty for standard output.
    explicit Output(const std::string& path);

    void write(const std::string& bytes) { write(bytes.data(), bytes.size()); }
    void write(const void* bytes, std::size_t count);

    /// A record as one line of JSON. Text that is not UTF-8 gets replacement characters.
    void write_line(const Record& record);

    void commit();

private:
    std::optional<bert::detail::AtomicFile> file_;
    std::string buffer_;
};

/// The shortest text that reads back as the same float.
std::string shortest(float value);
