// Answers requests of compare_tokenizer.py: reads one JSON object a line, writes one JSON value a line.
// A request holds "load" (a path; opens another tokenizer) or a text to encode, as in tokenizer_json.hpp.
#include <bert/text/tokenizer.hpp>

#include "../unit/text/tokenizer_json.hpp"

#include <iostream>
#include <optional>
#include <string>
#include <vector>

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
                answer = bert_test::to_json(bert_test::encode(*tokenizer, request));
            }
        } catch (const bert::Error& error) {
            answer = std::string("error: ") + error.what();
        }
        std::cout << answer.dump() << '\n';
    }
}
