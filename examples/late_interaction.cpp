// Scores documents by late interaction: every token of the query looks for its best match (ColBERT).
//
//     late_interaction MODEL_FOLDER [QUERY DOCUMENT...]
#include <bert/bert.hpp>

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

    const bert::Colbert model(argv[1]);
    const auto vectors = model.encode_document(documents);  // worth keeping: queries are compared with them alone
    const bert::Matrix scores = model.scores(model.encode_query({query}), vectors);
    for (std::size_t i = 0; i < documents.size(); ++i) {
        std::printf("%7.3f  %2d vectors  %s\n", static_cast<double>(scores(0, static_cast<bert::Index>(i))),
                    static_cast<int>(vectors[i].vectors.rows()), documents[i].c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
