// Records out, as all commands write them; text_reader.hpp reads.
#pragma once

#include "text_reader.hpp"

#include <bert/io/atomic_file.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// The second text of each record: its field `field`, or, of plain lines, what stands behind the first tab, which is
/// then cut off the text. Errors name the record.
std::vector<std::string> take_second_texts(Input& input, const std::string& field);

/// Output that appears as a whole or not at all: standard output is written in commit(), a file takes its name there.
class Output {
public:
    /// `path`: empty for standard output. A file that is there is an error unless `force` is set; devices and pipes are
    /// written as they are. Errors: CLI::ValidationError, file.
    explicit Output(const std::string& path, bool force = false);

    void write(const std::string& bytes) { write(bytes.data(), bytes.size()); }
    void write(const void* bytes, std::size_t count);

    /// A record as one line of JSON. Text that is not UTF-8 gets replacement characters.
    void write_line(const Record& record);

    /// More can follow on standard output.
    void commit();

private:
    std::optional<bert::detail::AtomicFile> file_;
    std::string stream_;  // a path to write buffer_ to; empty for standard output
    std::string buffer_;
};

/// Reads texts a window at a time, has `answer` write about each window, and lets that out before more is waited for:
/// so commands stand in pipelines, and memory is bounded. Ctrl-C leaves whole records. Errors: those of TextReader and
/// `answer`; Interrupted.
void answer_in_windows(const InputOptions& options, const std::function<void(Input& window, Output& output)>& answer);

/// The shortest text that reads back as the same float.
std::string shortest(float value);
