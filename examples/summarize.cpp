// Chooses the sentences that say most of a text.
//
//     summarize MODEL_FOLDER [TEXT]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) try {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT]\n", argv[0]);
        return 2;
    }
    const std::string text =
        argc == 3 ? argv[2]
                  : "Solar power has become the cheapest source of new electricity in much of the world. Prices of "
                    "panels fell by nine tenths within a decade. Dr. Lee of the energy agency calls the change "
                    "historic. Wind power is growing too, though more slowly. My neighbour's cat likes to sleep on "
                    "warm roofs. Storage remains the hard part: the sun does not shine at night. In many countries "
                    "solar plants are now cheaper than burning coal.";
    const bert::Summarizer summarizer(argv[1]);
    const bert::Summary summary = summarizer.summarize(text);
    std::printf("%zu of %zu sentences\n", summary.sentences.size(), summary.total_sentences);
    for (const bert::SummarySentence& sentence : summary.sentences) {
        std::printf("bytes %3zu to %3zu, centrality %.3f: %s\n", sentence.span.begin, sentence.span.end,
                    sentence.centrality, sentence.text.c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
