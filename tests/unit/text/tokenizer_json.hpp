// Options and encodings as JSON, in the form the scripts of tests/golden write them. For tests only.
#pragma once

#include <bert/io/json.hpp>
#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace bert_test {

inline bert::EncodeOptions read_options(const bert::detail::Json& json) {
    bert::EncodeOptions options;
    options.add_special_tokens = json.value("add_special_tokens", true);
    if (json.contains("max_length")) options.max_length = json["max_length"].get<std::size_t>();
    const std::string strategy = json.value("truncation", "longest_first");
    options.truncation = strategy == "only_first"    ? bert::TruncationStrategy::only_first
                         : strategy == "only_second" ? bert::TruncationStrategy::only_second
                                                     : bert::TruncationStrategy::longest_first;
    const auto side = [&](const char* key) {
        return json.value(key, "right") == std::string("left") ? bert::Side::left : bert::Side::right;
    };
    options.truncation_side = side("truncation_side");
    options.stride = json.value("stride", std::size_t{0});
    options.overflowing = json.value("overflowing", false);
    if (json.contains("pad_to")) options.pad_to = json["pad_to"].get<std::size_t>();
    options.padding_side = side("padding_side");
    options.offset_unit = json.value("offset_unit", "byte") == std::string("byte") ? bert::OffsetUnit::byte
                                                                                   : bert::OffsetUnit::code_point;
    return options;
}

/// One array per token: [id, begin, end, token, word], and [sequence, type id, special, attention] unless 0, 0, 0, 1.
inline bert::detail::Json tokens_to_json(const bert::Encoding& encoding) {
    bert::detail::Json rows = bert::detail::Json::array();
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        bert::detail::Json row = {encoding.ids[i], encoding.offsets[i].begin, encoding.offsets[i].end,
                                  encoding.tokens[i], encoding.word_ids[i]};
        if (encoding.sequence_ids[i] != 0 || encoding.type_ids[i] != 0 || encoding.special_tokens_mask[i] != 0 ||
            encoding.attention_mask[i] != 1) {
            row.push_back(encoding.sequence_ids[i]);
            row.push_back(encoding.type_ids[i]);
            row.push_back(encoding.special_tokens_mask[i]);
            row.push_back(encoding.attention_mask[i]);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

/// The windows of an encoding, the first being what remains of the text.
inline bert::detail::Json to_json(const bert::Encoding& encoding) {
    bert::detail::Json windows = bert::detail::Json::array({tokens_to_json(encoding)});
    for (const bert::Encoding& further : encoding.overflowing) windows.push_back(tokens_to_json(further));
    return windows;
}

inline bert::Encoding encode(const bert::Tokenizer& tokenizer, const bert::detail::Json& request) {
    const std::string text = request["text"].get<std::string>();
    const bert::EncodeOptions options = read_options(request.value("options", bert::detail::Json::object()));
    if (!request.contains("pair")) return tokenizer.encode(text, options);
    return tokenizer.encode(text, request["pair"].get<std::string>(), options);
}

}  // namespace bert_test
