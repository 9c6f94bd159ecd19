// Puts documents in the order in which they fit a query: with a cross-encoder, which reads both together, or with the
// embeddings of a bi-encoder, which is faster and less exact.
//
//     reranking MODEL_FOLDER [QUERY DOCUMENT...]
#include <bert/bert.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

void print(float score, const std::string& document) {
    std::printf("%7.3f  %s\n", static_cast<double>(score), document.c_str());
}

}  // namespace

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

    const std::vector<bert::Task> tasks = bert::served_tasks(argv[1]);
    if (std::find(tasks.begin(), tasks.end(), bert::Task::reranking) != tasks.end()) {
        const bert::Reranker model(argv[1]);
        for (const bert::RankedDocument& document : model.rank(query, documents)) {
            print(document.score, documents[document.index]);
        }
    } else {
        const bert::SentenceEncoder model(argv[1]);
        bert::SemanticSearchOptions all;
        all.top_k = documents.size();
        const auto hits =
            bert::semantic_search(model.encode_query({query}), model.encode_document(documents), all).front();
        for (const bert::SearchHit& hit : hits) print(hit.score, documents[static_cast<std::size_t>(hit.corpus_id)]);
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
