// Definitions of io/verification.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/verification.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>

BERT_NAMESPACE_BEGIN

namespace detail {

/// A JSON list of a list for each row, of the numbers of fewest digits that are the same floats.
BERT_INLINE std::string to_text(const Matrix& rows) {
    std::string text;
    for (Index i = 0; i < rows.rows(); ++i) {
        for (Index j = 0; j < rows.cols(); ++j) {
            char number[32] = {};
            std::to_chars(number, number + sizeof number - 1, rows(i, j));
            text.append(j > 0 ? "," : i > 0 ? "],[" : "[[").append(number);
        }
    }
    return text + "]]";
}

/// A list of `rows` (from 1) lists of as many finite numbers. Errors: format.
BERT_INLINE Matrix to_matrix(const Json& json, const char* key, std::size_t rows, const std::filesystem::path& path) {
    const Json* const list = find(json, key);
    bool valid = list && list->is_array() && list->size() == rows;
    const std::size_t cols = valid ? (*list)[0].size() : 0;
    // Before a matrix is made: one long row among short ones asks for more than the file is large.
    const auto is_row = [&](const Json& row) { return row.is_array() && row.size() == cols; };
    valid = valid && cols > 0 && std::all_of(list->begin(), list->end(), is_row);
    Matrix matrix(valid ? static_cast<Index>(rows) : 0, static_cast<Index>(cols));
    for (Index i = 0; valid && i < matrix.rows(); ++i) {
        for (Index j = 0; valid && j < matrix.cols(); ++j) {
            const Json& number = (*list)[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
            const double value = number.is_number() ? number.get<double>() : std::numeric_limits<double>::infinity();
            valid = std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
            if (valid) matrix(i, j) = static_cast<float>(value);
        }
    }
    if (!valid) {
        fail(ErrorKind::format, path, ": \"", key, "\" of the verification should be an embedding for each text");
    }
    return matrix;
}

BERT_INLINE std::string to_text(const Verification& verification) {
    const JsonDocument texts(Json(verification.texts));
    return "{\"texts\":" + texts.dump() + ",\"expected\":" + to_text(verification.expected) +
           ",\"original\":" + to_text(verification.original) + "}";
}

}  // namespace detail

BERT_INLINE std::optional<Verification> load_verification(const ModelArchive& archive) {
    if (archive.verification.empty()) return std::nullopt;
    const auto& path = archive.path;
    const detail::JsonDocument json = detail::parse_json_object(archive.verification, path);
    Verification verification;
    const detail::Json* const texts = detail::find(json, "texts");
    if (!texts || !texts->is_array() || texts->empty()) {
        detail::fail(ErrorKind::format, path, ": \"texts\" of the verification should be a list of texts");
    }
    for (const auto& text : *texts) {
        if (!text.is_string()) detail::wrong_type(path, "texts", "a list of texts", text);
        verification.texts.push_back(text.get<std::string>());
    }
    verification.expected = detail::to_matrix(json, "expected", verification.texts.size(), path);
    verification.original = detail::to_matrix(json, "original", verification.texts.size(), path);
    return verification;
}

BERT_NAMESPACE_END
