// Puts documents in the order in which they fit a query, with a cross-encoder.
//
//     reranking MODEL_FOLDER [QUERY DOCUMENT...]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2 || argc == 3) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [QUERY DOCUMENT...]\n", argv[0]);
        return 2;
    }
    std::string query = "who lives in paris?";
    std::vector<std::string> documents = {"the cat sat on the mat.", "anna lives in paris.", "berlin is a city."};
    if (argc > 3) {
        query = argv[2];
        documents.assign(argv + 3, argv + argc);
    }

    const bert::Reranker model(argv[1]);
    for (const bert::RankedDocument& document : model.rank(query, documents)) {
        std::printf("%7.3f  %s\n", static_cast<double>(document.score), documents[document.index].c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
