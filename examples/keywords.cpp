// Finds the words and phrases closest to the meaning of a text.
//
//     keywords MODEL_FOLDER [TEXT]
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
                  : "Solar power has become the cheapest source of new electricity. Solar panels are cheap, and "
                    "batteries store their power for the night.";
    const bert::KeywordExtractor extractor(argv[1]);
    bert::KeywordOptions options;
    options.max_ngram = 2;
    options.method = bert::KeywordDiversity::mmr;
    for (const bert::Keyword& keyword : extractor.extract(text, options).keywords) {
        std::printf("%.2f  %s (first at byte %zu)\n", static_cast<double>(keyword.score), keyword.text.c_str(),
                    keyword.spans.front().begin);
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
