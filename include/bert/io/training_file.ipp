// Definitions of io/training_file.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/training_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <locale>
#include <sstream>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE std::optional<double> parse_number(std::string_view text) {
    // Not std::from_chars(), which libc++ has for whole numbers only until its version 20.
    std::istringstream in{std::string(text)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (!(in >> std::noskipws >> value) || !std::isfinite(value) || in.peek() != std::istringstream::traits_type::eof())
        return std::nullopt;
    return value;
}

BERT_INLINE std::vector<TableRow> parse_tsv(std::string_view text) {
    std::vector<TableRow> rows;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view row = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
        if (row.empty()) continue;
        TableRow cells{{}, line};
        for (;;) {
            const std::size_t tab = std::min(row.find('\t'), row.size());
            cells.cells.emplace_back(row.substr(0, tab));
            if (tab == row.size()) break;
            row.remove_prefix(tab + 1);
        }
        rows.push_back(std::move(cells));
    }
    return rows;
}

BERT_INLINE std::vector<TableRow> parse_csv(std::string_view text, const std::filesystem::path& path) {
    std::vector<TableRow> rows;
    TableRow row{{}, 1};
    std::string cell;
    std::size_t line = 1;
    bool quoted = false;
    bool was_quoted = false;
    const auto end_cell = [&] {
        row.cells.push_back(std::move(cell));
        cell.clear();
        was_quoted = false;
    };
    const auto end_row = [&] {
        const bool empty = row.cells.empty() && cell.empty() && !was_quoted;
        if (!empty) {
            end_cell();
            rows.push_back(std::move(row));
        }
        row = {{}, line};
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n') ++line;
        if (quoted) {
            if (c != '"') cell += c;
            else if (at + 1 < text.size() && text[at + 1] == '"') cell += text[++at];
            else quoted = false;
        } else if (c == '"' && cell.empty() && !was_quoted) {
            quoted = was_quoted = true;
        } else if (c == ',') {
            end_cell();
        } else if (c == '\n') {
            end_row();
        } else if (c != '\r' || at + 1 == text.size() || text[at + 1] != '\n') {
            cell += c;
        }
    }
    if (quoted) fail(ErrorKind::format, path, ":", row.line, ": a quote is not closed");
    end_row();
    return rows;
}

/// `where` is named in errors. Errors: format (an empty label).
BERT_INLINE void add_label(TrainingExample& example, std::string label, const std::string& where) {
    if (label.empty()) fail(ErrorKind::format, where, "the label is empty");
    if (example.labels.empty()) example.value = parse_number(label);
    example.labels.push_back(std::move(label));
}

BERT_INLINE std::vector<TrainingExample> examples_of_table(const std::vector<TableRow>& rows,
                                                           const TrainingFileOptions& options,
                                                           const std::filesystem::path& path) {
    if (rows.empty()) fail(ErrorKind::format, path, ": the file is empty: expected a line of column names");
    const std::vector<std::string>& names = rows.front().cells;
    const auto column = [&](const std::string& name, bool required) {
        const auto it = std::find(names.begin(), names.end(), name);
        if (it == names.end() && required) {
            std::string given;
            for (const auto& n : names) given += (given.empty() ? "\"" : ", \"") + n + "\"";
            fail(ErrorKind::format, path, ": there is no column \"", name, "\"; the first line names ", given);
        }
        return static_cast<std::size_t>(it - names.begin());
    };
    const std::size_t text = column(options.text, true);
    const std::size_t label = column(options.label, true);
    const std::size_t pair = column(options.pair, false);
    const std::size_t split = column(options.split, false);

    std::vector<TrainingExample> examples;
    for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
        if (row->cells.size() != names.size()) {
            fail(ErrorKind::format, path, ":", row->line, ": expected ", names.size(), " columns, given ",
                 row->cells.size());
        }
        TrainingExample example;
        example.text = row->cells[text];
        if (pair < names.size()) example.pair = row->cells[pair];
        if (split < names.size()) example.split = row->cells[split];
        const std::string where = path.string() + ":" + std::to_string(row->line) + ": ";
        std::string_view labels = row->cells[label];
        if (options.label_separator.empty()) {
            add_label(example, std::string(labels), where);
        } else {
            while (!labels.empty()) {
                const std::size_t end = std::min(labels.find(options.label_separator), labels.size());
                add_label(example, std::string(labels.substr(0, end)), where);
                labels.remove_prefix(std::min(end + options.label_separator.size(), labels.size()));
            }
        }
        examples.push_back(std::move(example));
    }
    return examples;
}

/// A label as text: strings as they are, numbers and booleans as JSON writes them.
BERT_INLINE std::string label_text(const Json& value, const std::string& where) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_primitive() && !value.is_null()) return value.dump();
    fail(ErrorKind::format, where, "a label should be a text or a number, given ", value.type_name());
}

BERT_INLINE std::vector<std::string> label_texts(const Json& value, const std::string& where) {
    std::vector<std::string> texts;
    if (!value.is_array()) return {label_text(value, where)};
    for (const Json& item : value) texts.push_back(label_text(item, where));
    return texts;
}

BERT_INLINE TrainingExample example_of_json(const Json& object, const TrainingFileOptions& options,
                                            const std::filesystem::path& path, const std::string& where) {
    TrainingExample example;
    if (const Json* const words = find(object, options.words.c_str())) {
        const Json* const tags = find(object, options.tags.c_str());
        if (!words->is_array() || !tags || !tags->is_array() || words->size() != tags->size()) {
            fail(ErrorKind::format, where, "\"", options.words, "\" and \"", options.tags,
                 "\" should be lists of the same length");
        }
        example.words = label_texts(*words, where);
        example.tags = label_texts(*tags, where);
    } else {
        const auto text = get_string(object, options.text.c_str(), path);
        if (!text) fail(ErrorKind::format, where, "expected a text in \"", options.text, "\"");
        const Json* const label = find(object, options.label.c_str());
        if (!label) fail(ErrorKind::format, where, "expected a label in \"", options.label, "\"");
        example.text = *text;
        example.pair = get_string(object, options.pair.c_str(), path);
        for (std::string& name : label_texts(*label, where)) add_label(example, std::move(name), where);
    }
    example.split = get_string(object, options.split.c_str(), path).value_or("");
    return example;
}

BERT_INLINE std::vector<TrainingExample> examples_of_json_lines(std::string_view text,
                                                                const TrainingFileOptions& options,
                                                                const std::filesystem::path& path) {
    std::vector<TrainingExample> examples;
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view row = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        const std::string place = path.string() + ":" + std::to_string(line);
        const std::string where = place + ": ";
        check_json_text(row, place);
        const JsonDocument object = Json::parse(row, nullptr, false);
        if (!object.is_object()) fail(ErrorKind::format, where, "expected a JSON object");
        examples.push_back(example_of_json(object, options, place, where));
    }
    return examples;
}

}  // namespace detail

BERT_INLINE std::vector<TrainingExample> read_training_file(const std::filesystem::path& path,
                                                            const TrainingFileOptions& options) {
    constexpr std::uintmax_t limit = std::uintmax_t{1} << 32;
    const std::string ending = path.extension().string();
    const bool json = ending == ".jsonl" || ending == ".ndjson";
    if (!json && ending != ".tsv" && ending != ".csv") {
        detail::fail(ErrorKind::unsupported, path, ": training files end in .tsv, .csv, .jsonl or .ndjson");
    }
    const std::string content = detail::read_file(path, limit);
    std::string_view text = content;
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);  // byte order mark
    if (json) return detail::examples_of_json_lines(text, options, path);
    return detail::examples_of_table(ending == ".tsv" ? detail::parse_tsv(text) : detail::parse_csv(text, path),
                                     options, path);
}

BERT_NAMESPACE_END
