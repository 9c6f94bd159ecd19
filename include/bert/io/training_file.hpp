// Labelled examples from TSV, CSV and JSON lines. Depends on io/json.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A text, or two, with what a model should say about it.
struct TrainingExample {
    std::string text;                 ///< not yet tokenized
    std::optional<std::string> pair;  ///< the second text of a pair

    std::vector<std::string> labels;  ///< one for classification, any number for several labels
    std::optional<double> value;      ///< for regression

    std::vector<std::string> words;  ///< for tokens, instead of `text`
    std::vector<std::string> tags;   ///< one per word

    std::string split;  ///< "train", "validation", "test", or empty
};

/// Names of columns (or of members of JSON objects), and how labels are written.
struct TrainingFileOptions {
    std::string text = "text";       ///< field of the text
    std::string pair = "text_pair";  ///< absent in most files
    std::string label = "label";     ///< field of the label
    std::string split = "split";     ///< absent in most files
    std::string words = "tokens";    ///< field of a list of words
    std::string tags = "tags";       ///< field of a list of as many tags
    /// Between the labels of one example in TSV and CSV. (JSON has lists.) Empty: the column is one label.
    std::string label_separator;
};

namespace detail {

std::optional<double> parse_number(std::string_view text);

/// Rows of cells, with the line each begins at.
struct TableRow {
    std::vector<std::string> cells;
    std::size_t line = 0;
};

/// Splits lines at tabs. Nothing is quoted.
std::vector<TableRow> parse_tsv(std::string_view text);

/// Comma-separated values as RFC 4180 writes them: a cell in quotes may hold commas, line feeds and doubled quotes.
/// Errors: format.
std::vector<TableRow> parse_csv(std::string_view text, const std::filesystem::path& path);

}  // namespace detail

/// Reads examples from a file whose name ends in .tsv (tabs, nothing quoted), .csv (RFC 4180) or .jsonl/.ndjson (an
/// object a line). TSV and CSV begin with a line of column names. Empty lines are passed over. JSON objects may have a
/// list of labels, or lists of words and tags for token heads. Errors: file, format (naming the line), unsupported
/// (another ending).
std::vector<TrainingExample> read_training_file(const std::filesystem::path& path,
                                                const TrainingFileOptions& options = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/training_file.ipp>
#endif
