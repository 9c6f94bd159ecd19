// One word, two meanings: a token's embedding depends on the sentence around it.
//
//     contextual_embeddings MODEL_FOLDER
#include <bert/bert.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER\n", argv[0]);
        return 2;
    }
    const std::string word = "bank";
    const std::vector<std::string> sentences = {
        "We walked along the bank of the river.", "The boat lay on the muddy bank of the stream.",
        "She opened an account at the bank.", "The bank raised the interest on its loans."};
    constexpr bert::Index river_sentences = 2;  // the first ones; the others are about money

    const auto tokenizer = bert::Tokenizer::load(argv[1]);
    const auto model = bert::BertModel<float>::load(argv[1]);

    // All sentences in one batch; the word's own row of each.
    bert::Batch batch;
    std::vector<bert::Index> rows;
    for (const std::string& sentence : sentences) {
        const bert::Encoding encoding = tokenizer.encode(sentence);
        const auto token = std::find(encoding.tokens.begin(), encoding.tokens.end(), word);
        if (token == encoding.tokens.end()) throw std::runtime_error("this vocabulary splits \"" + word + "\"");
        rows.push_back(batch.tokens() + (token - encoding.tokens.begin()));
        batch.add(encoding);
    }
    const bert::Matrix hidden = model.forward(batch).last_hidden_state;
    bert::Matrix words(static_cast<bert::Index>(rows.size()), hidden.cols());
    for (std::size_t i = 0; i < rows.size(); ++i) words.row(static_cast<bert::Index>(i)) = hidden.row(rows[i]);
    const bert::Matrix similarity = bert::similarity(words, words, bert::Similarity::cosine);

    float same = 0;
    float different = 0;
    for (bert::Index i = 0; i < similarity.rows(); ++i) {
        for (bert::Index j = 0; j < similarity.cols(); ++j) {
            std::printf("%5.2f ", static_cast<double>(similarity(i, j)));
            if (i < j) ((i < river_sentences) == (j < river_sentences) ? same : different) += similarity(i, j);
        }
        std::printf("  %s\n", sentences[static_cast<std::size_t>(i)].c_str());
    }
    std::printf("\"%s\", same meaning: %.2f, different: %.2f (means of cosines)\n", word.c_str(),
                static_cast<double>(same) / 2, static_cast<double>(different) / 4);
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
