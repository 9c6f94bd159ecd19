// Reading texts: bytes to lines, lines to records, records to texts.
#include "text_reader.hpp"

#include "arrow_tables.hpp"
#include "interrupt.hpp"

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/training_file.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace {

[[noreturn]] void fail_file(const std::string& message) {
    throw bert::Error(bert::ErrorKind::file, message);
}

[[noreturn]] void fail_format(const std::string& message) {
    throw bert::Error(bert::ErrorKind::format, message);
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_arrow(const std::string& format) {
    return format == "parquet" || format == "arrow";
}

std::string shown_name(const std::string& file) {
    return file == "-" ? "standard input" : file;
}

/// Whether a cell in quotes is open behind `line`, where one was or was not before it. A quote opens a cell only as its
/// first character.
bool leaves_quote_open(std::string_view line, bool open) {
    bool first = !open;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (open) {
            if (c != '"') continue;
            if (i + 1 < line.size() && line[i + 1] == '"') ++i;
            else open = false;
        } else if (c == '"' && first) {
            open = true;
        }
        first = !open && c == ',';
    }
    return open;
}

std::string_view without_line_end(std::string_view line) {
    if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

}  // namespace

void Checksum::add(std::string_view bytes) {
    // Rounds of multiply and shift over words of 8 bytes; the length keeps records apart.
    const auto mix = [this](std::uint64_t word) {
        value_ = (value_ ^ word) * 0xD6E8FEB86659FD93;
        value_ ^= value_ >> 32;
    };
    mix(bytes.size());
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + i, 8);
        mix(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
    mix(rest);
}

/// Lines out of one file: its bytes, or the rows of a Parquet or Arrow file as lines of JSON.
class TextReader::Source {
public:
    explicit Source(const std::string& file, bool table) : name_(shown_name(file)) {
        if (table && file == "-") fail_file("Parquet and Arrow files cannot be read from standard input");
        descriptor_ = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor_ < 0) fail_file(name_ + ": could not be opened: " + std::strerror(errno));
        struct stat status {};
        if (fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) fail_file(name_ + ": is a folder");
        if (table) rows_.emplace(file);
        else buffer_.resize(std::size_t{1} << 20);
    }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() {
        if (descriptor_ != STDIN_FILENO) close(descriptor_);
    }

    const std::string& name() const { return name_; }
    /// Of a Parquet or Arrow file.
    const std::optional<ArrowRows>& rows() const { return rows_; }

    std::size_t line = 1;    ///< number of the line that comes next
    std::size_t record = 1;  ///< number of the line that the present record began at

    /// Appends bytes up to the next line feed and with it. Returns whether there were any. Of more than max_record
    /// bytes one is kept, which tells.
    bool append_line(std::string& text) {
        bool any = false;
        if (rows_) {
            any = rows_->append(text);
            line += any;
            return any;
        }
        for (;;) {
            if (begin_ == end_ && !refill()) break;
            any = true;
            const char* const from = buffer_.data() + begin_;
            const void* const feed = std::memchr(from, '\n', end_ - begin_);
            const std::size_t count =
                feed ? static_cast<std::size_t>(static_cast<const char*>(feed) - from) + 1 : end_ - begin_;
            append(text, from, count);
            begin_ += count;
            if (!feed) continue;
            ++line;
            break;
        }
        return any;
    }

    /// Whether the next line has to be waited for.
    bool waits() const {
        if (rows_ || std::memchr(buffer_.data() + begin_, '\n', end_ - begin_)) return false;
        pollfd waiting = {descriptor_, POLLIN, 0};
        return poll(&waiting, 1, 0) == 0;
    }

    /// Appends everything that is left. Returns whether there was anything to read from, which is so once.
    bool append_all(std::string& text) {
        if (std::exchange(read_whole_, true)) return false;
        while (begin_ != end_ || refill()) {
            append(text, buffer_.data() + begin_, end_ - begin_);
            begin_ = end_;
        }
        return true;
    }

    /// Passes over a byte order mark. Only at the beginning.
    void skip_mark() {
        while (end_ < 3 && refill()) {
        }
        if (std::string_view(buffer_.data(), end_).substr(0, 3) == "\xEF\xBB\xBF") begin_ = 3;
    }

private:
    static void append(std::string& text, const char* bytes, std::size_t count) {
        text.append(bytes, std::min(count, max_record + 1 - text.size()));
    }

    /// Reads on behind what is there. Returns whether there was more.
    bool refill() {
        if (begin_ == end_) begin_ = end_ = 0;
        // A read that waits for a pipe or a terminal would not notice an interrupt.
        pollfd waiting = {descriptor_, POLLIN, 0};
        while (poll(&waiting, 1, 100) == 0) throw_if_interrupted();
        throw_if_interrupted();
        ssize_t count;
        do count = read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
        while (count < 0 && errno == EINTR);
        if (count < 0) fail_file(name_ + ": could not be read: " + std::strerror(errno));
        end_ += static_cast<std::size_t>(count);
        return count > 0;
    }

    std::string name_;
    int descriptor_ = -1;
    std::optional<ArrowRows> rows_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;  // of what was not yet taken out of buffer_
    std::size_t end_ = 0;
    bool read_whole_ = false;
};

TextReader::TextReader(InputOptions options) : options_(std::move(options)) {
    if (options_.files.empty()) options_.files.emplace_back("-");
}
TextReader::TextReader(TextReader&&) noexcept = default;
TextReader& TextReader::operator=(TextReader&&) noexcept = default;
TextReader::~TextReader() = default;

std::string TextReader::place() const {
    if (format_ == Format::whole) return source_->name();
    return source_->name() + ":" + std::to_string(source_->record);
}

void TextReader::count(std::string_view raw) {
    ++position_.records;
    position_.bytes += raw.size();
    position_.checksum.add(raw);
}

std::string TextReader::format_of(const std::string& file) const {
    if (options_.format != "auto") return options_.format;
    if (ends_with(file, ".jsonl") || ends_with(file, ".ndjson")) return "jsonl";
    if (ends_with(file, ".csv")) return "csv";
    if (ends_with(file, ".tsv")) return "tsv";
    if (ends_with(file, ".parquet")) return "parquet";
    if (ends_with(file, ".arrow") || ends_with(file, ".feather")) return "arrow";
    return options_.plain;
}

bool TextReader::open_next() {
    if (next_file_ == options_.files.size()) return false;
    const std::string& file = options_.files[next_file_++];
    const std::string format = format_of(file);
    if (format == "whole") format_ = Format::whole;
    else if (format == "jsonl" || is_arrow(format)) format_ = Format::json;
    else if (format == "csv") format_ = Format::csv;
    else if (format == "tsv") format_ = Format::tsv;
    else format_ = Format::lines;
    source_ = std::make_unique<Source>(file, is_arrow(format));
    if (source_->rows()) {
        columns_ = source_->rows()->columns();
        find_column();
        return true;
    }
    if (format_ == Format::whole) position_.checksum.add(file);  // its name is part of the record
    else source_->skip_mark();
    if (format_ == Format::csv || format_ == Format::tsv) read_header();
    return true;
}

bool TextReader::next_raw(std::string& raw) {
    raw.clear();
    if (format_ == Format::whole) {
        if (!source_->append_all(raw)) return false;
        count(raw);
        return true;
    }
    source_->record = source_->line;
    if (!source_->append_line(raw)) return false;
    if (format_ == Format::csv) {
        std::size_t seen = 0;
        bool open = false;
        while ((open = leaves_quote_open(std::string_view(raw).substr(seen), open))) {
            seen = raw.size();
            if (!source_->append_line(raw)) break;
        }
    }
    count(raw);
    return true;
}

void TextReader::read_header() {
    std::string raw;
    do {
        if (!next_raw(raw)) fail_format(source_->name() + ": the file is empty: expected a line of column names");
    } while (without_line_end(raw).empty());
    if (raw.size() > max_record) fail_format(place() + ": the line of column names is too long");
    const auto rows = format_ == Format::tsv ? bert::detail::parse_tsv(raw) : bert::detail::parse_csv(raw, place());
    columns_ = rows.front().cells;
    find_column();
}

void TextReader::find_column() {
    for (auto name = columns_.begin(); name != columns_.end(); ++name) {
        if (name->empty() || std::find(columns_.begin(), name, *name) == name) continue;
        fail_format(place() + ": there are two columns \"" + *name + "\"");
    }
    const auto found = std::find(columns_.begin(), columns_.end(), options_.field);
    column_ = static_cast<std::size_t>(found - columns_.begin());
    if (found != columns_.end()) return;
    std::string given;
    for (const std::string& name : columns_) given += (given.empty() ? "\"" : ", \"") + name + "\"";
    fail_format(place() + ": there is no column \"" + options_.field + "\"; there are " + given);
}

void TextReader::parse_row(std::string_view raw, TextRecord& result) const {
    if (format_ == Format::csv && leaves_quote_open(raw, false)) fail_format(result.place + ": a quote is not closed");
    auto rows = format_ == Format::tsv ? bert::detail::parse_tsv(raw) : bert::detail::parse_csv(raw, result.place);
    std::vector<std::string>& cells = rows.front().cells;
    if (cells.size() != columns_.size()) {
        fail_format(result.place + ": expected " + std::to_string(columns_.size()) + " columns, given " +
                    std::to_string(cells.size()));
    }
    result.text = cells[column_];
    for (std::size_t i = 0; i < cells.size(); ++i) result.record[columns_[i]] = std::move(cells[i]);
}

void TextReader::parse(std::string&& raw, TextRecord& result) const {
    if (raw.size() > max_record) {
        fail_format(result.place + ": a record has more than " + std::to_string(max_record >> 20) + " MiB");
    }
    switch (format_) {
        case Format::whole:
            result.text = std::move(raw);
            result.record = {{"file", options_.files[next_file_ - 1]}};
            return;
        case Format::lines:
            raw.resize(without_line_end(raw).size());
            result.text = std::move(raw);
            result.record = {{"text", result.text}};
            return;
        case Format::csv:
        case Format::tsv: parse_row(raw, result); return;
        case Format::json: break;
    }
    bert::detail::check_json_text(raw, result.place);
    result.record = Record::parse(raw, nullptr, false);
    if (!result.record.is_object()) fail_format(result.place + ": expected a JSON object");
    const auto text = result.record.find(options_.field);
    if (text == result.record.end() || !text->is_string()) {
        fail_format(result.place + ": expected a text in \"" + options_.field + "\"");
    }
    result.text = text->get<std::string>();
}

std::optional<TextRecord> TextReader::next() {
    std::string raw;
    for (;;) {
        if (!source_ && !open_next()) return std::nullopt;
        if (!next_raw(raw)) {
            source_.reset();
            continue;
        }
        const bool table = format_ == Format::csv || format_ == Format::tsv;
        if (table && without_line_end(raw).empty()) continue;
        if (format_ == Format::json && raw.find_first_not_of(" \t\r\n") == std::string::npos) continue;
        TextRecord result;
        result.place = place();
        try {
            parse(std::move(raw), result);
        } catch (const bert::Error& error) {
            throw_or_skip(options_, error, position_.skipped++);
            continue;
        }
        result.position = position_;
        return result;
    }
}

bool TextReader::waits() const {
    return source_ && source_->waits();
}

bool TextReader::skip_to(const ReadPosition& position) {
    std::string raw;
    while (position_.records < position.records) {
        if (!source_ && !open_next()) return false;
        if (!next_raw(raw)) source_.reset();
    }
    position_.skipped = position.skipped;
    return position_.records == position.records && position_.bytes == position.bytes &&
           position_.checksum.value() == position.checksum.value();
}

std::optional<std::uint64_t> TextReader::total_bytes() const {
    std::uint64_t total = 0;
    for (const std::string& file : options_.files) {
        if (is_arrow(format_of(file))) return std::nullopt;  // what is read of it is not its bytes
        struct stat status {};
        const int failed = file == "-" ? fstat(STDIN_FILENO, &status) : stat(file.c_str(), &status);
        if (failed != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
        total += static_cast<std::uint64_t>(status.st_size);
    }
    return total;
}

bool read_window(TextReader& reader, const std::function<void(TextRecord&& text)>& take) {
    constexpr std::size_t most_texts = 2048;
    constexpr std::uint64_t most_bytes = std::uint64_t{1} << 20;
    const std::uint64_t begin = reader.position().bytes;
    for (std::size_t texts = 0; texts < most_texts && reader.position().bytes - begin < most_bytes; ++texts) {
        if (texts > 0 && reader.waits()) break;  // whoever writes there may wait for answers
        std::optional<TextRecord> text = reader.next();
        if (!text) return false;
        take(*std::move(text));
    }
    return true;
}

void throw_or_skip(const InputOptions& options, const bert::Error& error, std::uint64_t number) {
    constexpr std::uint64_t shown = 20;
    if (!options.skip_errors) throw error;
    if (number < shown) std::fprintf(stderr, "bert: skipped: %s\n", error.what());
    else if (number == shown) std::fprintf(stderr, "bert: skipped: further records, which are counted only\n");
}

void report_skipped(std::uint64_t number) {
    if (number == 0) return;
    std::fprintf(stderr, "bert: %llu record%s skipped\n", static_cast<unsigned long long>(number),
                 number == 1 ? "" : "s");
}

void add_input_options(CLI::App& command, InputOptions& input) {
    command.add_option("files", input.files, "Files of texts; none, or -, for standard input");
    add_format_options(command, input);
}

void add_format_options(CLI::App& command, InputOptions& input) {
    command
        .add_option("--format", input.format,
                    "lines: one text a line; whole: one text a file; jsonl: one JSON object a line; csv, tsv: a table "
                    "whose first line names its columns; parquet, arrow: a table of Apache Arrow; auto: by the file's "
                    "name, else " +
                        input.plain)
        ->check(CLI::IsMember({"auto", "lines", "whole", "jsonl", "csv", "tsv", "parquet", "arrow"}).description(""));
    command
        .add_option("--field,--column", input.field, "The field of JSON objects, or the column of tables, of the texts")
        ->capture_default_str();
    command
        .add_option_function<std::string>(
            "--on-error", [&input](const std::string& policy) { input.skip_errors = policy == "skip"; },
            "What to do with a record that cannot be read: stop (the default), or skip it and say so")
        ->option_text("POLICY")
        ->check(CLI::IsMember({"stop", "skip"}).description(""));
}

Input read_input(const InputOptions& options) {
    Input input;
    TextReader reader(options);
    while (std::optional<TextRecord> record = reader.next()) {
        input.texts.push_back(std::move(record->text));
        input.records.push_back(std::move(record->record));
    }
    report_skipped(reader.position().skipped);
    return input;
}

std::string read_whole(const std::string& file) {
    InputOptions options;
    options.files = {file};
    options.format = "whole";
    return TextReader(options).next()->text;
}
