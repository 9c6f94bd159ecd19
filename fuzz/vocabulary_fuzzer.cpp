// vocab.txt, given as a file and in a folder. What opens is used on a text.
#include "fuzz.hpp"

#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

BERT_FUZZ_TARGET(vocabulary) {
    static const bert_fuzz::Folder folder;
    const auto file = folder.write("vocab.txt", {reinterpret_cast<const char*>(data), size});
    for (const auto& place : {file, folder.path()}) {
        bert_fuzz::succeeds([&] {
            const bert::Tokenizer tokenizer = bert::Tokenizer::load(place);
            // Every line is a word that the tokenizer should know, or cut into words it knows.
            const bert::Encoding encoding = tokenizer.encode({reinterpret_cast<const char*>(data), size});
            for (std::size_t i = 0; i < encoding.size(); ++i) {
                const auto token = tokenizer.id_to_token(encoding.ids[i]);
                bert_fuzz::require(token.has_value(), "every id has a token");
                bert_fuzz::require(tokenizer.token_to_id(*token) == encoding.ids[i], "tokens and ids are one to one");
                bert_fuzz::require(encoding.offsets[i].end <= size, "offsets lie in the text");
            }
        });
    }
}
