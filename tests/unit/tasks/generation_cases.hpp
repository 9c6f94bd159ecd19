// The recorded calls of tests/golden/decoders, and how results are compared with them.
#pragma once

#include <bert/tasks/causal_lm.hpp>
#include <bert/tasks/generation.hpp>
#include <bert/tasks/seq2seq.hpp>

#include "../test_support.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bert_test {

inline fs::path decoder_models() {
    return data_dir() / "decoders";
}

inline Json decoder_expectations(const std::string& model) {
    return read_json(decoder_models() / (model + ".expected.json"));
}

using Ids = std::vector<std::int32_t>;

/// The options that a call of transformers' generate() was given.
inline bert::GenerationOptions generation_options(const Json& json) {
    bert::GenerationOptions options;
    const auto list = [](const Json& value) { return value.is_array() ? value.get<Ids>() : Ids{value.get<int>()}; };
    for (const auto& [key, value] : json.items()) {
        if (key == "max_length") options.max_length = value.get<int>();
        else if (key == "max_new_tokens") options.max_new_tokens = value.get<int>();
        else if (key == "min_length") options.min_length = value.get<int>();
        else if (key == "min_new_tokens") options.min_new_tokens = value.get<int>();
        else if (key == "num_beams") options.num_beams = value.get<int>();
        else if (key == "num_return_sequences") options.num_return_sequences = value.get<int>();
        else if (key == "early_stopping") {
            options.early_stopping = value == "never" ? bert::EarlyStopping::never
                                     : value == true  ? bert::EarlyStopping::yes
                                                      : bert::EarlyStopping::no;
        } else if (key == "length_penalty") options.length_penalty = value.get<double>();
        else if (key == "use_cache") options.use_cache = value.get<bool>();
        else if (key == "temperature") options.temperature = value.get<double>();
        else if (key == "top_k") options.top_k = value.get<int>();
        else if (key == "top_p") options.top_p = value.get<double>();
        else if (key == "min_p") options.min_p = value.get<double>();
        else if (key == "repetition_penalty") options.repetition_penalty = value.get<double>();
        else if (key == "no_repeat_ngram_size") options.no_repeat_ngram_size = value.get<int>();
        else if (key == "bad_words_ids") options.bad_words_ids = value.get<std::vector<Ids>>();
        else if (key == "suppress_tokens") options.suppress_tokens = list(value);
        else if (key == "begin_suppress_tokens") options.begin_suppress_tokens = list(value);
        else if (key == "forced_bos_token_id") options.forced_bos_token_id = value.get<int>();
        else if (key == "forced_eos_token_id") options.forced_eos_token_id = list(value);
        else if (key == "renormalize_logits") options.renormalize_logits = value.get<bool>();
        else if (key == "eos_token_id") options.eos_token_id = list(value);
        else throw std::runtime_error("test data: unknown option " + key);
    }
    return options;
}

/// Recorded calls with the same options, for several prompts.
struct GenerationCase {
    std::string name;
    Json options;
    std::vector<Ids> prompts;
    std::vector<Json> expected;  // of each prompt
};

inline std::vector<GenerationCase> generation_cases(const std::string& model) {
    std::vector<GenerationCase> cases;
    const Json expectations = decoder_expectations(model);
    for (const Json& one : expectations.at("cases")) {
        if (cases.empty() || cases.back().name != one.at("name"))
            cases.push_back({one.at("name"), one.at("options"), {}, {}});
        cases.back().prompts.push_back(one.at("prompt").get<Ids>());
        cases.back().expected.push_back(one.at("expected"));
    }
    return cases;
}

/// A model of tests/golden/decoders, opened by whichever class it is for.
class Generator {
public:
    explicit Generator(const std::string& model, const bert::LanguageModelOptions& options = {}) {
        if (bert::is_encoder_decoder(decoder_models() / model)) {
            bert::Seq2SeqOptions both;
            static_cast<bert::LanguageModelOptions&>(both) = options;
            seq2seq_.emplace(decoder_models() / model, both);
        } else {
            causal_.emplace(decoder_models() / model, options);
        }
    }

    std::vector<std::vector<bert::GeneratedSequence>> generate_ids(const std::vector<Ids>& prompts,
                                                                   const bert::GenerationOptions& options = {}) const {
        return causal_ ? causal_->generate_ids(prompts, options) : seq2seq_->generate_ids(prompts, options);
    }

    std::vector<std::vector<bert::GeneratedSequence>> generate(const std::vector<std::string>& texts,
                                                               const bert::GenerationOptions& options = {}) const {
        return causal_ ? causal_->generate(texts, options) : seq2seq_->generate(texts, options).sequences;
    }

    const bert::Tokenizer& tokenizer() const { return causal_ ? *causal_->tokenizer() : *seq2seq_->tokenizer(); }

    /// Of the texts that are generated.
    bert::Index vocab_size() const {
        return causal_ ? causal_->model().config().vocab_size : seq2seq_->decoder().config().vocab_size;
    }

private:
    std::optional<bert::CausalLM> causal_;
    std::optional<bert::Seq2Seq> seq2seq_;
};

/// How far a score is from the expected one, as a part of it where it is large: sums of many tokens' scores are.
inline double score_deviation(float given, double expected) {
    return std::abs(expected - static_cast<double>(given)) / std::max(1.0, std::abs(expected));
}

/// Largest deviation of scores; tokens have to be equal.
inline double compare_sequences(const std::vector<bert::GeneratedSequence>& given, const Json& expected,
                                const std::string& what) {
    EXPECT_EQ(given.size(), expected.size()) << what;
    double worst = 0;
    for (std::size_t i = 0; i < std::min(given.size(), expected.size()); ++i) {
        EXPECT_EQ(given[i].tokens, expected[i].at("tokens").get<Ids>()) << what << ", sequence " << i;
        const auto scores = expected[i].at("token_scores").get<std::vector<double>>();
        EXPECT_EQ(given[i].token_scores.size(), scores.size()) << what;
        for (std::size_t j = 0; j < std::min(scores.size(), given[i].token_scores.size()); ++j) {
            worst = std::max(worst, score_deviation(given[i].token_scores[j], scores[j]));
        }
        if (expected[i].contains("score")) {
            worst = std::max(worst, score_deviation(given[i].score, expected[i].at("score").get<double>()));
        }
    }
    return worst;
}

/// Whether two results are the same to the bit.
inline bool same_sequences(const std::vector<bert::GeneratedSequence>& a,
                           const std::vector<bert::GeneratedSequence>& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
               return x.tokens == y.tokens && x.token_scores == y.token_scores && x.score == y.score &&
                      x.text == y.text && x.finish == y.finish;
           });
}

}  // namespace bert_test
