// Prints how alike sentences are in meaning.
//
//     sentence_embedding MODEL_FOLDER [SENTENCE...]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [SENTENCE...]\n", argv[0]);
        return 2;
    }
    std::vector<std::string> sentences(argv + 2, argv + argc);
    if (sentences.empty()) {
        sentences = {"A man is playing a guitar on stage.", "Somebody performs music in front of an audience.",
                     "The stock market fell sharply today.", "Shares lost a great deal of their value.",
                     "The cat sleeps on the warm windowsill."};
    }

    const bert::SentenceEncoder encoder(argv[1]);
    const bert::SentenceEmbeddings result = encoder.embed(sentences);
    const bert::Matrix similarity = encoder.similarity(result.embeddings, result.embeddings);

    for (bert::Index row = 0; row < similarity.rows(); ++row) {
        std::printf("%3d", static_cast<int>(row + 1));
        for (bert::Index column = 0; column < similarity.cols(); ++column) {
            std::printf(" %5.2f", static_cast<double>(similarity(row, column)));
        }
        const auto at = static_cast<std::size_t>(row);
        std::printf("  %s%s\n", sentences[at].c_str(), result.texts[at].truncated ? " (its end was cut off)" : "");
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
