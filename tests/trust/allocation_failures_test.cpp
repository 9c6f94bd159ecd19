// Memory that runs out at every single allocation: loading, encoding and computing then throw, nothing is left behind,
// and everything that was there before works on.
#include "allocations.hpp"
#include "every_task.hpp"

#include <bert/bert.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <new>
#include <string>
#include <vector>

namespace {

using bert_test::Allocations;
using bert_test::GoldenFolder;

/// What was thrown where an allocation failed: std::bad_alloc, or an Error where a file could not be read for that.
void expect_out_of_memory(std::size_t number) {
    try {
        throw;
    } catch (const std::bad_alloc&) {
    } catch (const bert::Error& error) {
        EXPECT_EQ(error.kind(), bert::ErrorKind::file) << "allocation " << number << ": " << error.what();
    } catch (const std::exception& error) {
        ADD_FAILURE() << "allocation " << number << ": " << error.what();
    }
}

/// Lets every allocation of `call` fail in turn and expects that nothing of what it allocated is left each time, and
/// that `still_works` holds then.
/// `kept`: bytes that the call may keep for the next one. `step`: 2 lets every other allocation fail, and so on.
template <class Call, class Check>
std::size_t expect_usable_after_every_failure(const Call& call, const Check& still_works, std::size_t kept = 4096,
                                              std::size_t step = 1) {
    call();  // what is made once stays
    const std::size_t live = Allocations::live_bytes;
    return bert_test::with_every_allocation_failing(
        call,
        [&](std::size_t number) {
            expect_out_of_memory(number);
            EXPECT_LE(Allocations::live_bytes, live + kept) << "left behind after allocation " << number;
            // Checking takes longer than failing.
            if (number / step % 16 == 0) still_works();
        },
        step);
}

TEST(AllocationFailures, OfLoadingATokenizer) {
    const GoldenFolder folder("models/sentence/transformer");
    const auto load = [&] { const auto tokenizer = bert::Tokenizer::load(folder.path()); };
    EXPECT_GT(expect_usable_after_every_failure(load, [] {}), 100u);
    bert_test::fs::remove(folder.path() / "tokenizer.json");
    EXPECT_GT(expect_usable_after_every_failure(load, [] {}), 100u);
}

TEST(AllocationFailures, OfLoadingASentenceEncoder) {
    const bert_test::TempFolder folder;
    bert_test::assemble_sentence_model("dense_tanh", folder.path());
    bert::SentenceEncoderOptions options;
    options.threads = 1;
    const auto load = [&] { const bert::SentenceEncoder encoder(folder.path(), options); };
    EXPECT_GT(expect_usable_after_every_failure(load, [] {}), 1000u);
}

TEST(AllocationFailures, OfLoadingEveryTypeOfWeights) {
    const bert_test::TempFolder folder;
    bert_test::ModelSizes sizes;
    sizes.layers = 1;
    bert_test::write_random_model(folder.path(), sizes, 1);
    for (const auto type : {bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8}) {
        const auto load = [&] { const auto model = bert::AnyBertModel::load(folder.path(), type); };
        EXPECT_GT(expect_usable_after_every_failure(load, [] {}), 100u);
    }
}

TEST(AllocationFailures, OfTokenizing) {
    const GoldenFolder folder("models/sentence/transformer");
    const auto tokenizer = bert::Tokenizer::load(folder.path());
    const std::string text = "The cat sat on na\u00EFve \u4E2D\u6587 mats, unaffable [MASK] \xFF.";
    bert::EncodeOptions options;
    options.max_length = 12;
    options.stride = 2;
    options.overflowing = true;
    options.pad_to = 10;
    const auto expected = tokenizer.encode(text, text, options);
    const auto encode = [&] { tokenizer.encode(text, text, options); };
    EXPECT_GT(expect_usable_after_every_failure(
                  encode, [&] { EXPECT_EQ(tokenizer.encode(text, text, options).ids, expected.ids); }),
              10u);

    bert::TokenIds ids;
    const auto encode_ids = [&] {
        bert::TokenIds fresh;
        tokenizer.encode_ids(text, options, fresh);
        tokenizer.encode_ids(text, options, ids);
    };
    const auto decode = [&] { EXPECT_FALSE(tokenizer.decode(expected.ids, false).empty()); };
    EXPECT_GT(expect_usable_after_every_failure(encode_ids, decode), 5u);
    EXPECT_GT(expect_usable_after_every_failure([&] { tokenizer.decode(expected.ids, false); }, decode), 5u);
}

TEST(AllocationFailures, OfForwardPassesOnThreads) {
    const bert_test::TempFolder folder;
    bert_test::write_random_model(folder.path(), {}, 2);
    const auto model = bert::BertModel<float>::load(folder.path());
    bert_test::Random random(7);
    bert::Batch batch;
    for (int i = 0; i < 5; ++i) {
        const auto ids = bert_test::random_ids(random, 60, 50);
        batch.add(ids.data(), nullptr, ids.size());
    }
    bert::ForwardOptions options;
    options.hidden_states = options.attentions = options.pooler_output = true;
    const bert::Matrix expected = model.forward(batch).last_hidden_state;
    // Threads and workspace are kept from failure to failure, and made anew.
    bert::ThreadPool kept(3);
    bert::Workspace workspace(&kept);
    const auto compute = [&] {
        model.forward(batch, workspace, options);
        bert::ThreadPool fresh(2);
        bert::Workspace own(&fresh);
        model.forward(batch, own, options);
    };
    const auto same = [&] {
        EXPECT_TRUE(bert_test::same_bits(model.forward(batch, workspace).last_hidden_state, expected));
    };
    // What threads are refused memory for is done by fewer of them, so not every failure is an exception.
    EXPECT_GT(expect_usable_after_every_failure(compute, same, 2 * workspace.capacity() + (1 << 18)), 10u);
    same();
}

/// What every task does: opening it, and a call of it.
class AllocationFailuresOf : public testing::TestWithParam<bert_test::TaskCase> {};

TEST_P(AllocationFailuresOf, ATask) {
    const bert_test::TaskCase& task = GetParam();
    const GoldenFolder folder(task.folder, task.overlay ? task.overlay : "");
    // One thread: others get their memory when they get to work, which may be late.
    const bert_test::OpenedTask opened = task.open(folder.path(), 1);
    const auto result = [&] {
        bert_test::Bytes bytes;
        opened(bytes);
        return bytes.text();
    };
    const std::string expected = result();
    const auto same = [&] { EXPECT_EQ(result(), expected); };
    // Most of opening is the same for all tasks, and done one by one above: every seventh is enough.
    EXPECT_GT(expect_usable_after_every_failure([&] { task.open(folder.path(), 2); }, same, 4096, 7), 100u);
    EXPECT_GT(expect_usable_after_every_failure([&] { (void)result(); }, same), 20u);
    same();
}

INSTANTIATE_TEST_SUITE_P(Every, AllocationFailuresOf, testing::ValuesIn(bert_test::every_task()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(AllocationFailures, OfLoadingModelsOfOneFile) {
    const bert_test::TempFolder target;
    const auto converted = target.path() / "model.bert";
    bert::convert_model(bert_test::data_dir() / "models/sentence/transformer", converted, bert::StorageType::int8);
    for (const bert_test::fs::path& file : {converted, bert_test::data_dir() / "gguf" / "q8_0.gguf"}) {
        const auto load = [&] { const bert::SentenceEncoder encoder(file); };
        EXPECT_GT(expect_usable_after_every_failure(load, [] {}), 100u);
    }
}

TEST(AllocationFailures, OfSavingATrainedHead) {
    const GoldenFolder folder("heads/classifier");
    const bert_test::TempFolder target;
    const bert::HeadTrainer trainer(folder.path());
    bert::TrainedHead head;
    head.labels = {"cat", "dog"};
    const auto hidden = trainer.model().config().hidden_size;
    head.pooler_weight = bert::Matrix::Identity(hidden, hidden);
    head.pooler_bias = bert::Vector<float>::Zero(hidden);
    head.weight = bert::Matrix::Ones(2, hidden);
    head.bias = bert::Vector<float>::Zero(2);
    const auto saved = target.path() / "head";
    const auto save = [&] { trainer.save(head, saved); };
    EXPECT_GT(expect_usable_after_every_failure(save, [] {}), 100u);
    EXPECT_EQ(bert::TextClassifier(saved).labels(), head.labels);
}

TEST(AllocationFailures, OfConverting) {
    const GoldenFolder folder("models/sentence/transformer");
    const bert_test::TempFolder target;
    const auto file = target.path() / "model.bert";
    const auto convert = [&] {
        bert::convert_model(folder.path(), file, bert::StorageType::int8);
        bert_test::fs::remove(file);
    };
    // A file is there as a whole or not at all, and nothing else is.
    const auto nothing = [&] { EXPECT_TRUE(bert_test::fs::is_empty(target.path())); };
    EXPECT_GT(expect_usable_after_every_failure(convert, nothing, 4096, 37), 1000u);
}

}  // namespace
