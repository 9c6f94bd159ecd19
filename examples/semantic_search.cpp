// Finds the sentences closest in meaning to a question, with float, int8 and binary embeddings.
//
//     semantic_search MODEL_FOLDER [QUESTION]
#include <bert/bert.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

void print(const char* name, const std::vector<bert::SearchHit>& hits, const std::vector<std::string>& texts) {
    std::printf("%s\n", name);
    for (const bert::SearchHit& hit : hits) {
        std::printf("  %5.2f  %s\n", static_cast<double>(hit.score),
                    texts[static_cast<std::size_t>(hit.corpus_id)].c_str());
    }
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [QUESTION]\n", argv[0]);
        return 2;
    }
    const std::string question = argc == 3 ? argv[2] : "How do I get my money back?";
    const std::vector<std::string> texts = {"Our shop is open from nine to six.",
                                            "You can return goods within 30 days for a full refund.",
                                            "Parcels are delivered by bicycle in the city.",
                                            "To reset your password, follow the link in the mail.",
                                            "Refunds are paid to the card you used.",
                                            "We bake our bread every morning.",
                                            "Gift cards never expire."};
    const bert::SentenceEncoder encoder(argv[1]);
    const bert::Matrix corpus = encoder.encode_document(texts);
    const bert::Matrix query = encoder.encode_query({question});

    bert::SemanticSearchOptions search;
    search.top_k = 2;
    print("float", bert::semantic_search(query, corpus, search)[0], texts);
    bert::QuantizedSearchOptions quantized;
    quantized.top_k = 2;
    const bert::Matrix ranges = bert::quantization_ranges(corpus);
    print("int8", bert::semantic_search_int8(query, bert::quantize_int8(corpus, ranges), ranges, quantized)[0], texts);
    print("binary", bert::semantic_search_ubinary(query, bert::quantize_ubinary(corpus), quantized)[0], texts);
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
