// The promise of packed batches: a text's numbers have the same bits alone, in any batch, on any number of threads and
// in any workspace.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::Index;

struct Text {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> types;
};

std::vector<Text> random_texts(const ModelSizes& sizes, const std::vector<std::size_t>& lengths, std::uint32_t seed) {
    Random random(seed);
    std::vector<Text> texts;
    for (const std::size_t length : lengths) {
        Text text;
        for (std::size_t i = 0; i < length; ++i) {
            text.ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::size_t>(sizes.vocab))));
            text.types.push_back(static_cast<std::int32_t>(random.below(static_cast<std::size_t>(sizes.types))));
        }
        texts.push_back(std::move(text));
    }
    return texts;
}

bert::ForwardOptions all_outputs() {
    bert::ForwardOptions options;
    options.hidden_states = options.attentions = options.pooler_output = true;
    return options;
}

template <class T>
bert::Matrix rows_of(const bert::RowMatrix<T>& matrix, const bert::Batch& batch, Index text) {
    return matrix.middleRows(batch.offsets[static_cast<std::size_t>(text)], batch.length(text));
}

struct Shape {
    const char* name;
    ModelSizes sizes;
    std::vector<std::size_t> lengths;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    return out << shape.name;
}

/// A made-up model computing with one table of kernels, some texts, and what each text gives alone on one thread.
class Batching : public testing::TestWithParam<std::tuple<Shape, const bert::KernelTable<float>*>> {
protected:
    Batching() {
        write_random_model(folder_.path(), shape_.sizes, 7);
        bert::LoadOptions options;
        options.kernels = std::get<1>(GetParam())->name;
        model_ = std::make_unique<bert::BertModel<float>>(bert::BertModel<float>::load(folder_.path(), options));
        texts_ = random_texts(shape_.sizes, shape_.lengths, 11);
        for (const auto& text : texts_) {
            bert::Batch batch;
            batch.add(text.ids.data(), text.types.data(), text.ids.size());
            alone_.push_back(model_->forward(batch, all_outputs()));
        }
    }

    /// Runs the texts `order` as one batch and compares each with the text alone.
    void expect_same_bits(const std::vector<std::size_t>& order, bert::Workspace& workspace, const std::string& what) {
        bert::Batch batch;
        for (const std::size_t i : order) batch.add(texts_[i].ids.data(), texts_[i].types.data(), texts_[i].ids.size());
        const auto output = model_->forward(batch, workspace, all_outputs());
        const auto heads = static_cast<std::size_t>(shape_.sizes.heads);
        for (std::size_t at = 0; at < order.size(); ++at) {
            const auto& alone = alone_[order[at]];
            const auto text = static_cast<Index>(at);
            for (std::size_t layer = 0; layer < alone.hidden_states.size(); ++layer) {
                ASSERT_TRUE(same_bits(rows_of(output.hidden_states[layer], batch, text), alone.hidden_states[layer]))
                    << what << ", text " << order[at] << " at " << at << ", layer " << layer;
            }
            const bert::Matrix pooled = output.pooler_output.row(text);
            ASSERT_TRUE(same_bits(pooled, alone.pooler_output)) << what << ", text " << order[at];
            for (std::size_t layer = 0; layer < alone.attentions.size(); ++layer) {
                for (std::size_t head = 0; head < heads; ++head) {
                    ASSERT_TRUE(same_bits(output.attentions[layer][at * heads + head], alone.attentions[layer][head]))
                        << what << ", text " << order[at] << ", layer " << layer << ", head " << head;
                }
            }
        }
    }

    std::vector<std::size_t> in_order() const {
        std::vector<std::size_t> order(texts_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        return order;
    }

    const Shape shape_ = std::get<0>(GetParam());
    TempFolder folder_;
    std::unique_ptr<bert::BertModel<float>> model_;
    std::vector<Text> texts_;
    std::vector<bert::ModelOutput<float>> alone_;
};

TEST_P(Batching, AnyOrderGivesTheSameBits) {
    bert::Workspace workspace;
    auto order = in_order();
    expect_same_bits(order, workspace, "in order");
    std::reverse(order.begin(), order.end());
    expect_same_bits(order, workspace, "reversed");
    Random random(3);
    for (int round = 0; round < 6; ++round) {
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
        const std::size_t count = 1 + random.below(order.size());
        expect_same_bits({order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)}, workspace, "shuffled");
    }
    expect_same_bits({0, 0, 0, 0, 0}, workspace, "repeated");
}

TEST_P(Batching, AnyNumberOfThreadsGivesTheSameBits) {
    for (const unsigned threads : {1u, 2u, 3u, 8u}) {
        bert::ThreadPool pool(threads);
        bert::Workspace workspace(&pool);
        for (int round = 0; round < 3; ++round) {
            expect_same_bits(in_order(), workspace, std::to_string(threads) + " threads");
        }
        expect_same_bits({texts_.size() - 1}, workspace, std::to_string(threads) + " threads, one text");
    }
}

TEST_P(Batching, ThreadsOfTheCallerMayShareModelAndPool) {
    bert::ThreadPool pool(3);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
        callers.emplace_back([&, i] {
            bert::Workspace workspace(i % 2 == 0 ? &pool : nullptr);
            for (int round = 0; round < 3; ++round) {
                expect_same_bits(in_order(), workspace, "caller " + std::to_string(i));
            }
        });
    }
    for (auto& caller : callers) caller.join();
}

TEST_P(Batching, FloatStaysCloseToDouble) {
    const auto exact = bert::BertModel<double>::load(folder_.path());
    double worst = 0;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
        bert::Batch batch;
        batch.add(texts_[i].ids.data(), texts_[i].types.data(), texts_[i].ids.size());
        worst = std::max(worst, max_difference(alone_[i].last_hidden_state, exact.forward(batch).last_hidden_state));
    }
    EXPECT_LE(worst, 1e-5);
    report_worst(std::string(shape_.name) + " with " + std::get<1>(GetParam())->name + ", float against double", worst);
}

// Lengths around the sizes in which work is cut (4, 32, 64 and 256 rows), sizes around vector and panel widths.
INSTANTIATE_TEST_SUITE_P(
    Shapes, Batching,
    testing::Combine(
        testing::Values(Shape{"Small", {50, 24, 2, 3, 40, 512, 2}, {1, 2, 3, 4, 5, 7, 31, 32, 33, 64, 1, 65, 100}},
                        Shape{"HeadsOf20", {50, 60, 1, 3, 86, 512, 1}, {9, 1, 63, 17, 4, 128, 5}},
                        Shape{"Hidden100", {50, 100, 1, 5, 131, 512, 3}, {13, 40, 1, 22, 3}},
                        Shape{"OddEverywhere", {50, 33, 2, 11, 17, 512, 2}, {3, 11, 1, 1, 1, 70, 2}},
                        Shape{"HeadsOfOne", {50, 5, 2, 5, 1, 512, 2}, {6, 1, 45, 2}},
                        Shape{"LongTexts", {50, 16, 1, 2, 20, 512, 2}, {512, 257, 3, 300, 256}}),
        testing::ValuesIn(bert::available_kernels<float>())),
    [](const auto& info) { return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param)->name; });

TEST(Workspace, IsUsableAfterAnErrorAndAfterLargerAndSmallerPasses) {
    const TempFolder folder;
    const ModelSizes sizes;
    write_random_model(folder.path(), sizes, 5);
    const auto model = bert::BertModel<float>::load(folder.path());
    const auto texts = random_texts(sizes, {3, 200, 5}, 6);
    bert::Workspace workspace;
    const auto run = [&](std::size_t i) {
        bert::Batch batch;
        batch.add(texts[i].ids.data(), texts[i].types.data(), texts[i].ids.size());
        return model.forward(batch, workspace).last_hidden_state;
    };
    const bert::Matrix first = run(0);
    bert::Batch bad;
    bad.ids = {1, 50};
    bad.type_ids = {0, 0};
    bad.offsets = {0, 2};
    EXPECT_THROW((void)model.forward(bad, workspace), bert::Error);
    (void)run(1);
    const std::size_t capacity = workspace.capacity();
    EXPECT_TRUE(same_bits(run(0), first));
    (void)run(2);
    (void)run(1);
    EXPECT_EQ(workspace.capacity(), capacity);
    workspace.shrink();
    EXPECT_EQ(workspace.capacity(), 0u);
    EXPECT_TRUE(same_bits(run(0), first));
}

}  // namespace
