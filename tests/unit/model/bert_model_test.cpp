// BertModel against PyTorch: every layer of every golden model, activations, padding, number formats and layouts.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::Index;

/// The packed batch a golden file was made with.
bert::Batch golden_batch(const Golden& golden) {
    bert::Batch batch;
    batch.ids = golden.values<std::int32_t>("ids");
    batch.type_ids = golden.values<std::int32_t>("type_ids");
    batch.offsets = golden.values<Index>("offsets");
    return batch;
}

bert::ForwardOptions everything(bool pooler = true) {
    bert::ForwardOptions options;
    options.hidden_states = options.attentions = true;
    options.pooler_output = pooler;
    return options;
}

class GoldenModel : public testing::TestWithParam<const char*> {
protected:
    fs::path folder() const { return bert_models() / GetParam(); }
    Golden golden() const { return Golden(bert_models() / (std::string(GetParam()) + ".expected.safetensors")); }
};

void expect_equal_on_every_layer(const bert::BertModel<float>& model, const Golden& expected, const std::string& name) {
    const auto batch = golden_batch(expected);
    ASSERT_EQ(model.has_pooler(), expected.has("pooler_output"));
    const auto output = model.forward(batch, everything(model.has_pooler()));

    const auto layers = static_cast<std::size_t>(model.config().num_hidden_layers);
    const auto heads = static_cast<std::size_t>(model.config().num_attention_heads);
    ASSERT_EQ(output.hidden_states.size(), layers + 1);
    double worst = 0;
    for (std::size_t layer = 0; layer <= layers; ++layer) {
        const auto hidden = expected.matrix<float>("hidden_states." + std::to_string(layer));
        const double difference = max_difference(output.hidden_states[layer], hidden);
        EXPECT_LE(difference, 1e-5) << "layer " << layer;
        worst = std::max(worst, difference);
    }
    EXPECT_TRUE(same_bits(output.last_hidden_state, output.hidden_states.back()));
    report_worst(name + ", hidden states", worst);

    if (model.has_pooler()) {
        EXPECT_LE(max_difference(output.pooler_output, expected.matrix<float>("pooler_output")), 1e-5);
    } else {
        EXPECT_EQ(output.pooler_output.size(), 0);
    }

    ASSERT_EQ(output.attentions.size(), layers);
    for (std::size_t layer = 0; layer < layers; ++layer) {
        const auto flat = expected.values<float>("attentions." + std::to_string(layer));
        ASSERT_EQ(output.attentions[layer].size(), static_cast<std::size_t>(batch.texts()) * heads);
        std::size_t at = 0;
        for (std::size_t i = 0; i < output.attentions[layer].size(); ++i) {
            const auto& map = output.attentions[layer][i];
            const Index length = batch.length(static_cast<Index>(i / heads));
            ASSERT_EQ(map.rows(), length);
            ASSERT_EQ(map.cols(), length);
            ASSERT_LE(at + static_cast<std::size_t>(map.size()), flat.size());
            const Eigen::Map<const bert::Matrix> expected_map(flat.data() + at, length, length);
            EXPECT_LE(max_difference(map, expected_map), 1e-5) << "layer " << layer << ", map " << i;
            at += static_cast<std::size_t>(map.size());
        }
        EXPECT_EQ(at, flat.size());
    }
}

TEST_P(GoldenModel, FloatEqualsPyTorchOnEveryLayerWithEveryTable) {
    for (const auto* table : bert::available_kernels<float>()) {
        SCOPED_TRACE(table->name);
        bert::LoadOptions options;
        options.kernels = table->name;
        expect_equal_on_every_layer(bert::BertModel<float>::load(folder(), options), golden(),
                                    GetParam() + (" with " + std::string(table->name)));
    }
}

TEST_P(GoldenModel, DoubleEqualsPyTorchInDouble) {
    const auto expected = golden();
    const auto model = bert::BertModel<double>::load(folder());
    bert::ForwardOptions options;
    options.pooler_output = model.has_pooler();
    const auto output = model.forward(golden_batch(expected), options);
    const double worst = max_difference(output.last_hidden_state, expected.matrix<double>("float64.last_hidden_state"));
    EXPECT_LE(worst, 2e-13);
    report_worst(std::string(GetParam()) + ", float64", worst);
    if (model.has_pooler()) {
        EXPECT_LE(max_difference(output.pooler_output, expected.matrix<double>("float64.pooler_output")), 2e-13);
    }
}

TEST_P(GoldenModel, FloatStaysCloseToDouble) {
    const auto batch = golden_batch(golden());
    const auto single = bert::BertModel<float>::load(folder()).forward(batch);
    const auto exact = bert::BertModel<double>::load(folder()).forward(batch);
    const double worst = max_difference(single.last_hidden_state, exact.last_hidden_state);
    EXPECT_LE(worst, 5e-6);
    report_worst(std::string(GetParam()) + ", float against double", worst);
}

TEST_P(GoldenModel, WithoutMemoryMapGivesTheSameBits) {
    const auto batch = golden_batch(golden());
    bert::LoadOptions copied;
    copied.memory_map = false;
    const auto a = bert::BertModel<float>::load(folder()).forward(batch);
    const auto b = bert::BertModel<float>::load(folder(), copied).forward(batch);
    EXPECT_TRUE(same_bits(a.last_hidden_state, b.last_hidden_state));
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel,
                         testing::Values("base", "heads_of_20", "heads_of_11", "heads_of_1", "one_head_deep", "float16",
                                         "bfloat16", "sharded", "prefixed_gamma_beta", "masked_lm_no_pooler",
                                         "classifier"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(BertModel, ReportsItsConfiguration) {
    const auto model = bert::BertModel<float>::load(bert_models() / "float16");
    EXPECT_EQ(model.config().vocab_size, 40);
    EXPECT_EQ(model.config().hidden_size, 100);
    EXPECT_EQ(model.config().num_attention_heads, 5);
    EXPECT_EQ(model.config().type_vocab_size, 3);
    EXPECT_EQ(model.config().layer_norm_eps, 1e-3);
}

TEST(BertModel, GivesOnlyWhatWasAskedFor) {
    const auto model = bert::BertModel<float>::load(bert_models() / "base");
    const auto output = model.forward(golden_batch(Golden(bert_models() / "base.expected.safetensors")));
    EXPECT_GT(output.last_hidden_state.size(), 0);
    EXPECT_EQ(output.pooler_output.size(), 0);
    EXPECT_TRUE(output.hidden_states.empty());
    EXPECT_TRUE(output.attentions.empty());
}

// ------------------------------------------------------------------------------------------------------------ extremes

/// The model "base" with some of its tensors multiplied.
bert::Matrix with_scaled_tensors(const std::string& part, float scale, const bert::Batch& batch) {
    const TempFolder folder;
    copy_into(bert_models() / "base", folder.path());
    edit_tensors(folder.path() / "model.safetensors", [&](std::vector<RawTensor>& tensors) {
        std::size_t changed = 0;
        for (auto& tensor : tensors) {
            if (tensor.name.find(part) == std::string::npos) continue;
            std::vector<float> values(tensor.data.size() / sizeof(float));
            std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
            for (float& value : values) value *= scale;
            tensor = float_tensor(tensor.name, tensor.shape, values);
            ++changed;
        }
        ASSERT_GT(changed, 0u) << part;
    });
    const auto output = bert::BertModel<float>::load(folder.path()).forward(batch, everything());
    const auto exact = bert::BertModel<double>::load(folder.path()).forward(batch);
    EXPECT_LE(max_difference(output.last_hidden_state, exact.last_hidden_state), 2e-4) << part << " times " << scale;
    for (const auto& layer : output.attentions) {
        for (const auto& map : layer) {
            const bert::Matrix sums = map.rowwise().sum();
            EXPECT_LE(max_difference(sums, bert::Matrix::Ones(sums.rows(), 1)), 1e-5) << part << " times " << scale;
            EXPECT_GE(map.minCoeff(), 0.0f) << part << " times " << scale;
        }
    }
    return output.last_hidden_state;
}

TEST(BertModel, HugeAndTinyActivationsGiveFiniteAndRightResults) {
    const auto batch = golden_batch(Golden(bert_models() / "base.expected.safetensors"));
    // Scores of some ten thousand, pre-activations of some thousand, rows of variance 1e20 and of almost none.
    EXPECT_TRUE(with_scaled_tensors("attention.self.query", 5000.0f, batch).allFinite());
    EXPECT_TRUE(with_scaled_tensors("intermediate.dense", 1000.0f, batch).allFinite());
    EXPECT_TRUE(with_scaled_tensors("intermediate.dense", -1000.0f, batch).allFinite());
    EXPECT_TRUE(with_scaled_tensors("embeddings.weight", 1e10f, batch).allFinite());
    EXPECT_TRUE(with_scaled_tensors("embeddings.weight", 1e-42f, batch).allFinite());
    EXPECT_TRUE(with_scaled_tensors("attention.self", 1e-30f, batch).allFinite());
}

// The golden numbers are only worth something if a small mistake shows. These are mistakes ports make.
TEST(GoldenNumbers, WouldShowAWrongActivationEpsilonTypeOrPosition) {
    const Golden golden(bert_models() / "base.expected.safetensors");
    const auto expected = golden.matrix<float>("hidden_states.2");
    const auto batch = golden_batch(golden);
    const auto difference = [&](const char* key, const Json& value) {
        const TempFolder folder;
        copy_into(bert_models() / "base", folder.path());
        set_key(folder.path() / "config.json", key, value);
        return max_difference(bert::BertModel<float>::load(folder.path()).forward(batch).last_hidden_state, expected);
    };
    EXPECT_GT(difference("hidden_act", "gelu_new"), 3e-4);
    EXPECT_GT(difference("hidden_act", "relu"), 0.1);
    EXPECT_GT(difference("layer_norm_eps", 1e-3), 1e-4);
    EXPECT_GT(difference("num_attention_heads", 2), 0.1);

    const auto model = bert::BertModel<float>::load(bert_models() / "base");
    auto swapped = batch;
    for (auto& type : swapped.type_ids) type = 1 - type;
    EXPECT_GT(max_difference(model.forward(swapped).last_hidden_state, expected), 0.1);
    auto one_text = batch;  // positions that run on, and attention across texts
    one_text.ids.resize(24);
    one_text.type_ids.resize(24);
    one_text.offsets = {0, 24};
    EXPECT_GT(max_difference(model.forward(one_text).last_hidden_state, expected.topRows(24)), 0.1);
}

// --------------------------------------------------------------------------------------------------------- activations

const char* const activation_names[] = {
    "gelu",      "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh",
    "hardswish", "laplace", "leaky_relu",    "linear",    "mish",     "quick_gelu",  "gelu_pytorch_tanh",
    "relu",      "relu2",   "relu6",         "sigmoid",   "silu",     "swish",       "sqrtsoftplus",
    "tanh"};

class GoldenActivation : public testing::TestWithParam<const char*> {};

TEST_P(GoldenActivation, ValuesEqualPyTorch) {
    const Golden golden(bert_models() / "activations.expected.safetensors");
    const auto activation = bert::activation_from_name(GetParam());
    ASSERT_TRUE(activation.has_value());
    const auto x = golden.values<double>("x");
    const auto expected = golden.values<double>(std::string("values.") + GetParam());
    ASSERT_EQ(x.size(), expected.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double scale = std::max(1.0, std::abs(expected[i]));
        EXPECT_NEAR(bert::activate(*activation, x[i]), expected[i], 2e-12 * scale) << "at " << x[i];
        EXPECT_NEAR(static_cast<double>(bert::activate(*activation, static_cast<float>(x[i]))), expected[i],
                    5e-7 * scale)
            << "at " << x[i];
    }
}

TEST_P(GoldenActivation, ModelWithItEqualsPyTorch) {
    const Golden golden(bert_models() / "activations.expected.safetensors");
    const TempFolder folder;
    copy_into(bert_models() / "base", folder.path());
    set_key(folder.path() / "config.json", "hidden_act", GetParam());
    const auto model = bert::BertModel<float>::load(folder.path());
    const auto output = model.forward(golden_batch(golden));
    const double worst =
        max_difference(output.last_hidden_state, golden.matrix<float>(std::string("last_hidden_state.") + GetParam()));
    EXPECT_LE(worst, 1e-5);
    report_worst(GetParam(), worst);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenActivation, testing::ValuesIn(activation_names),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(GoldenActivations, CoverAllThatAreRecorded) {
    std::size_t recorded = 0;
    for (const auto& tensor : read_raw_safetensors(bert_models() / "activations.expected.safetensors")) {
        recorded += tensor.name.rfind("values.", 0) == 0;
    }
    EXPECT_EQ(recorded, std::size(activation_names));
}

// ------------------------------------------------------------------------------------------------------------- padding

TEST(BertModel, PaddedTextsEqualPyTorchWithAttentionMask) {
    const Golden golden(bert_models() / "padded.expected.safetensors");
    const auto shape = golden.shape("ids");
    const auto width = static_cast<std::size_t>(shape[1]);
    const auto ids = golden.values<std::int32_t>("ids");
    const auto types = golden.values<std::int32_t>("type_ids");
    const auto mask = golden.values<std::uint8_t>("attention_mask");
    const auto expected = golden.values<float>("last_hidden_state");
    const auto model = bert::BertModel<float>::load(bert_models() / "base");
    const Index hidden = model.config().hidden_size;

    bert::Batch batch;
    for (std::size_t text = 0; text < static_cast<std::size_t>(shape[0]); ++text) {
        const auto begin = static_cast<std::ptrdiff_t>(text * width);
        const auto end = begin + static_cast<std::ptrdiff_t>(width);
        bert::Encoding encoding;
        encoding.ids.assign(ids.begin() + begin, ids.begin() + end);
        encoding.type_ids.assign(types.begin() + begin, types.begin() + end);
        encoding.attention_mask.assign(mask.begin() + begin, mask.begin() + end);
        batch.add(encoding);
    }
    bert::ForwardOptions options;
    options.pooler_output = true;
    const auto output = model.forward(batch, options);
    const Eigen::Map<const bert::Matrix> rows(expected.data(), batch.tokens(), hidden);
    double worst = 0;
    for (Index row = 0; row < batch.tokens(); ++row) {
        if (mask[static_cast<std::size_t>(row)] == 0) continue;
        worst = std::max(worst, max_difference(output.last_hidden_state.row(row), rows.row(row)));
    }
    EXPECT_LE(worst, 1e-5);
    EXPECT_LE(max_difference(output.pooler_output, golden.matrix<float>("pooler_output")), 1e-5);

    // Padding changes nothing: the same text without it has the same bits.
    for (Index text = 0; text < batch.texts(); ++text) {
        const auto begin = batch.offsets[static_cast<std::size_t>(text)];
        const auto count = std::count(mask.begin() + begin, mask.begin() + begin + static_cast<Index>(width), 1);
        bert::Batch alone;
        alone.add(batch.ids.data() + begin, batch.type_ids.data() + begin, static_cast<std::size_t>(count));
        const bert::Matrix padded = output.last_hidden_state.middleRows(begin, count);
        EXPECT_TRUE(same_bits(model.forward(alone).last_hidden_state, padded)) << "text " << text;
    }
}

}  // namespace
