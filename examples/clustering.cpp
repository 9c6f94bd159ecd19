// Finds the sentences that say the same: the closest pairs, and groups of any size.
//
//     clustering MODEL_FOLDER
#include <bert/bert.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER\n", argv[0]);
        return 2;
    }
    const std::vector<std::string> texts = {
        "How do I reset my password?",     "When does the shop open?",  "I forgot my password.",
        "What are your opening hours?",    "Can I pay by card?",        "My password does not work any more.",
        "At what time do you open today?", "The parcel arrived broken."};
    const bert::Matrix embeddings = bert::SentenceEncoder(argv[1]).encode(texts);

    bert::ParaphraseMiningOptions mining;
    mining.max_pairs = 2;
    for (const bert::ParaphrasePair& pair : bert::paraphrase_mining(embeddings, mining)) {
        std::printf("%.2f  %s | %s\n", static_cast<double>(pair.score),
                    texts[static_cast<std::size_t>(pair.first)].c_str(),
                    texts[static_cast<std::size_t>(pair.second)].c_str());
    }
    bert::CommunityOptions communities;
    communities.threshold = 0.5f;
    communities.min_community_size = 2;
    for (const std::vector<bert::Index>& community : bert::community_detection(embeddings, communities)) {
        std::printf("%d alike\n", static_cast<int>(community.size()));
        for (const bert::Index row : community) std::printf("  %s\n", texts[static_cast<std::size_t>(row)].c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
