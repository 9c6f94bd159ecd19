// Prints the likeliest words for each [MASK] of a text, and the perplexity of the text with each of them.
//
//     fill_mask MODEL_FOLDER [TEXT]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT]\n", argv[0]);
        return 2;
    }
    const std::string text = argc > 2 ? argv[2] : "paris is the [MASK] of [MASK].";

    const bert::FillMask model(argv[1]);
    for (const bert::MaskedPlace& place : model.fill(text).masks) {
        std::printf("bytes %zu to %zu:\n", place.span.begin, place.span.end);
        for (const bert::MaskCandidate& candidate : place.candidates) {
            std::printf("  %.3f  %-12s %8.1f  %s\n", static_cast<double>(candidate.score), candidate.token.c_str(),
                        model.perplexity(candidate.sequence).perplexity, candidate.sequence.c_str());
        }
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
