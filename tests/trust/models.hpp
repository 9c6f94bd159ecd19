// Small models and texts for the tests of this folder, and how long these run.
#pragma once

#include "../unit/test_support.hpp"

#include <bert/nn/batch.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace bert_test {

/// `usual`, or `many` where the environment variable BERT_TEST_LONG is set, as tools/check.sh --long does.
inline std::size_t rounds(std::size_t usual, std::size_t many) {
    return std::getenv("BERT_TEST_LONG") ? many : usual;
}

/// A folder of tests/golden/heads, decoders or models, with another laid over it where one is named.
class GoldenFolder {
public:
    explicit GoldenFolder(const fs::path& folder, const fs::path& overlay = {}) {
        copy_into(data_dir() / folder, path());
        if (!overlay.empty()) copy_into(data_dir() / overlay, path());
    }

    const fs::path& path() const { return folder_.path(); }

private:
    TempFolder folder_;
};

/// A text of up to `words` words that the vocabularies of tests/golden know, more or less.
inline std::string random_text(Random& random, std::size_t words) {
    const std::vector<std::string> known = {"the", "cat", "sat",  "on",   "mat",   "na\u00EFve", "\u4E2D\u6587", ".",
                                            "a",   "dog", "runs", "fast", "[UNK]", "unaffable",  "Paris",        "?"};
    std::string text;
    for (std::size_t count = random.below(words + 1); count > 0; --count)
        text += known[random.below(known.size())] + " ";
    return text;
}

/// The ids of a text of 1 to `most` tokens for a model of `vocab` words.
inline std::vector<std::int32_t> random_ids(Random& random, std::size_t most, std::size_t vocab) {
    std::vector<std::int32_t> ids(1 + random.below(most));
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(vocab));
    return ids;
}

}  // namespace bert_test
