// The tokenizer on texts of any bytes, against the one without short cuts of tests/unit/text: same tokens, and offsets
// that lie in the text and on the boundaries of characters. The first byte of an input chooses the tokenizer.
#include "fuzz.hpp"
#include "text/plain_tokenizer.hpp"

#include <bert/io/tokenizer_folder.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace {

using bert_fuzz::require;

struct Pair {
    explicit Pair(const bert::TokenizerConfig& config) : library(config), strict(config, strictness()), plain(config) {}

    static bert::TokenizerOptions strictness() {
        bert::TokenizerOptions options;
        options.invalid_utf8 = bert::InvalidUtf8::error;
        return options;
    }

    bert::Tokenizer library;
    bert::Tokenizer strict;
    bert_test::PlainTokenizer plain;
};

const std::deque<Pair>& pairs() {
    static const std::deque<Pair> all = [] {
        std::set<bert_fuzz::fs::path> folders;
        for (const auto& entry :
             bert_fuzz::fs::directory_iterator(bert_fuzz::fs::path(BERT_TEST_DATA_DIR) / "tokenizer" / "folders")) {
            if (entry.path().filename() != "ids_with_holes") folders.insert(entry.path());
        }
        std::deque<Pair> result;
        for (const auto& folder : folders) result.emplace_back(bert::load_tokenizer_config(folder));
        return result;
    }();
    return all;
}

void compare(const Pair& pair, const std::string& text) {
    const auto characters = bert_test::PlainTokenizer::decode(text);
    std::vector<std::size_t> boundaries = {0};
    for (const auto& c : characters) boundaries.push_back(c.end);
    const auto index_of = [&](std::size_t position) {
        const auto found = std::lower_bound(boundaries.begin(), boundaries.end(), position);
        require(found != boundaries.end() && *found == position, "offsets are on boundaries of characters");
        return static_cast<std::size_t>(found - boundaries.begin());
    };

    bert::EncodeOptions options;
    options.add_special_tokens = false;
    const bert::Encoding encoding = pair.library.encode(text, options);
    options.offset_unit = bert::OffsetUnit::code_point;
    const bert::Encoding in_characters = pair.library.encode(text, options);
    bert::TokenIds ids;
    pair.library.encode_ids(text, options, ids);
    require(ids.ids == encoding.ids && in_characters.ids == encoding.ids, "all ways to encode give the same ids");

    const auto expected = pair.plain.tokenize(text);
    require(encoding.size() == expected.size(), "as many tokens as the plain tokenizer finds");
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const auto [begin, end] = encoding.offsets[i];
        require(encoding.ids[i] == expected[i].id, "the ids of the plain tokenizer");
        require(begin == expected[i].begin && end == expected[i].end, "the offsets of the plain tokenizer");
        require(static_cast<std::size_t>(encoding.word_ids[i]) == expected[i].word, "the words of the plain tokenizer");
        require(begin <= end && end <= text.size(), "offsets lie in the text");
        require(in_characters.offsets[i] == bert::Span{index_of(begin), index_of(end)}, "both units say the same");
    }
    pair.library.decode(encoding.ids);
    pair.library.decode(encoding.ids, false);

    const bool valid = std::none_of(characters.begin(), characters.end(), [&](const auto& c) {
        return c.code == 0xFFFD && text.compare(c.begin, c.end - c.begin, "\xEF\xBF\xBD") != 0;
    });
    const bool accepted = bert_fuzz::succeeds(
        [&] { require(pair.strict.encode(text, options).ids == encoding.ids, "strict, same ids"); });
    require(accepted == valid, "a strict tokenizer refuses what is not UTF-8, and nothing else");
}

}  // namespace

BERT_FUZZ_TARGET(tokenizer) {
    bert_fuzz::Input input(data, size);
    const Pair& pair = pairs()[input.below(pairs().size())];
    compare(pair, std::string(input.rest()));
}
