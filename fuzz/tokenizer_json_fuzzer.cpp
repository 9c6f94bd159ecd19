// The files of a tokenizer: tokenizer.json and the small files beside it. The first byte of an input chooses which of
// them it is; what opens is used on a text.
#include "fuzz.hpp"

#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace {

using bert_fuzz::fs::path;

const char* const names[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};

/// A good folder per file name: tokenizer.json counts alone, the others only beside a vocabulary.
const bert_fuzz::Folder& folder() {
    static const bert_fuzz::Folder* const made = [] {
        static const bert_fuzz::Folder all;
        const path golden = path(BERT_TEST_DATA_DIR) / "models" / "sentence" / "transformer";
        for (const char* name : names) {
            all.write(name + std::string("/vocab.txt"), bert_fuzz::read_file(golden / "vocab.txt"));
        }
        all.write("tokenizer.json/tokenizer_config.json", bert_fuzz::read_file(golden / "tokenizer_config.json"));
        return &all;
    }();
    return *made;
}

}  // namespace

BERT_FUZZ_TARGET(tokenizer_json) {
    bert_fuzz::Input input(data, size);
    const std::string name = names[input.below(std::size(names))];
    folder().write(name + "/" + name, input.rest());
    bert_fuzz::succeeds([&] {
        const bert::Tokenizer tokenizer = bert::Tokenizer::load(folder().path() / name);
        const std::string text = "The cat [MASK] sat\xC2\xA0on \xE4\xB8\xAD\xE6\x96\x87, na\xC3\xAFvely. [UNK] \xFF";
        bert::EncodeOptions options;
        options.max_length = 12;
        options.overflowing = true;
        const bert::Encoding one = tokenizer.encode(text);
        for (const auto& span : one.offsets) {
            bert_fuzz::require(span.begin <= span.end && span.end <= text.size(), "offsets lie in the text");
        }
        for (const std::int32_t id : one.ids) {
            bert_fuzz::require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocab_size(), "ids are in range");
            bert_fuzz::require(tokenizer.id_to_token(id).has_value(), "every id has a token");
        }
        tokenizer.decode(one.ids, false);
        bert_fuzz::succeeds([&] { tokenizer.encode(text, "a second text", options); });
    });
}
