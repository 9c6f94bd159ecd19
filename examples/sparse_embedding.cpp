// Embeds documents as weights of words (SPLADE), shows the heaviest words, and compares them with a query.
//
//     sparse_embedding MODEL_FOLDER [QUERY DOCUMENT...]
#include <bert/bert.hpp>

#include <algorithm>
#include <cstddef>
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

    const bert::Splade model(argv[1]);
    const bert::SparseVector wanted = model.encode_query({query}).front();
    const std::vector<bert::SparseVector> vectors = model.encode_document(documents);
    for (std::size_t i = 0; i < documents.size(); ++i) {
        std::printf("%8.3f  %s\n", bert::dot(wanted, vectors[i]), documents[i].c_str());
        const auto words = model.words(vectors[i]);
        for (std::size_t k = 0; k < std::min<std::size_t>(words.size(), 5); ++k) {
            std::printf("%14.3f  %s\n", static_cast<double>(words[k].second), words[k].first.c_str());
        }
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
