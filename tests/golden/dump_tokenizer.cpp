// Answers requests of compare_tokenizer.py: reads one JSON object a line, writes one JSON value a line.
// A request holds "load" (a path; opens another tokenizer) or a text to encode, as in tokenizer_json.hpp.
#include <bert/text/tokenizer.hpp>

#include "../unit/text/tokenizer_json.hpp"

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

/// Whether Tokenizer::encode_ids, which does not pad, gives the same windows.
bool encode_ids_agrees(const bert::Tokenizer& tokenizer, const bert::detail::Json& request,
                       const bert::Encoding& encoding) {
    const bert::EncodeOptions options = bert_test::read_options(request.value("options", bert::detail::Json::object()));
    if (options.pad_to) return true;
    const std::string text = request["text"].get<std::string>();
    bert::TokenIds result;
    if (request.contains("pair")) tokenizer.encode_ids(text, request["pair"].get<std::string>(), options, result);
    else tokenizer.encode_ids(text, options, result);
    std::vector<std::int32_t> ids = encoding.ids, type_ids = encoding.type_ids;
    for (const bert::Encoding& further : encoding.overflowing) {
        ids.insert(ids.end(), further.ids.begin(), further.ids.end());
        type_ids.insert(type_ids.end(), further.type_ids.begin(), further.type_ids.end());
    }
    return result.ids == ids && result.type_ids == type_ids && result.truncated == encoding.truncated &&
           result.window_ends.size() == encoding.overflowing.size() + 1;
}

}  // namespace

int main() {
    std::optional<bert::Tokenizer> tokenizer;
    for (std::string line; std::getline(std::cin, line);) {
        bert::detail::Json answer;
        try {
            const auto request = bert::detail::Json::parse(line);
            if (request.contains("load")) {
                tokenizer = bert::Tokenizer::load(request["load"].get<std::string>());
            } else if (request.contains("decode")) {
                answer =
                    tokenizer->decode(request["decode"].get<std::vector<std::int32_t>>(), request["skip"].get<bool>());
            } else {
                const bert::Encoding encoding = bert_test::encode(*tokenizer, request);
                answer = bert_test::to_json(encoding);
                if (!encode_ids_agrees(*tokenizer, request, encoding))
                    answer = "encode_ids gives other ids than encode";
            }
        } catch (const bert::Error& error) {
            answer = std::string("error: ") + error.what();
        }
        std::cout << answer.dump() << '\n';
    }
}
