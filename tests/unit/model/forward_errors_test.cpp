// What BertModel::forward refuses, and the edges of what it takes.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;

/// The golden model "base": 61 ids, 24 positions, 2 token types.
class Forward : public testing::Test {
protected:
    static bert::Encoding encoding_of(std::vector<std::int32_t> ids) {
        bert::Encoding encoding;
        encoding.type_ids.assign(ids.size(), 0);
        encoding.attention_mask.assign(ids.size(), 1);
        encoding.ids = std::move(ids);
        return encoding;
    }

    void expect(ErrorKind kind, const std::vector<std::string>& message, const bert::Encoding& encoding) const {
        expect_error(kind, message, [&] { (void)model_.forward(encoding); });
    }

    void expect(ErrorKind kind, const std::vector<std::string>& message, const bert::Batch& batch) const {
        expect_error(kind, message, [&] { (void)model_.forward(batch); });
    }

    bert::BertModel<float> model_ = bert::BertModel<float>::load(bert_models() / "base");
};

TEST_F(Forward, TakesAllIdsAndTheLongestText) {
    for (const std::int32_t id : {0, 60}) {
        EXPECT_EQ(model_.forward(encoding_of({id})).last_hidden_state.rows(), 1);
    }
    const auto output = model_.forward(encoding_of(std::vector<std::int32_t>(24, 5)));
    EXPECT_EQ(output.last_hidden_state.rows(), 24);
    EXPECT_TRUE(output.last_hidden_state.allFinite());
}

TEST_F(Forward, AnEmptyBatchGivesNoRows) {
    bert::ForwardOptions options;
    options.hidden_states = options.attentions = options.pooler_output = true;
    const auto output = model_.forward(bert::Batch{}, options);
    EXPECT_EQ(output.last_hidden_state.rows(), 0);
    EXPECT_EQ(output.last_hidden_state.cols(), 32);
    EXPECT_EQ(output.pooler_output.rows(), 0);
    EXPECT_EQ(output.hidden_states.size(), 3u);
    EXPECT_EQ(output.attentions.size(), 2u);
}

TEST_F(Forward, AnEncodingWithoutMaskIsAttendedToAsAWhole) {
    auto encoding = encoding_of({1, 2, 3});
    const auto masked = model_.forward(encoding);
    encoding.attention_mask.clear();
    EXPECT_TRUE(same_bits(masked.last_hidden_state, model_.forward(encoding).last_hidden_state));
}

TEST_F(Forward, RefusesIdsOutsideTheVocabulary) {
    constexpr auto lowest = std::numeric_limits<std::int32_t>::min();
    constexpr auto highest = std::numeric_limits<std::int32_t>::max();
    for (const std::int32_t id : {-1, 61, lowest, highest}) {
        expect(ErrorKind::input, {"token 2", std::to_string(id), "61"}, encoding_of({1, 2, id}));
    }
}

TEST_F(Forward, RefusesTypesTheModelLacks) {
    for (const std::int32_t type : {-1, 2, std::numeric_limits<std::int32_t>::max()}) {
        auto encoding = encoding_of({1, 2, 3});
        encoding.type_ids[1] = type;
        expect(ErrorKind::input, {"token 1", "type", std::to_string(type), "2"}, encoding);
    }
}

TEST_F(Forward, RefusesATextWithoutTokens) {
    expect(ErrorKind::input, {"0 tokens"}, encoding_of({}));
    bert::Batch batch;
    batch.add(encoding_of({1, 2}));
    batch.add(encoding_of({}));
    expect(ErrorKind::input, {"text 1", "0 tokens"}, batch);
}

TEST_F(Forward, RefusesATextLongerThanThePositions) {
    expect(ErrorKind::input, {"25 tokens", "24"}, encoding_of(std::vector<std::int32_t>(25, 1)));
    expect(ErrorKind::input, {"1000000 tokens", "24"}, encoding_of(std::vector<std::int32_t>(1'000'000, 1)));
}

TEST_F(Forward, NamesTheTextAtFault) {
    bert::Batch batch;
    batch.add(encoding_of({1, 2}));
    batch.add(encoding_of({3, 4, 61}));
    expect(ErrorKind::input, {"text 1", "token 2", "61"}, batch);
}

TEST_F(Forward, RefusesATextNobodyAttendsTo) {
    auto encoding = encoding_of({1, 2});
    encoding.attention_mask = {0, 0};
    expect(ErrorKind::input, {"attention_mask"}, encoding);
}

TEST_F(Forward, RefusesVectorsOfDifferentLengths) {
    auto encoding = encoding_of({1, 2, 3});
    encoding.type_ids.pop_back();
    expect(ErrorKind::shape, {"3", "2", "type_ids"}, encoding);
    encoding = encoding_of({1, 2, 3});
    encoding.attention_mask.push_back(1);
    expect(ErrorKind::shape, {"3", "4", "attention_mask"}, encoding);
}

TEST_F(Forward, RefusesBatchesThatDoNotFitTogether) {
    bert::Batch good;
    good.add(encoding_of({1, 2, 3}));
    good.add(encoding_of({4}));
    const auto broken = [&](auto change) {
        bert::Batch batch = good;
        change(batch);
        expect(ErrorKind::shape, {"Batch"}, batch);
    };
    broken([](bert::Batch& b) { b.ids.pop_back(); });
    broken([](bert::Batch& b) { b.type_ids.push_back(0); });
    broken([](bert::Batch& b) { b.attention_mask.push_back(1); });
    broken([](bert::Batch& b) { b.offsets.clear(); });
    broken([](bert::Batch& b) { b.offsets = {0, 3}; });
    broken([](bert::Batch& b) { b.offsets = {1, 3, 4}; });
    broken([](bert::Batch& b) { b.offsets = {0, 5, 4}; });
    broken([](bert::Batch& b) { b.offsets = {0, 3, -1, 4}; });
    broken([](bert::Batch& b) { b.offsets = {0, 3, 4, 9}; });
}

TEST_F(Forward, RefusesAPoolerTheCheckpointLacks) {
    const auto model = bert::BertModel<float>::load(bert_models() / "masked_lm_no_pooler");
    EXPECT_FALSE(model.has_pooler());
    bert::ForwardOptions options;
    options.pooler_output = true;
    expect_error(ErrorKind::input, {"pooler"}, [&] { (void)model.forward(encoding_of({1, 2}), options); });
}

TEST_F(Forward, PartsHaveToFitTheConfiguration) {
    // A row of the output has hidden_size values: embeddings of another size would write outside of it.
    for (const Index hidden : {Index{8}, Index{64}}) {
        bert::ModelConfig config = model_.config();
        config.hidden_size = hidden;
        expect_error(ErrorKind::shape, {std::to_string(hidden), "32"}, [&] {
            const bert::BertModel<float> model(config, model_.embeddings(), bert::Encoder<float>({}), std::nullopt);
        });
    }
}

}  // namespace
