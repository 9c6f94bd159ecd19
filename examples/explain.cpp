// Tells which words make a text what it is, and which words of two texts make them alike.
//
//     explain MODEL_FOLDER [TEXT TEXT]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) try {
    if (argc != 2 && argc != 4) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT TEXT]\n", argv[0]);
        return 2;
    }
    const std::string first = argc == 4 ? argv[2] : "The ferry to the island was late.";
    const std::string second = argc == 4 ? argv[3] : "Our boat arrived with a delay.";

    const bert::SentenceEncoder encoder(argv[1]);
    for (const bert::WordContribution& word : bert::word_contributions(encoder, first)) {
        std::printf("%6.3f  %s\n", static_cast<double>(word.change),
                    first.substr(word.span.begin, word.span.end - word.span.begin).c_str());
    }
    const bert::SimilarityContributions alike = bert::similarity_contributions(encoder, first, second);
    bert::Index row = 0;
    bert::Index column = 0;
    alike.contributions.maxCoeff(&row, &column);
    std::printf("cosine %.3f, most of all by \"%s\" and \"%s\"\n", static_cast<double>(alike.cosine),
                alike.first.tokens[static_cast<std::size_t>(row)].c_str(),
                alike.second.tokens[static_cast<std::size_t>(column)].c_str());
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
