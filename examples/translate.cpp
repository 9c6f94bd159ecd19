// Translates or summarises texts with an encoder and a decoder, showing the best beams.
//
//     translate MODEL_FOLDER [TEXT...]
#include <bert/bert.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT...]\n", argv[0]);
        return 2;
    }
    std::vector<std::string> texts(argv + 2, argv + argc);
    if (texts.empty()) texts = {"The cat sat on the mat.", "It was money in the bank of the river."};

    bert::Seq2SeqOptions open;
    open.truncate = true;
    const bert::Seq2Seq model(argv[1], open);
    bert::GenerationOptions options;
    options.num_beams = 4;
    options.num_return_sequences = 2;
    options.max_new_tokens = 20;
    options.no_repeat_ngram_size = 3;
    const bert::Seq2SeqResult result = model.generate(texts, options);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        std::printf("%s%s\n", texts[i].c_str(), result.sources[i].truncated ? " (its end was cut off)" : "");
        for (const bert::GeneratedSequence& sequence : result.sequences[i]) {
            std::printf("%8.3f  %s\n", static_cast<double>(sequence.score), sequence.text.c_str());
        }
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
