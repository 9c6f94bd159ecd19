// The logic of generation by itself: settings, processors, beams and draws over made-up models.
#include <bert/tasks/generation.hpp>

#include "../test_support.hpp"
#include "generation_cases.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

using bert::Continuation;
using bert::ErrorKind;
using bert::GeneratedSequence;
using bert::GenerationConfig;
using bert::GenerationOptions;
using bert::Index;
using namespace bert_test;

namespace {

constexpr Index vocabulary = 12;
constexpr std::int32_t end_token = 1;

/// A model whose logits depend on the whole sequence through a function, and that keeps histories as a cache would.
class FunctionModel {
public:
    using Function = std::function<float(const Ids& sequence, std::int32_t next)>;

    explicit FunctionModel(Function function) : function_(std::move(function)) {}

    void step(const std::vector<Continuation>& rows, bert::Rows<float> logits) {
        ++steps;
        most_rows = std::max(most_rows, rows.size());
        std::vector<Ids> next;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            Ids sequence;
            if (rows[i].parent != Continuation::no_parent) sequence = histories_.at(rows[i].parent);
            sequence.insert(sequence.end(), rows[i].tokens.begin(), rows[i].tokens.end());
            EXPECT_LE(static_cast<Index>(sequence.size()), rows[i].max_tokens);
            for (Index token = 0; token < vocabulary; ++token) {
                logits(static_cast<Index>(i), token) = function_(sequence, static_cast<std::int32_t>(token));
            }
            next.push_back(std::move(sequence));
        }
        histories_ = std::move(next);
    }

    std::size_t steps = 0;
    std::size_t most_rows = 0;

private:
    Function function_;
    std::vector<Ids> histories_;
};

/// Logits that look random, the same on every machine.
float hashed(const Ids& sequence, std::int32_t next) {
    std::uint64_t h = 1469598103934665603u;
    for (const std::int32_t token : sequence) h = (h ^ static_cast<std::uint64_t>(token + 7)) * 1099511628211u;
    h = (h ^ static_cast<std::uint64_t>(next + 1)) * 1099511628211u;
    h ^= h >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    return static_cast<float>(h >> 40) / 4194304.0f;  // [0, 4)
}

std::vector<std::vector<GeneratedSequence>> run(FunctionModel& model, const std::vector<Ids>& prompts,
                                                const GenerationOptions& options, Index positions = 64) {
    GenerationConfig folder;
    folder.eos_token_id = Ids{end_token};
    return bert::generate(model, prompts, options, folder, {vocabulary, positions, positions});
}

std::vector<GeneratedSequence> run_one(const FunctionModel::Function& function, const Ids& prompt,
                                       const GenerationOptions& options) {
    FunctionModel model(function);
    return run(model, {prompt}, options).at(0);
}

/// Log-probabilities of all continuations of exactly `length` tokens, or ended before, by trying them all.
void enumerate(const Ids& sequence, std::size_t length, double score, std::map<Ids, double>& out, std::size_t begin) {
    const std::size_t made = sequence.size() - begin;
    if (made == length || (made > 0 && sequence.back() == end_token)) {
        out[Ids(sequence.begin() + static_cast<std::ptrdiff_t>(begin), sequence.end())] = score;
        return;
    }
    double sum = 0;
    for (std::int32_t t = 0; t < vocabulary; ++t) sum += std::exp(static_cast<double>(hashed(sequence, t)));
    for (std::int32_t t = 0; t < vocabulary; ++t) {
        Ids longer = sequence;
        longer.push_back(t);
        enumerate(longer, length, score + static_cast<double>(hashed(sequence, t)) - std::log(sum), out, begin);
    }
}

TEST(BeamSearch, WithRoomForAllFindsTheBestSequences) {
    std::map<Ids, double> all;
    enumerate({5, 6}, 3, 0, all, 2);
    for (const double penalty : {0.0, 1.0, 2.0}) {
        std::vector<std::pair<double, Ids>> ranked;
        for (const auto& [tokens, score] : all) {
            ranked.emplace_back(score / std::pow(static_cast<double>(tokens.size()), penalty), tokens);
        }
        std::sort(ranked.rbegin(), ranked.rend());
        GenerationOptions options;
        options.num_beams = 12;
        options.num_return_sequences = 5;
        options.max_new_tokens = 3;
        options.early_stopping = bert::EarlyStopping::never;
        options.length_penalty = penalty;
        // 12 beams hold all second tokens; of the third step's candidates no more than the best can be missed.
        const auto results = run_one(hashed, {5, 6}, options);
        ASSERT_EQ(results.size(), 5u);
        EXPECT_EQ(results[0].tokens, ranked[0].second) << penalty;
        for (std::size_t i = 0; i < results.size(); ++i) {
            EXPECT_NEAR(results[i].score,
                        all.at(results[i].tokens) / std::pow(static_cast<double>(results[i].tokens.size()), penalty),
                        1e-5);
            EXPECT_LE(results[i].score, results[i > 0 ? i - 1 : 0].score);
        }
    }
}

TEST(BeamSearch, EndsWhenItsStoppingRuleSaysSo) {
    // The end token is good at first and worse from step to step; everything else is hopeless.
    const auto function = [](const Ids& sequence, std::int32_t next) {
        if (next == end_token) return 5.0f - static_cast<float>(sequence.size());
        return next == 2 ? 1.0f : -6.0f;
    };
    std::map<bert::EarlyStopping, std::size_t> steps;
    for (const auto rule : {bert::EarlyStopping::no, bert::EarlyStopping::yes, bert::EarlyStopping::never}) {
        FunctionModel model(function);
        GenerationOptions options;
        options.num_beams = 2;
        options.max_new_tokens = 30;
        options.early_stopping = rule;
        options.length_penalty = 1.0;
        run(model, {{5}}, options);
        steps[rule] = model.steps;
    }
    EXPECT_EQ(steps[bert::EarlyStopping::yes], 2u);
    EXPECT_LT(steps[bert::EarlyStopping::yes], steps[bert::EarlyStopping::never]);
    EXPECT_LE(steps[bert::EarlyStopping::no], steps[bert::EarlyStopping::never]);
}

TEST(Generation, PromptsOfOneCallDoNotSeeEachOther) {
    std::vector<Ids> prompts;
    for (std::int32_t i = 0; i < 9; ++i) prompts.push_back(Ids(static_cast<std::size_t>(1 + i % 5), 2 + i));
    for (const Index beams : {1, 3}) {
        for (const bool sample : {false, true}) {
            GenerationOptions options;
            options.num_beams = beams;
            options.do_sample = sample;
            options.num_return_sequences = sample || beams > 1 ? 3 : 1;
            options.max_new_tokens = 12;
            options.seed = 17;
            FunctionModel model(hashed);
            const auto together = run(model, prompts, options);
            EXPECT_GT(model.most_rows, 8u * static_cast<std::size_t>(*options.num_return_sequences));
            options.token_budget = 60;
            FunctionModel bounded(hashed);
            const auto in_groups = run(bounded, prompts, options);
            EXPECT_LT(bounded.most_rows, model.most_rows);
            for (std::size_t i = 0; i < prompts.size(); ++i) {
                EXPECT_TRUE(same_sequences(together[i], in_groups[i]));
                EXPECT_TRUE(same_sequences(together[i], run_one(hashed, prompts[i], options)));
            }
        }
    }
}

TEST(Generation, ReportsProgressAndWhySequencesEnd) {
    const auto ends_after_three = [](const Ids& sequence, std::int32_t next) {
        return next == (sequence.size() < 4 ? 7 : end_token) ? 3.0f : 0.0f;
    };
    GenerationOptions options;
    options.max_new_tokens = 2;
    std::vector<std::size_t> done;
    options.progress = [&](std::size_t now, std::size_t total) {
        EXPECT_EQ(total, 2u);
        done.push_back(now);
    };
    FunctionModel model(ends_after_three);
    const auto results = run(model, {{5}, {5, 5, 5}}, options);
    EXPECT_EQ(results[0][0].tokens, (Ids{7, 7}));
    EXPECT_EQ(results[0][0].finish, bert::FinishReason::length);
    EXPECT_EQ(results[1][0].tokens, (Ids{7, end_token}));
    EXPECT_EQ(results[1][0].finish, bert::FinishReason::end_token);
    EXPECT_EQ(done, (std::vector<std::size_t>{0, 0, 2}));
    EXPECT_NEAR(results[0][0].score, (results[0][0].token_scores[0] + results[0][0].token_scores[1]) / 2, 1e-6);
}

// ------------------------------------------------------------------------------------------------------------ sampling

/// Chi-squared statistic of `draws` first tokens against the probabilities, and the number of kept tokens.
std::pair<double, std::size_t> chi_squared(const std::map<std::int32_t, std::size_t>& counts,
                                           const std::map<std::int32_t, double>& probabilities, std::size_t draws) {
    double sum = 0;
    for (const auto& [token, p] : probabilities) {
        const auto found = counts.find(token);
        const double expected = p * static_cast<double>(draws);
        const double seen = found == counts.end() ? 0 : static_cast<double>(found->second);
        sum += (seen - expected) * (seen - expected) / expected;
    }
    return {sum, probabilities.size()};
}

TEST(Sampling, FollowsTheDistribution) {
    GenerationOptions options;
    options.do_sample = true;
    options.max_new_tokens = 1;
    options.top_k = 0;
    options.num_return_sequences = 4000;
    std::map<std::int32_t, double> p;
    double sum = 0;
    for (std::int32_t t = 0; t < vocabulary; ++t) sum += p[t] = std::exp(static_cast<double>(hashed({5}, t)));
    for (auto& [token, value] : p) value /= sum;
    std::map<std::int32_t, std::size_t> counts;
    const auto results = run_one(hashed, {5}, options);
    for (const auto& sequence : results) ++counts[sequence.tokens[0]];
    // 11 degrees of freedom: above 31.3 once in a thousand seeds, and the seed is fixed.
    EXPECT_LT(chi_squared(counts, p, results.size()).first, 31.3);
    for (const auto& sequence : results) {
        EXPECT_NEAR(sequence.token_scores[0], std::log(p.at(sequence.tokens[0])), 1e-5);
    }
}

TEST(Sampling, OfBeamsFollowsTheDistributionWithoutRepeats) {
    // The two sequences drawn first: token i is among them with probability p_i + sum_j p_j p_i/(1 - p_j).
    std::map<std::int32_t, double> p;
    double sum = 0;
    for (std::int32_t t = 0; t < vocabulary; ++t) sum += p[t] = std::exp(static_cast<double>(hashed({5}, t)));
    for (auto& [token, value] : p) value /= sum;
    std::map<std::int32_t, std::size_t> counts;
    constexpr std::size_t draws = 3000;
    for (std::size_t i = 0; i < draws; ++i) {
        GenerationOptions options;
        options.do_sample = true;
        options.num_beams = 2;
        options.num_return_sequences = 2;
        options.max_new_tokens = 1;
        options.top_k = 0;
        options.eos_token_id = Ids{};
        options.seed = i;
        const auto results = run_one(hashed, {5}, options);
        ASSERT_EQ(results.size(), 2u);
        EXPECT_NE(results[0].tokens, results[1].tokens);
        EXPECT_GE(results[0].score, results[1].score);
        for (const auto& sequence : results) ++counts[sequence.tokens[0]];
    }
    for (const auto& [token, probability] : p) {
        double expected = probability;
        for (const auto& [first, of_first] : p) {
            if (first != token) expected += of_first * probability / (1 - of_first);
        }
        EXPECT_NEAR(static_cast<double>(counts[token]) / draws, expected,
                    5 * std::sqrt(expected * (1 - expected) / draws))
            << token;
    }
}

TEST(Sampling, RepeatsWithItsSeedAlone) {
    GenerationOptions options;
    options.do_sample = true;
    options.max_new_tokens = 10;
    options.num_return_sequences = 4;
    std::set<Ids> different;
    for (const std::uint64_t seed : {0u, 1u, 2u}) {
        options.seed = seed;
        const auto once = run_one(hashed, {5, 6}, options);
        EXPECT_TRUE(same_sequences(once, run_one(hashed, {5, 6}, options)));
        for (const auto& sequence : once) different.insert(sequence.tokens);
    }
    EXPECT_EQ(different.size(), 12u);
    // The first sequences do not depend on how many are asked for.
    const auto four = run_one(hashed, {5, 6}, options);
    options.num_return_sequences = 2;
    const auto two = run_one(hashed, {5, 6}, options);
    EXPECT_EQ(two[1].tokens, four[1].tokens);
}

TEST(Sampling, ProcessedDistributionsEqualTransformers) {
    // What is recorded of a real model are the probabilities after temperature, top-k and the like; from those of the
    // plain run, all others follow.
    for (const char* name : {"causal_lm", "seq2seq"}) {
        const Json expectations = decoder_expectations(name);
        std::map<Ids, std::vector<float>> plain;
        for (const Json& one : expectations.at("sampling")) {
            if (!one.at("options").contains("top_k") || one.at("options").at("top_k") != 0) continue;
            if (one.at("options").size() != 1) continue;
            std::vector<float> logits;
            for (const auto& [token, p] : one.at("probabilities").items()) {
                logits.resize(static_cast<std::size_t>(std::stoul(token)) + 1, -30.0f);
                logits.back() = static_cast<float>(std::log(p.get<double>()));
            }
            plain[one.at("prompt").get<Ids>()] = logits;
        }
        ASSERT_EQ(plain.size(), 2u) << name;
        for (const Json& one : expectations.at("sampling")) {
            GenerationOptions options = generation_options(one.at("options"));
            if (options.repetition_penalty) continue;  // depends on what is added to all logits alike
            options.do_sample = true;
            std::vector<float> scores = plain.at(one.at("prompt").get<Ids>());
            const auto settings = bert::detail::settle(options, {}, {static_cast<Index>(scores.size()), 64, 64}, 0, 1);
            bert::detail::LogitsProcessors(settings).apply({5}, scores);
            const std::vector<double> p = bert::detail::probabilities_of(scores);
            std::size_t kept = 0;
            for (std::size_t token = 0; token < p.size(); ++token) {
                if (p[token] < 1e-8) continue;
                ++kept;
                const auto expected = one.at("probabilities").find(std::to_string(token));
                ASSERT_NE(expected, one.at("probabilities").end()) << name << " " << one.at("options").dump();
                EXPECT_NEAR(p[token], expected->get<double>(), 2e-6) << one.at("options").dump();
            }
            EXPECT_EQ(kept, one.at("probabilities").size()) << name << " " << one.at("options").dump();
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ settings

TEST(GenerationOptions, OutOfRangeAreNamed) {
    const auto refuses = [](const char* part, const auto& change) {
        GenerationOptions options;
        change(options);
        expect_error(ErrorKind::input, {part}, [&] { run_one(hashed, {5}, options); });
    };
    refuses("num_beams", [](auto& o) { o.num_beams = 0; });
    refuses("num_beams", [](auto& o) { o.num_beams = -3; });
    refuses("num_beams", [](auto& o) { o.num_beams = 13; });
    refuses("num_return_sequences", [](auto& o) { o.num_return_sequences = 0; });
    refuses("num_return_sequences", [](auto& o) { o.num_return_sequences = 2; });
    refuses("num_return_sequences", [](auto& o) { o.num_beams = 2, o.num_return_sequences = 3; });
    refuses("max_new_tokens", [](auto& o) { o.max_new_tokens = 0; });
    refuses("max_new_tokens", [](auto& o) { o.max_new_tokens = 1000; });
    refuses("max_new_tokens", [](auto& o) { o.max_new_tokens = std::numeric_limits<Index>::max(); });
    refuses("prompt 0", [](auto& o) { o.max_length = 1; });
    refuses("prompt 0", [](auto& o) { o.max_length = -1; });
    refuses("min_length", [](auto& o) { o.min_length = -1; });
    refuses("min_new_tokens", [](auto& o) { o.min_new_tokens = -1; });
    refuses("length_penalty", [](auto& o) { o.length_penalty = std::numeric_limits<double>::infinity(); });
    refuses("repetition_penalty", [](auto& o) { o.repetition_penalty = 0; });
    refuses("repetition_penalty", [](auto& o) { o.repetition_penalty = std::nan(""); });
    refuses("no_repeat_ngram_size", [](auto& o) { o.no_repeat_ngram_size = -1; });
    refuses("temperature", [](auto& o) { o.do_sample = true, o.temperature = 0; });
    refuses("top_k", [](auto& o) { o.do_sample = true, o.top_k = -1; });
    refuses("top_p", [](auto& o) { o.do_sample = true, o.top_p = 1.5; });
    refuses("min_p", [](auto& o) { o.do_sample = true, o.min_p = -0.1; });
    refuses("forced_bos_token_id", [](auto& o) { o.forced_bos_token_id = 12; });
    refuses("forced_bos_token_id", [](auto& o) { o.forced_bos_token_id = -1; });
    refuses("forced_eos_token_id", [](auto& o) { o.forced_eos_token_id = Ids{1, 99}; });
    refuses("suppress_tokens", [](auto& o) { o.suppress_tokens = Ids{12}; });
    refuses("begin_suppress_tokens", [](auto& o) { o.begin_suppress_tokens = Ids{-2}; });
    refuses("bad_words_ids", [](auto& o) { o.bad_words_ids = std::vector<Ids>{{3}, {4, 12}}; });
    refuses("bad_words_ids", [](auto& o) { o.bad_words_ids = std::vector<Ids>{{}}; });
    refuses("forced_bos_token_id", [](auto& o) { o.forced_bos_token_id = 3, o.suppress_tokens = Ids{3}; });
    refuses("forced_eos_token_id", [](auto& o) { o.forced_eos_token_id = Ids{1}, o.suppress_tokens = Ids{1, 2}; });
    refuses("every token", [](auto& o) { o.suppress_tokens = Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; });
    refuses("every token",
            [](auto& o) { o.suppress_tokens = Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, o.num_beams = 2; });
    expect_error(ErrorKind::input, {"not finite"}, [] {
        run_one([](const Ids&, std::int32_t next) { return next == 3 ? std::nanf("") : 0.0f; }, {5}, {});
    });
}

TEST(GenerationOptions, UnsetOnesFollowTheFolder) {
    GenerationConfig folder;
    folder.max_new_tokens = 4;
    folder.eos_token_id = Ids{end_token};
    folder.suppress_tokens = Ids{end_token};
    const bert::GenerationLimits limits{vocabulary, 8, 8};
    const auto length = [&](const GenerationOptions& options, const Ids& prompt) {
        FunctionModel model(hashed);
        return bert::generate(model, {prompt}, options, folder, limits).at(0).at(0).tokens.size();
    };
    GenerationOptions options;
    EXPECT_EQ(length(options, {5}), 4u);
    options.max_length = 3;  // max_new_tokens goes before it, whoever sets it
    EXPECT_EQ(length(options, {5}), 4u);
    folder.max_new_tokens.reset();
    EXPECT_EQ(length(options, {5}), 2u);
    options.max_length.reset();
    EXPECT_EQ(length(options, {5}), 7u);  // the default, 20 more, stops at the model's positions
    folder.max_length = 100;              // and so does a folder's setting, one token later: it is not read any more
    EXPECT_EQ(length(options, {5}), 8u);
    options.suppress_tokens = Ids{};
    options.eos_token_id = Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    EXPECT_EQ(length(options, {5}), 1u);
}

TEST(GenerationConfig, IsReadFromItsFile) {
    const TempFolder folder;
    const auto path = folder.path() / "generation_config.json";
    write_json(path, {{"max_length", 30},
                      {"early_stopping", "never"},
                      {"eos_token_id", {3, 4}},
                      {"forced_eos_token_id", 3},
                      {"bad_words_ids", {{1}, {2, 3}}},
                      {"top_p", 0.5},
                      {"do_sample", true},
                      {"pad_token_id", nullptr},
                      {"num_beam_groups", 1},
                      {"transformers_version", "5"}});
    const GenerationConfig config = bert::load_generation_config(folder.path());
    EXPECT_EQ(config.max_length, 30);
    EXPECT_EQ(config.early_stopping, bert::EarlyStopping::never);
    EXPECT_EQ(config.eos_token_id, (Ids{3, 4}));
    EXPECT_EQ(config.forced_eos_token_id, Ids{3});
    EXPECT_EQ(config.bad_words_ids, (std::vector<Ids>{{1}, {2, 3}}));
    EXPECT_EQ(config.top_p, 0.5);
    EXPECT_EQ(config.do_sample, true);
    EXPECT_FALSE(config.pad_token_id.has_value());
    EXPECT_FALSE(config.num_beams.has_value());
    const auto refuses = [&](ErrorKind kind, const char* key, const Json& value) {
        write_json(path, {{key, value}});
        expect_error(kind, {key}, [&] { bert::load_generation_config(folder.path()); });
    };
    refuses(ErrorKind::format, "max_length", "long");
    refuses(ErrorKind::format, "early_stopping", "always");
    refuses(ErrorKind::format, "eos_token_id", {3, "four"});
    refuses(ErrorKind::format, "bad_words_ids", {3});
    refuses(ErrorKind::format, "suppress_tokens", {-1});
    refuses(ErrorKind::format, "do_sample", 1);
    refuses(ErrorKind::unsupported, "num_beam_groups", 2);
    refuses(ErrorKind::unsupported, "sequence_bias", Json::array());
    refuses(ErrorKind::unsupported, "encoder_no_repeat_ngram_size", 3);
    write_bytes(path, "[]");
    expect_error(ErrorKind::format, {"generation_config.json"}, [&] { bert::load_generation_config(folder.path()); });
}

TEST(GenerationConfig, IsReadFromTheModelsConfigAndItsDecoders) {
    const TempFolder folder;
    const auto path = folder.path() / "config.json";
    write_json(path, {{"max_length", 30}, {"decoder", {{"max_length", 40}, {"num_beams", 3}}}});
    const GenerationConfig config = bert::load_generation_config(folder.path());
    EXPECT_EQ(config.max_length, 30);
    EXPECT_EQ(config.num_beams, 3);
    set_key(path, "decoder", {{"num_beams", "three"}});
    expect_error(ErrorKind::format, {"config.json, \"decoder\"", "num_beams"},
                 [&] { bert::load_generation_config(folder.path()); });
}

}  // namespace
