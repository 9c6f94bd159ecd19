// Definitions of io/verification.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/verification.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <limits>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE Json to_json(const Matrix& rows) {
    Json json = Json::array();
    for (Index i = 0; i < rows.rows(); ++i) {
        Json row = Json::array();
        for (Index j = 0; j < rows.cols(); ++j) {
            // The number of fewest digits that is the same float; as it stands, a double would show more.
            char text[32] = {};
            std::to_chars(text, text + sizeof text - 1, rows(i, j));
            row.push_back(std::strtod(text, nullptr));
        }
        json.push_back(std::move(row));
    }
    return json;
}

/// A list of `rows` lists of as many finite numbers. Errors: format.
BERT_INLINE Matrix to_matrix(const Json& json, const char* key, std::size_t rows, const std::filesystem::path& path) {
    const Json* const list = find(json, key);
    bool valid = list && list->is_array() && list->size() == rows && (*list)[0].is_array();
    const std::size_t cols = valid ? (*list)[0].size() : 0;
    Matrix matrix(static_cast<Index>(rows), static_cast<Index>(cols));
    for (std::size_t i = 0; valid && i < rows; ++i) {
        const Json& row = (*list)[i];
        valid = row.is_array() && row.size() == cols;
        for (std::size_t j = 0; valid && j < cols; ++j) {
            const double value = row[j].is_number() ? row[j].get<double>() : std::numeric_limits<double>::infinity();
            valid = std::abs(value) <= std::numeric_limits<float>::max();
            if (valid) matrix(static_cast<Index>(i), static_cast<Index>(j)) = static_cast<float>(value);
        }
    }
    if (!valid || cols == 0) {
        fail(ErrorKind::format, path, ": \"", key, "\" of the verification should be an embedding for each text");
    }
    return matrix;
}

BERT_INLINE std::string to_text(const Verification& verification) {
    return Json{{"texts", verification.texts},
                {"expected", to_json(verification.expected)},
                {"original", to_json(verification.original)}}
        .dump();
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
