// Prints how likely a text is to follow another.
//
//     next_sentence MODEL_FOLDER [FIRST SECOND]
#include <bert/bert.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <vector>

int main(int argc, char** argv) try {
    if (argc != 2 && argc != 4) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [FIRST SECOND]\n", argv[0]);
        return 2;
    }
    std::vector<bert::TextPair> pairs = {{"the cat sat on the mat.", "it played with the dog."},
                                         {"the cat sat on the mat.", "berlin is the capital of germany."}};
    if (argc == 4) pairs = {{argv[2], argv[3]}};

    const bert::NextSentence model(argv[1]);
    const auto scores = model.score_batch(pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        std::printf("%.3f  %s | %s\n", static_cast<double>(scores[i].probability), pairs[i].first.c_str(),
                    pairs[i].second.c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
