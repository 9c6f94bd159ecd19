// Models with bfloat16 and int8 weights, chosen at compile time and at run time, and the choice of kernels.
#include <bert/model/any_bert_model.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using bert::AnyBertModel;
using bert::Batch;
using bert::BertModel;
using bert::Index;
using bert::Matrix;
using bert::WeightType;
using namespace bert_test;

namespace {

/// Texts of 1 to 10 tokens.
Batch random_batch(Index vocabulary) {
    std::mt19937 generator(3);
    Batch batch;
    for (const std::size_t length : {1u, 10u, 7u, 5u}) {
        std::vector<std::int32_t> ids(length);
        for (auto& id : ids) id = static_cast<std::int32_t>(generator() % static_cast<unsigned>(vocabulary));
        batch.add(ids.data(), nullptr, length);
    }
    return batch;
}

double least_cosine(const Matrix& a, const Matrix& b) {
    double least = 1;
    for (Index row = 0; row < a.rows(); ++row) {
        const double product = static_cast<double>(a.row(row).dot(b.row(row)));
        least = std::min(least, product / static_cast<double>(a.row(row).norm() * b.row(row).norm()));
    }
    return least;
}

template <class W>
class WeightTypes : public testing::Test {
protected:
    const BertModel<float> exact_ = BertModel<float>::load(bert_models() / "base");
    const BertModel<W> model_ = BertModel<W>::load(bert_models() / "base");
    const Batch batch_ = random_batch(exact_.config().vocab_size);
};

using Narrow = testing::Types<bert::bfloat16, std::int8_t>;
TYPED_TEST_SUITE(WeightTypes, Narrow, );

TYPED_TEST(WeightTypes, StayCloseToFloat) {
    const Matrix exact = this->exact_.forward(this->batch_).last_hidden_state;
    const Matrix narrow = this->model_.forward(this->batch_).last_hidden_state;
    const double expected = std::is_same_v<TypeParam, std::int8_t> ? 0.99 : 0.999;
    EXPECT_GT(least_cosine(exact, narrow), expected);
    EXPECT_FALSE(same_bits(exact, narrow));
}

TYPED_TEST(WeightTypes, ATextHasTheSameBitsAloneAndOnAnyNumberOfThreads) {
    const Matrix together = this->model_.forward(this->batch_).last_hidden_state;
    for (Index text = 0; text < this->batch_.texts(); ++text) {
        const auto begin = static_cast<std::size_t>(this->batch_.offsets[static_cast<std::size_t>(text)]);
        Batch alone;
        alone.add(this->batch_.ids.data() + begin, nullptr, static_cast<std::size_t>(this->batch_.length(text)));
        const Matrix rows = together.middleRows(static_cast<Index>(begin), this->batch_.length(text));
        EXPECT_TRUE(same_bits(Matrix(this->model_.forward(alone).last_hidden_state), rows)) << "text " << text;
    }
    for (const unsigned count : {2u, 3u}) {
        bert::ThreadPool threads(count);
        bert::Workspace workspace(&threads);
        EXPECT_TRUE(same_bits(Matrix(this->model_.forward(this->batch_, workspace).last_hidden_state), together));
    }
}

TYPED_TEST(WeightTypes, OpenFromEveryNumberFormat) {
    for (const char* folder : {"float16", "bfloat16", "sharded"}) {
        const auto model = BertModel<TypeParam>::load(bert_models() / folder);
        const auto batch = random_batch(model.config().vocab_size);
        const Matrix exact = BertModel<float>::load(bert_models() / folder).forward(batch).last_hidden_state;
        EXPECT_GT(least_cosine(exact, model.forward(batch).last_hidden_state), 0.98) << folder;
    }
}

TEST(AnyBertModel, IsTheModelOfThatType) {
    const auto batch = random_batch(20);
    const auto folder = bert_models() / "base";
    const auto expect = [&](WeightType type, const Matrix& expected) {
        const AnyBertModel model = AnyBertModel::load(folder, type);
        EXPECT_EQ(model.weights(), type);
        EXPECT_TRUE(same_bits(Matrix(model.forward(batch).last_hidden_state), expected));
    };
    expect(WeightType::float32, BertModel<float>::load(folder).forward(batch).last_hidden_state);
    expect(WeightType::bfloat16, BertModel<bert::bfloat16>::load(folder).forward(batch).last_hidden_state);
    expect(WeightType::int8, BertModel<std::int8_t>::load(folder).forward(batch).last_hidden_state);
}

TEST(LoadOptions, ForceKernels) {
    const auto folder = bert_models() / "base";
    const auto batch = random_batch(20);
    const Matrix expected = BertModel<double>::load(folder).forward(batch).last_hidden_state.cast<float>();
    for (const auto* table : bert::available_kernels<float>()) {
        bert::LoadOptions options;
        options.kernels = table->name;
        const auto model = BertModel<float>::load(folder, options);
        EXPECT_LE(max_difference(model.forward(batch).last_hidden_state, expected), 1e-5) << table->name;
    }
    bert::LoadOptions unknown;
    unknown.kernels = "abacus";
    expect_error(bert::ErrorKind::unsupported, {"abacus", "scalar"}, [&] { BertModel<float>::load(folder, unknown); });
}

TEST(LoadOptions, PartsAreLoadedInAnyOrderOnAnyThreads) {
    const auto folder = bert_models() / "base";
    const auto batch = random_batch(20);
    const Matrix expected = BertModel<float>::load(folder).forward(batch).last_hidden_state;
    using Body = std::function<void(std::size_t)>;
    std::size_t parts = 0;
    const std::function<void(std::size_t, const Body&)> loops[] = {
        [&](std::size_t count, const Body& body) {
            parts = count;
            std::vector<std::thread> threads;
            for (std::size_t i = count; i-- > 0;) threads.emplace_back([&body, i] { body(i); });
            for (auto& thread : threads) thread.join();
        },
        [](std::size_t, const Body&) {},  // less than was asked for
    };
    for (const auto& loop : loops) {
        bert::LoadOptions options;
        options.parallel_for = loop;
        const auto model = BertModel<float>::load(folder, options);
        EXPECT_TRUE(same_bits(Matrix(model.forward(batch).last_hidden_state), expected));
        EXPECT_EQ(parts, 1 + model.encoder().layers().size());  // the embeddings are one
    }
    bert::LoadOptions throwing;
    throwing.parallel_for = [](std::size_t, const Body&) { throw std::runtime_error("no threads today"); };
    EXPECT_THROW(BertModel<float>::load(folder, throwing), std::runtime_error);
}

TEST(LoadOptions, TheFirstBrokenLayerIsNamed) {
    const TempFolder folder;
    copy_into(bert_models() / "base", folder.path());
    edit_tensors(folder.path() / "model.safetensors", [&](std::vector<RawTensor>& tensors) {
        for (const char* layer : {"0", "1"}) {
            tensor_named(tensors, "encoder.layer." + std::string(layer) + ".output.dense.weight").name += "s";
        }
    });
    bert::LoadOptions options;
    options.parallel_for = [](std::size_t count, const std::function<void(std::size_t)>& body) {
        for (std::size_t i = 0; i < count; ++i) body(i);
    };
    for (const auto& tried : {bert::LoadOptions{}, options}) {
        expect_error(bert::ErrorKind::format, {"encoder.layer.0.output.dense.weight", "missing"},
                     [&] { BertModel<float>::load(folder.path(), tried); });
    }
}

TEST(Weights, ThatAreNotFiniteAreNamed) {
    for (const float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        const TempFolder folder;
        copy_into(bert_models() / "base", folder.path());
        const std::string name = "encoder.layer.0.output.dense.weight";
        edit_tensors(folder.path() / "model.safetensors", [&](std::vector<RawTensor>& tensors) {
            std::string& bytes = tensor_named(tensors, name).data;
            std::memcpy(&bytes[bytes.size() / 2 / sizeof value * sizeof value], &value, sizeof value);
        });
        expect_error(bert::ErrorKind::format, {name, "model.safetensors"},
                     [&] { BertModel<std::int8_t>::load(folder.path()); });
    }
}

}  // namespace
