// Numbers at the edges: weights and embeddings that are not finite or too large, activations from denormal to huge, and
// floating-point environments that are not the usual one.
#include "../test_support.hpp"

#include <bert/kernels/dispatch.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/tasks/community_detection.hpp>
#include <bert/tasks/embedding_quantization.hpp>
#include <bert/tasks/paraphrase_mining.hpp>
#include <bert/tasks/semantic_search.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::WeightType;

constexpr float infinite = std::numeric_limits<float>::infinity();

/// A random model of which one tensor is changed.
class ChangedModel {
public:
    ChangedModel(const std::string& tensor, const std::function<void(std::vector<float>&)>& change) {
        write_random_model(folder_.path(), {}, 5);
        edit_tensors(folder_.path() / "model.safetensors", [&](auto& all) {
            RawTensor& raw = tensor_named(all, tensor);
            std::vector<float> values(raw.data.size() / sizeof(float));
            std::memcpy(values.data(), raw.data.data(), raw.data.size());
            change(values);
            std::memcpy(raw.data.data(), values.data(), raw.data.size());
        });
    }

    /// Calls function(model, description) for every table that runs here and every type of weights.
    template <class Function>
    void with_every_table(const Function& function) const {
        for (const auto* table : bert::available_kernels<float>()) {
            for (const auto type : {WeightType::float32, WeightType::bfloat16, WeightType::int8}) {
                bert::LoadOptions options;
                options.kernels = table->name;
                SCOPED_TRACE(std::string(table->name) + ", weights " + std::to_string(static_cast<int>(type)));
                function(bert::AnyBertModel::load(folder_.path(), type, options));
            }
        }
    }

    const fs::path& path() const { return folder_.path(); }

private:
    TempFolder folder_;
};

bert::Batch batch_of(const std::vector<std::vector<std::int32_t>>& texts) {
    bert::Batch batch;
    for (const auto& ids : texts) batch.add(ids.data(), nullptr, ids.size());
    return batch;
}

const bert::Batch& some_batch() {
    static const bert::Batch batch = batch_of({{1, 2, 3, 4, 5, 6, 7}, {8, 9}});
    return batch;
}

TEST(Numbers, AnEmbeddingThatIsNotFiniteIsAnErrorWhereItIsUsed) {
    const std::string word = "embeddings.word_embeddings.weight";
    for (const float bad : {infinite, -infinite, std::nanf("")}) {
        const ChangedModel model(word, [&](auto& values) { values[9 * 24 + 5] = bad; });
        model.with_every_table([&](const bert::AnyBertModel& opened) {
            expect_error(ErrorKind::format, {word, "row 9", "not finite"}, [&] {
                (void)opened.forward(batch_of({{1, 2}, {3, 9}}));
            });
            EXPECT_TRUE(opened.forward(batch_of({{1, 2}, {3, 8}})).last_hidden_state.allFinite());
        });
    }
    const std::string position = "embeddings.position_embeddings.weight";
    const ChangedModel late(position, [&](auto& values) { values[2 * 24] = std::nanf(""); });
    const auto opened = bert::AnyBertModel::load(late.path());
    expect_error(ErrorKind::format, {position, "row 2"}, [&] { (void)opened.forward(some_batch()); });
    EXPECT_TRUE(opened.forward(batch_of({{1, 2}, {3, 8}})).last_hidden_state.allFinite());
}

/// Expects that the model gives finite numbers whatever it computes with, and those of double precision with float32.
void expect_right(const ChangedModel& model) {
    const bert::Matrix exact =
        bert::BertModel<double>::load(model.path()).forward(some_batch()).last_hidden_state.cast<float>();
    model.with_every_table([&](const bert::AnyBertModel& opened) {
        const bert::Matrix given = opened.forward(some_batch()).last_hidden_state;
        if (opened.weights() == WeightType::float32) EXPECT_LE(max_difference(given, exact), 1e-5);
        else EXPECT_TRUE(given.allFinite());
    });
}

TEST(Numbers, ActivationsOfAnySizeInRangeAreComputed) {
    const std::string word = "embeddings.word_embeddings.weight";
    for (const float scale : {1e-42f, 1e-38f, 1e-20f, 1e10f, 1e17f}) {
        SCOPED_TRACE(scale);
        expect_right(ChangedModel(word, [&](auto& values) {
            for (float& value : values) value *= scale;
        }));
    }
    // Beside these, positions and token types are nothing: each row is constant, and its layer norm is the bias.
    expect_right(ChangedModel(word, [](auto& values) { values.assign(values.size(), 1e18f); }));
}

TEST(Numbers, DenormalWeightsArePackedWithoutOverflow) {
    // Of 8-bit weights, the scale of a block of denormals is itself one of few values.
    const ChangedModel model("encoder.layer.0.output.dense.weight", [](auto& values) {
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.4e-45f * static_cast<float>(i % 400);
    });
    const ChangedModel none("encoder.layer.0.output.dense.weight",
                            [](auto& values) { values.assign(values.size(), 0.0f); });
    std::vector<bert::Matrix> expected;
    none.with_every_table(
        [&](const bert::AnyBertModel& opened) { expected.push_back(opened.forward(some_batch()).last_hidden_state); });
    std::size_t index = 0;
    model.with_every_table([&](const bert::AnyBertModel& opened) {
        EXPECT_LE(max_difference(opened.forward(some_batch()).last_hidden_state, expected[index++]), 1e-6);
    });
}

TEST(Numbers, QuantisedWeightsFitWhateverTheirSize) {
    for (int units = 1; units < 2000; ++units) {
        std::vector<float> block(static_cast<std::size_t>(bert::int8_block),
                                 std::ldexp(static_cast<float>(units), -149));
        std::vector<std::int8_t> values(block.size());
        float scale = -1;
        bert::quantize_int8(block.data(), 1, bert::int8_block, values.data(), &scale);
        ASSERT_TRUE(bert::fits_int8(values.data(), 1, bert::int8_block)) << units;
        ASSERT_LE(std::abs(scale * static_cast<float>(values[0]) - block[0]), 1e-35f) << units;
    }
}

#if defined(__SSE2__)
/// Sets control bits of the floating-point unit for its life.
class ControlBits {
public:
    explicit ControlBits(unsigned bits) : before_(_mm_getcsr()) { _mm_setcsr(before_ | bits); }
    ~ControlBits() { _mm_setcsr(before_); }
    ControlBits(const ControlBits&) = delete;
    ControlBits& operator=(const ControlBits&) = delete;

private:
    unsigned before_;
};

TEST(Numbers, FlushingDenormalsChangesNothingThatMatters) {
    const ChangedModel model("embeddings.word_embeddings.weight", [](auto&) {});
    model.with_every_table([&](const bert::AnyBertModel& opened) {
        const bert::Matrix expected = opened.forward(some_batch()).last_hidden_state;
        const ControlBits flush(0x8040);  // results and operands
        EXPECT_LE(max_difference(opened.forward(some_batch()).last_hidden_state, expected), 1e-6);
    });
}
#endif

TEST(Numbers, OtherRoundingModesGiveResultsWithinTheirRounding) {
    const ChangedModel model("embeddings.word_embeddings.weight", [](auto&) {});
    for (const auto type : {WeightType::float32, WeightType::bfloat16, WeightType::int8}) {
        const auto opened = bert::AnyBertModel::load(model.path(), type);
        const bert::Matrix expected = opened.forward(some_batch()).last_hidden_state;
        for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
            ASSERT_EQ(std::fesetround(mode), 0);
            const bert::Matrix given = opened.forward(some_batch()).last_hidden_state;
            std::fesetround(FE_TONEAREST);
            EXPECT_LE(max_difference(given, expected), type == WeightType::float32 ? 1e-3 : 0.3) << mode;
        }
    }
}

TEST(Numbers, GivenEmbeddingsThatAreNotFiniteAreErrors) {
    const bert::Matrix good = bert::Matrix::Random(6, 8);
    for (const float value : {infinite, -infinite, std::nanf("")}) {
        bert::Matrix bad = good;
        bad(3, 2) = value;
        const auto refused = [&](const std::function<void()>& call) { expect_error(ErrorKind::input, {}, call); };
        refused([&] { (void)bert::semantic_search(bad, good); });
        refused([&] { (void)bert::semantic_search(good, bad); });
        refused([&] { (void)bert::paraphrase_mining(bad); });
        refused([&] { (void)bert::community_detection(bad); });
        refused([&] { (void)bert::quantize_int8(bad, bert::quantization_ranges(good)); });
        refused([&] { (void)bert::quantization_ranges(bad); });
        refused([&] { (void)bert::quantize_binary(bad); });
        refused([&] { (void)bert::similarity(bad, good, bert::Similarity::cosine); });
        refused([&] { (void)bert::similarity(good, bad, bert::Similarity::manhattan); });
    }
}

}  // namespace
