// The decoder's layers against PyTorch: hidden states and logits, in one pass and token by token over the cache.
#include <bert/model/any_decoder_model.hpp>
#include <bert/tasks/seq2seq.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

using bert::DecoderBatch;
using bert::ErrorKind;
using bert::Index;
using bert::KeyValueCache;
using namespace bert_test;

namespace {

fs::path decoders() {
    return data_dir() / "decoders";
}

template <class W>
bert::DecoderModel<W> open(const std::string& name, const std::string& kernels = "") {
    const bert::Checkpoint checkpoint(decoders() / name);
    return bert::DecoderModel<W>::load(bert::load_decoder_config(decoders() / name), checkpoint, "", kernels);
}

/// The texts of a recording.
struct Texts {
    explicit Texts(const Golden& golden, const std::string& prefix = "")
        : ids(golden.values<std::int32_t>(prefix + "ids")), offsets(golden.values<Index>(prefix + "offsets")) {}
    std::size_t size() const { return offsets.size() - 1; }
    const std::int32_t* begin(std::size_t i) const { return ids.data() + offsets[i]; }
    std::size_t length(std::size_t i) const { return static_cast<std::size_t>(offsets[i + 1] - offsets[i]); }
    std::vector<std::int32_t> ids;
    std::vector<Index> offsets;
};

template <class T>
struct States {
    std::vector<bert::RowMatrix<T>> hidden;
    bert::RowMatrix<T> logits;
};

/// All texts in one pass.
template <class Model, class T = typename Model::Scalar>
States<T> run(const Model& model, const Texts& texts, const std::vector<KeyValueCache<T>>& sources = {},
              bert::ThreadPool* threads = nullptr) {
    bert::Workspace workspace(threads);
    std::vector<KeyValueCache<T>> caches;
    for (std::size_t i = 0; i < texts.size(); ++i) caches.push_back(model.decoder().make_cache(40));
    DecoderBatch<T> batch;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        batch.add(texts.begin(i), texts.length(i), caches[i], sources.empty() ? nullptr : &sources[i]);
    }
    States<T> states;
    bert::RowMatrix<T> x(batch.texts.tokens(), model.config().hidden_size);
    model.forward(batch, x, workspace, &states.hidden);
    states.logits.resize(x.rows(), model.config().vocab_size);
    model.logits(x, states.logits, workspace);
    return states;
}

/// The same, `step` tokens at a time and each text by itself.
template <class Model, class T = typename Model::Scalar>
bert::RowMatrix<T> run_in_steps(const Model& model, const Texts& texts, std::size_t step,
                                const std::vector<KeyValueCache<T>>& sources = {}) {
    bert::Workspace workspace;
    bert::RowMatrix<T> all(static_cast<Index>(texts.ids.size()), model.config().hidden_size);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        KeyValueCache<T> cache = model.decoder().make_cache(40);
        for (std::size_t done = 0; done < texts.length(i); done += step) {
            const std::size_t count = std::min(step, texts.length(i) - done);
            DecoderBatch<T> batch;
            batch.add(texts.begin(i) + done, count, cache, sources.empty() ? nullptr : &sources[i]);
            model.forward(batch, all.middleRows(texts.offsets[i] + static_cast<Index>(done), static_cast<Index>(count)),
                          workspace);
        }
    }
    return all;
}

template <class T>
double deviation(const States<T>& states, const Golden& golden) {
    double worst = max_difference(states.logits, golden.matrix<float>("logits"));
    for (std::size_t layer = 0; layer < states.hidden.size(); ++layer) {
        worst = std::max(worst, max_difference(states.hidden[layer],
                                               golden.matrix<float>("hidden_states." + std::to_string(layer))));
    }
    EXPECT_FALSE(golden.has("hidden_states." + std::to_string(states.hidden.size())));
    return worst;
}

class GoldenDecoder : public testing::TestWithParam<const char*> {};

TEST_P(GoldenDecoder, HiddenStatesAndLogitsEqualPyTorch) {
    const Golden golden(decoders() / (std::string(GetParam()) + ".expected.safetensors"));
    const Texts texts(golden);
    for (const auto* table : bert::available_kernels<float>()) {
        const auto model = open<float>(GetParam(), table->name);
        const auto states = run(model, texts);
        const double worst = deviation(states, golden);
        EXPECT_LE(worst, 1e-5) << table->name;
        report_worst(std::string(GetParam()) + " " + table->name, worst);
        for (const std::size_t step : {1u, 2u, 7u}) {
            EXPECT_TRUE(same_bits(run_in_steps(model, texts, step), states.hidden.back())) << table->name;
        }
    }
    EXPECT_LE(deviation(run(open<double>(GetParam()), texts), golden), 1e-5);
}

TEST(Decoder, RefusesMatricesAndBatchesThatDoNotFit) {
    const auto model = open<float>("causal_lm", "scalar");
    const Index hidden = model.config().hidden_size;
    const std::vector<std::int32_t> ids = {3, 4, 5, 6};
    bert::Workspace workspace;
    KeyValueCache<float> cache = model.decoder().make_cache(40);
    DecoderBatch<float> batch;
    batch.add(ids.data(), ids.size(), cache);
    for (const auto& [rows, cols] : {std::pair<Index, Index>(2, hidden), std::pair<Index, Index>(4, hidden - 1)}) {
        bert::RowMatrix<float> x(rows, cols);
        expect_error(bert::ErrorKind::shape, {"4 tokens"}, [&] { model.forward(batch, x, workspace); });
    }
    batch.texts.offsets.clear();
    bert::RowMatrix<float> none(0, hidden);
    expect_error(bert::ErrorKind::shape, {"offsets"}, [&] { model.decoder().forward(none, batch, workspace); });
}

INSTANTIATE_TEST_SUITE_P(All, GoldenDecoder, testing::Values("causal_lm", "causal_lm_untied", "bert_generation"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(DecoderLayers, CrossAttentionEqualsPyTorch) {
    for (const char* name : {"seq2seq", "seq2seq_projection"}) {
        const Golden golden(decoders() / (std::string(name) + ".expected.safetensors"));
        const Texts texts(golden);
        const Texts source_texts(golden, "source_");
        const auto config = bert::load_encoder_decoder_config(decoders() / name);
        const bert::Checkpoint checkpoint(decoders() / name);
        const auto model = bert::DecoderModel<float>::load(config.decoder, checkpoint, "decoder.");
        const bert::Seq2Seq task(decoders() / name);
        bert::Workspace workspace;
        std::vector<KeyValueCache<float>> sources;
        double worst = 0;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            bert::Batch batch;
            batch.add(source_texts.begin(i), nullptr, source_texts.length(i));
            const auto last = task.encoder().forward(batch).last_hidden_state;
            const bert::Matrix all = golden.matrix<float>("encoder_hidden_states");
            const auto expected = all.middleRows(source_texts.offsets[i], static_cast<Index>(source_texts.length(i)));
            worst = std::max(worst, max_difference(last, expected));
            sources.push_back(model.decoder().read_source(task.encode(batch, workspace), workspace));
        }
        const auto states = run(model, texts, sources);
        worst = std::max(worst, deviation(states, golden));
        EXPECT_LE(worst, 1e-5) << name;
        report_worst(name, worst);
        EXPECT_TRUE(same_bits(run_in_steps(model, texts, 1, sources), states.hidden.back())) << name;
    }
}

template <class W>
class NarrowDecoder : public testing::Test {};
using Narrow = testing::Types<bert::bfloat16, std::int8_t>;
TYPED_TEST_SUITE(NarrowDecoder, Narrow, );

TYPED_TEST(NarrowDecoder, StaysCloseToFloatAndHasTheSameBitsInStepsAndOnThreads) {
    const Golden golden(decoders() / "causal_lm.expected.safetensors");
    const Texts texts(golden);
    const auto model = open<TypeParam>("causal_lm");
    const auto states = run(model, texts);
    const auto expected = golden.matrix<float>("hidden_states.2");
    const auto& given = states.hidden.back();
    for (Index row = 0; row < given.rows(); ++row) {
        const float cosine = given.row(row).dot(expected.row(row)) / (given.row(row).norm() * expected.row(row).norm());
        EXPECT_GT(cosine, (std::is_same_v<TypeParam, std::int8_t> ? 0.99f : 0.999f)) << row;
    }
    EXPECT_TRUE(same_bits(run_in_steps(model, texts, 1), given));
    bert::ThreadPool threads(3);
    EXPECT_TRUE(same_bits(run(model, texts, {}, &threads).hidden.back(), given));
}

TEST(DecoderLayers, TokensSeeThoseBeforeThemAlone) {
    const auto model = open<float>("causal_lm");
    const Golden golden(decoders() / "causal_lm.expected.safetensors");
    Texts texts(golden);
    const auto before = run(model, texts).hidden.back();
    texts.ids.back() = (texts.ids.back() + 1) % 100;
    const auto after = run(model, texts).hidden.back();
    EXPECT_TRUE(
        same_bits(bert::Matrix(before.topRows(before.rows() - 1)), bert::Matrix(after.topRows(after.rows() - 1))));
    EXPECT_GT(max_difference(before.bottomRows(1), after.bottomRows(1)), 0.01);
}

TEST(KeyValueCache, CopiesGoOnByThemselves) {
    const auto model = open<float>("causal_lm");
    bert::Workspace workspace;
    const auto next = [&](KeyValueCache<float>& cache, const std::vector<std::int32_t>& ids) {
        DecoderBatch<float> batch;
        batch.add(ids.data(), ids.size(), cache);
        bert::Matrix x(static_cast<Index>(ids.size()), 24);
        model.forward(batch, x, workspace);
        return bert::Matrix(x.bottomRows(1));
    };
    auto first = model.decoder().make_cache(5);
    next(first, {7, 8, 9});
    auto second = first;
    next(first, {20});
    next(second, {30});
    auto fresh = model.decoder().make_cache(5);
    EXPECT_TRUE(same_bits(next(second, {11}), next(fresh, {7, 8, 9, 30, 11})));
    EXPECT_EQ(second.size(), 5);
    expect_error(ErrorKind::shape, {"5 tokens", "1 more"}, [&] { next(second, {12}); });
    EXPECT_EQ(second.size(), 5);
    first = second;
    EXPECT_EQ(first.size(), 5);
    auto long_cache = model.decoder().make_cache(60);
    next(long_cache, std::vector<std::int32_t>(40, 6));
    expect_error(ErrorKind::input, {"41 tokens", "40"}, [&] { next(long_cache, {12}); });
    expect_error(ErrorKind::shape, {"no cross attention"},
                 [&] { model.decoder().read_source(bert::Matrix::Zero(2, 24), workspace); });
    KeyValueCache<float> strange(1, 24, 10);
    expect_error(ErrorKind::shape, {"2 layers", "24"}, [&] { next(strange, {1}); });
}

}  // namespace
