// Pairs, truncation, windows and padding: whatever the options, a call says what cannot be met, or what it returns is
// consistent, fits the length and, where it was asked for, holds every token of the texts.
#include "fuzz.hpp"

#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using bert_fuzz::require;

const std::deque<bert::Tokenizer>& tokenizers() {
    static const std::deque<bert::Tokenizer> all = [] {
        std::deque<bert::Tokenizer> result;
        // The classic template, none, and one that names the second text first and adds several tokens at once.
        for (const char* name : {"uncased", "no_template", "odd_template"}) {
            result.push_back(
                bert::Tokenizer::load(bert_fuzz::fs::path(BERT_TEST_DATA_DIR) / "tokenizer" / "folders" / name));
        }
        return result;
    }();
    return all;
}

struct Request {
    std::string text;
    std::optional<std::string> pair;
    bert::EncodeOptions options;
};

Request read_request(bert_fuzz::Input& input) {
    Request request;
    auto& options = request.options;
    const std::uint8_t flags = input.byte();
    options.add_special_tokens = flags & 1;
    options.overflowing = flags & 2;
    options.truncation_side = flags & 4 ? bert::Side::left : bert::Side::right;
    options.padding_side = flags & 8 ? bert::Side::left : bert::Side::right;
    options.offset_unit = flags & 16 ? bert::OffsetUnit::code_point : bert::OffsetUnit::byte;
    // Mostly small; the largest sizes there are, too.
    const auto size = [&] {
        const std::size_t value = input.byte();
        return value < 250 ? value % 50 : ~std::size_t{0} - (value - 250);
    };
    if (flags & 32) options.max_length = size();
    options.stride = size();
    if (flags & 64) options.pad_to = std::min<std::size_t>(size(), 100);
    options.truncation = static_cast<bert::TruncationStrategy>(input.below(3));
    request.text = input.text(input.byte());
    // Every window of one text may meet every window of the other.
    if (flags & 128) request.pair = std::string(input.rest().substr(0, 64));
    return request;
}

bert::Encoding encode(const bert::Tokenizer& tokenizer, const Request& request, const bert::EncodeOptions& options) {
    return request.pair ? tokenizer.encode(request.text, *request.pair, options)
                        : tokenizer.encode(request.text, options);
}

void check_consistent(const bert::Encoding& encoding, const Request& request) {
    const std::size_t size = encoding.size();
    require(encoding.type_ids.size() == size && encoding.special_tokens_mask.size() == size &&
                encoding.attention_mask.size() == size && encoding.offsets.size() == size &&
                encoding.tokens.size() == size && encoding.word_ids.size() == size &&
                encoding.sequence_ids.size() == size,
            "all fields have one element a token");
    for (std::size_t i = 0; i < size; ++i) {
        const bool added = encoding.sequence_ids[i] < 0;
        require(added == (encoding.special_tokens_mask[i] != 0), "added tokens belong to no text");
        require(!added || encoding.offsets[i] == bert::Span{}, "added tokens have no place");
        require(added || encoding.sequence_ids[i] == 0 || request.pair, "there are no more texts than given");
        const auto& text = encoding.sequence_ids[i] == 1 ? *request.pair : request.text;
        require(encoding.offsets[i].begin <= encoding.offsets[i].end && encoding.offsets[i].end <= text.size(),
                "offsets lie in the text");
    }
    if (request.options.pad_to) require(size >= *request.options.pad_to, "padding fills up");
}

/// The tokens of text `sequence`, as (id, place).
using Tokens = std::vector<std::pair<std::int32_t, std::size_t>>;
Tokens tokens_of(const bert::Encoding& encoding, int sequence) {
    Tokens tokens;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
        if (encoding.sequence_ids[i] == sequence) tokens.emplace_back(encoding.ids[i], encoding.offsets[i].begin);
    }
    return tokens;
}

void check_request(const bert::Tokenizer& tokenizer, const Request& request) {
    const bert::Encoding encoding = encode(tokenizer, request, request.options);
    std::vector<const bert::Encoding*> windows = {&encoding};
    for (const auto& further : encoding.overflowing) windows.push_back(&further);
    for (const auto* window : windows) check_consistent(*window, request);

    bert::EncodeOptions whole_options = request.options;
    whole_options.max_length.reset();
    whole_options.pad_to.reset();
    const bert::Encoding whole = encode(tokenizer, request, whole_options);
    require(!whole.truncated && whole.overflowing.empty(), "without a limit nothing is cut");
    const std::size_t limit = request.options.max_length.value_or(whole.size());
    const std::size_t padded = request.options.pad_to.value_or(0);
    require(encoding.size() <= std::max(limit, padded), "what remains fits the length");
    require(encoding.truncated == (whole.size() > limit), "truncation is reported");
    require(request.options.overflowing || encoding.overflowing.empty(), "windows come where they are asked for");

    for (const int sequence : {0, 1}) {
        const Tokens all = tokens_of(whole, sequence);
        const bool right = request.options.truncation_side == bert::Side::right;
        const Tokens kept = tokens_of(encoding, sequence);
        require(kept.size() <= all.size() && (right ? std::equal(kept.begin(), kept.end(), all.begin())
                                                    : std::equal(kept.rbegin(), kept.rend(), all.rbegin())),
                "what remains is the kept side of the text");
        if (!request.options.overflowing) continue;
        Tokens seen;
        for (const auto* window : windows) {
            const Tokens part = tokens_of(*window, sequence);
            seen.insert(seen.end(), part.begin(), part.end());
        }
        std::sort(seen.begin(), seen.end());
        for (const auto& token : all) {
            require(std::binary_search(seen.begin(), seen.end(), token), "all windows together hold every token");
        }
    }

    bert::TokenIds ids;
    if (request.pair) tokenizer.encode_ids(request.text, *request.pair, request.options, ids);
    else tokenizer.encode_ids(request.text, request.options, ids);
    require(ids.window_ends.size() == windows.size(), "as many windows of ids as of encodings");
    require(ids.truncated == encoding.truncated && ids.total_tokens == whole.size(), "the same report");
    std::size_t begin = 0;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        std::vector<std::int32_t> expected_ids, expected_types;
        for (std::size_t j = 0; j < windows[i]->size(); ++j) {
            if (windows[i]->attention_mask[j] == 0) continue;  // padding, which ids go without
            expected_ids.push_back(windows[i]->ids[j]);
            expected_types.push_back(windows[i]->type_ids[j]);
        }
        const auto at = [&](const std::vector<std::int32_t>& values, std::size_t from, std::size_t to) {
            return std::vector<std::int32_t>(values.begin() + static_cast<std::ptrdiff_t>(from),
                                             values.begin() + static_cast<std::ptrdiff_t>(to));
        };
        require(at(ids.ids, begin, ids.window_ends[i]) == expected_ids, "the same ids");
        require(at(ids.type_ids, begin, ids.window_ends[i]) == expected_types, "the same types");
        begin = ids.window_ends[i];
    }
}

}  // namespace

BERT_FUZZ_TARGET(encode_options) {
    bert_fuzz::Input input(data, size);
    const bert::Tokenizer& tokenizer = tokenizers()[input.below(tokenizers().size())];
    const Request request = read_request(input);
    bert_fuzz::succeeds([&] { check_request(tokenizer, request); });
}
