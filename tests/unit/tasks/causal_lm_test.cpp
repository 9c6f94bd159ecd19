// CausalLM: what it streams, and bad input and folders.
#include <bert/tasks/causal_lm.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include "../test_support.hpp"
#include "generation_cases.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

using bert::CausalLM;
using bert::ErrorKind;
using bert::GenerationOptions;
using namespace bert_test;

namespace {

TEST(CausalLM, TokensAreStreamedAsTheyAreChosen) {
    const CausalLM model(decoder_models() / "causal_lm");
    const auto cases = generation_cases("causal_lm");
    GenerationOptions options;
    options.max_new_tokens = 9;
    std::vector<bert::GeneratedSequence> streamed(cases[0].prompts.size());
    options.on_token = [&](const bert::GeneratedToken& token) {
        EXPECT_EQ(token.sequence, 0u);
        streamed[token.prompt].tokens.push_back(token.id);
        streamed[token.prompt].token_scores.push_back(token.score);
        if (token.last) streamed[token.prompt].finish = bert::FinishReason::end_token;
    };
    const auto results = model.generate_ids(cases[0].prompts, options);
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i][0].tokens, streamed[i].tokens);
        EXPECT_EQ(results[i][0].token_scores, streamed[i].token_scores);
    }
    std::size_t seen = 0;
    options.on_token = [&](const bert::GeneratedToken&) {
        if (++seen == 3) throw std::runtime_error("enough");
    };
    EXPECT_THROW(model.generate_ids({cases[0].prompts[1]}, options), std::runtime_error);
    EXPECT_EQ(seen, 3u);
    options.on_token = nullptr;
    EXPECT_FALSE(model.generate_ids({cases[0].prompts[1]}, options).at(0).empty());
    options.num_beams = 2;
    options.progress = [](std::size_t, std::size_t) { throw std::runtime_error("enough"); };
    EXPECT_THROW(model.generate_ids({cases[0].prompts[1]}, options), std::runtime_error);
}

TEST(CausalLM, BadInputIsNamed) {
    const auto folder = decoder_models() / "causal_lm";
    const CausalLM model(folder);
    const auto refuses = [&](const std::vector<Ids>& prompts, const GenerationOptions& options,
                             const std::vector<std::string>& parts) {
        expect_error(ErrorKind::input, parts, [&] { model.generate_ids(prompts, options); });
    };
    refuses({{5}, {}}, {}, {"prompt 1", "no tokens"});
    refuses({{5}, {5, 1000}}, {}, {"prompt 1", "1000", "122"});
    refuses({{5, -1}}, {}, {"-1"});
    refuses({Ids(41, 7)}, {}, {"prompt 0", "41 tokens"});
    refuses({Ids(40, 7)}, {}, {"40 tokens", "40"});  // the default length ends with the positions
    GenerationOptions one;
    one.max_new_tokens = 1;
    EXPECT_EQ(model.generate_ids({Ids(40, 7)}, one)[0][0].tokens.size(), 1u);
    one.max_new_tokens = 2;
    refuses({Ids(40, 7)}, one, {"max_new_tokens", "42", "41"});
    GenerationOptions streamed;
    streamed.num_beams = 2;
    streamed.on_token = [](const bert::GeneratedToken&) {};
    refuses({{5}}, streamed, {"on_token", "num_beams"});
    EXPECT_TRUE(model.generate_ids({}).empty());
    EXPECT_TRUE(model.generate(std::vector<std::string>{}).empty());
    expect_error(ErrorKind::input, {"no tokens"}, [&] {
        GenerationOptions without_bos;
        const TempFolder copy;
        copy_into(folder, copy.path());
        remove_key(copy.path() / "generation_config.json", "bos_token_id");
        CausalLM(copy.path()).generate({""}, without_bos, false);
    });
    EXPECT_EQ(model.generate({""}, one, false)[0][0].tokens, model.generate_ids({{2}}, one)[0][0].tokens);
    const CausalLM wordless(decoder_models() / "bert_generation");
    expect_error(ErrorKind::input, {"tokenizer", "generate_ids"}, [&] { wordless.generate({"a"}); });
}

TEST(CausalLM, FoldersOfOtherKindsAreNamed) {
    expect_error(ErrorKind::unsupported, {"is_decoder", "it serves: text2text-generation"},
                 [] { CausalLM model(decoder_models() / "seq2seq"); });
    expect_error(ErrorKind::unsupported, {"is_decoder", "it serves: sentence-embedding"},
                 [] { CausalLM model(bert_models() / "base"); });
    expect_error(ErrorKind::file, {"no such folder"}, [] { CausalLM model("no such folder"); });
    expect_error(ErrorKind::unsupported, {"is_decoder", "it serves: text-generation"},
                 [] { bert::SentenceEncoder model(decoder_models() / "causal_lm"); });
    const auto changed = [](const char* key, const Json& value) {
        const TempFolder copy;
        copy_into(decoder_models() / "causal_lm", copy.path());
        set_key(copy.path() / "config.json", key, value);
        CausalLM model(copy.path());
    };
    expect_error(ErrorKind::unsupported, {"add_cross_attention"}, [&] { changed("add_cross_attention", true); });
    expect_error(ErrorKind::unsupported, {"roberta"}, [&] { changed("model_type", "roberta"); });
    expect_error(ErrorKind::format, {"encoder.layer.2"}, [&] { changed("num_hidden_layers", 3); });
    expect_error(ErrorKind::format, {"unexpected", "encoder.layer.1"}, [&] { changed("num_hidden_layers", 1); });
    expect_error(ErrorKind::format, {"cls.predictions.decoder.weight"}, [&] { changed("tie_word_embeddings", false); });
    expect_error(ErrorKind::format, {"lm_head"}, [&] {
        const TempFolder copy;
        copy_into(decoder_models() / "bert_generation", copy.path());
        edit_tensors(copy.path() / "model.safetensors",
                     [](auto& tensors) { tensor_named(tensors, "lm_head.bias").name = "lm_tail.bias"; });
        CausalLM model(copy.path());
    });
}

}  // namespace
