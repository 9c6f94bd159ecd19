// Continues prompts with a BERT decoder, printing each token as soon as it is chosen.
//
//     generate MODEL_FOLDER [PROMPT...]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [PROMPT...]\n", argv[0]);
        return 2;
    }
    std::vector<std::string> prompts(argv + 2, argv + argc);
    if (prompts.empty()) prompts = {"the cat sat on", "the bank of the river"};

    const bert::CausalLM model(argv[1]);
    bert::GenerationOptions options;
    options.max_new_tokens = 12;
    options.do_sample = true;
    options.top_p = 0.9;
    options.seed = 7;
    for (const std::string& prompt : prompts) {
        std::printf("%s |", prompt.c_str());
        options.on_token = [&](const bert::GeneratedToken& token) {
            std::printf(" %s", model.tokenizer()->id_to_token(token.id).value_or("?").c_str());
            std::fflush(stdout);
        };
        // A prompt that the sequence goes on from has no [SEP] at its end.
        const auto result = model.generate({prompt}, options, false);
        std::printf("\n    %s\n", result.at(0).at(0).text.c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
