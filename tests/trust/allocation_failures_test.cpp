// Memory that runs out at every single allocation: loading, encoding and computing then throw, nothing is left behind,
// and everything that was there before works on.
#include "allocations.hpp"
#include "models.hpp"

#include <bert/core/thread_pool.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/tasks/fill_mask.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/text/tokenizer.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <new>
#include <optional>
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
template <class Call, class Check>
std::size_t expect_usable_after_every_failure(const Call& call, const Check& still_works) {
    call();  // what is made once stays
    const std::size_t live = Allocations::live_bytes;
    return bert_test::with_every_allocation_failing(call, [&](std::size_t number) {
        expect_out_of_memory(number);
        EXPECT_LE(Allocations::live_bytes, live + 4096) << "left behind after allocation " << number;
        // Checking takes longer than failing.
        if (number % 16 == 0) still_works();
    });
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
    options.max_length = 8;
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
    EXPECT_GT(expect_usable_after_every_failure(compute, same), 10u);
    same();
}

TEST(AllocationFailures, OfTasks) {
    const bert_test::TempFolder sentence;
    bert_test::assemble_sentence_model("dense_tanh", sentence.path());
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    const bert::SentenceEncoder encoder(sentence.path(), options);
    const std::vector<std::string> texts = {"The cat sat.", "", "A dog runs fast on the mat. A dog runs fast."};
    bert::EmbedOptions call;
    call.long_text = bert::LongText::average_windows;
    call.token_budget = 16;
    const bert::Matrix expected = encoder.encode(texts, call);
    const auto same = [&] { EXPECT_TRUE(bert_test::same_bits(encoder.encode(texts, call), expected)); };
    const auto embed = [&] {
        encoder.shrink();
        encoder.embed(texts, call);
    };
    EXPECT_GT(expect_usable_after_every_failure(embed, same), 20u);
    same();

    const GoldenFolder folder("heads/masked_lm");
    bert::TaskOptions task_options;
    task_options.threads = 2;
    const bert::FillMask task(folder.path(), task_options);
    const auto fill = [&] { return task.fill("The cat [MASK] on the mat.").masks.at(0).candidates.at(0).sequence; };
    const std::string filled = fill();
    EXPECT_GT(expect_usable_after_every_failure([&] { fill(); }, [&] { EXPECT_EQ(fill(), filled); }), 20u);
}

}  // namespace
