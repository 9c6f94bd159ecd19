// Seq2Seq: folders of older versions, long sources, a tokenizer for generated texts, and bad input and folders.
#include <bert/tasks/seq2seq.hpp>

#include "../test_support.hpp"
#include "generation_cases.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

using bert::ErrorKind;
using bert::GenerationOptions;
using bert::Seq2Seq;
using namespace bert_test;

namespace {

TEST(Seq2Seq, FoldersOfOlderVersionsKeepTheirSettingsInTheModelsConfig) {
    const TempFolder folder;
    copy_into(decoder_models() / "seq2seq", folder.path());
    fs::remove(folder.path() / "generation_config.json");
    copy_into(decoder_models() / "seq2seq_legacy", folder.path());
    const Json legacy = decoder_expectations("seq2seq").at("legacy");
    const Seq2Seq model(folder.path());
    const auto results = model.generate_ids({legacy.at("prompt").get<Ids>()});
    const auto expected = legacy.at("tokens").get<std::vector<Ids>>();
    ASSERT_EQ(results.at(0).size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        Ids whole{2};
        whole.insert(whole.end(), results[0][i].tokens.begin(), results[0][i].tokens.end());
        whole.resize(std::max(whole.size(), expected[i].size()), 0);  // transformers fills up with [PAD]
        EXPECT_EQ(whole, expected[i]);
    }
    // What the caller says goes before the folder.
    GenerationOptions options;
    options.num_beams = 1;
    options.num_return_sequences = 1;
    options.max_new_tokens = 3;
    EXPECT_EQ(model.generate_ids({{7, 8}}, options).at(0).at(0).tokens.size(), 3u);
}

TEST(Seq2Seq, LongSourcesFailOrAreCutOnRequest) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "cat ";
    const Seq2Seq model(decoder_models() / "seq2seq");
    expect_error(ErrorKind::input, {"source 1", "62", "32"}, [&] { model.generate({"a", text}); });
    bert::Seq2SeqOptions options;
    options.truncate = true;
    const auto result = Seq2Seq(decoder_models() / "seq2seq", options).generate({"a", text});
    EXPECT_FALSE(result.sources.at(0).truncated);
    EXPECT_TRUE(result.sources.at(1).truncated);
    EXPECT_EQ(result.sources.at(1).tokens, 32u);
}

TEST(Seq2Seq, TheTextsOfAnotherVocabularyHaveATokenizerOfTheirOwn) {
    const std::string text = "The cat sat on the mat.";
    const auto plain = Seq2Seq(decoder_models() / "seq2seq").generate({text}).sequences.at(0).at(0);
    const TempFolder target;  // the same vocabulary, but for one word that came up
    std::istringstream lines(read_bytes(decoder_models() / "seq2seq" / "vocab.txt"));
    std::string vocabulary;
    std::string word;
    for (std::int32_t id = 0; std::getline(lines, word); ++id)
        vocabulary += (id == plain.tokens[1] ? "rug" : word) + "\n";
    write_bytes(target.path() / "vocab.txt", vocabulary);
    bert::Seq2SeqOptions options;
    options.target_tokenizer = target.path();
    const auto other = Seq2Seq(decoder_models() / "seq2seq", options).generate({text}).sequences.at(0).at(0);
    EXPECT_EQ(plain.tokens, other.tokens);
    EXPECT_EQ(plain.text.find("rug"), std::string::npos);
    EXPECT_NE(other.text.find("rug"), std::string::npos);
}

TEST(Seq2Seq, BadInputIsNamed) {
    const Seq2Seq model(decoder_models() / "seq2seq_projection");
    expect_error(ErrorKind::input, {"source 1", "0 tokens"}, [&] { model.generate_ids({{5}, {}}); });
    expect_error(ErrorKind::input, {"source 0", "53"}, [&] { model.generate_ids({{53}}); });
    expect_error(ErrorKind::input, {"source 0", "21 tokens", "20"}, [&] { model.generate_ids({Ids(21, 5)}); });
    expect_error(ErrorKind::input, {"tokenizer"}, [&] { model.generate({"a"}); });
    GenerationOptions options;
    options.decoder_start_token_id = 67;
    expect_error(ErrorKind::input, {"67"}, [&] { model.generate_ids({{5}}, options); });
    options = {};
    options.max_length = 34;
    expect_error(ErrorKind::input, {"max_length", "34", "33"}, [&] { model.generate_ids({{5}}, options); });
    EXPECT_TRUE(model.generate_ids({}).empty());

    expect_error(ErrorKind::unsupported, {"model_type", "it serves: text-generation"},
                 [] { Seq2Seq(decoder_models() / "causal_lm"); });
    const auto changed = [](const auto& change) {
        const TempFolder copy;
        copy_into(decoder_models() / "seq2seq_projection", copy.path());
        Json config = read_json(copy.path() / "config.json");
        change(config, copy.path());
        write_json(copy.path() / "config.json", config);
        Seq2Seq(copy.path()).generate_ids({{5}});
    };
    changed([](Json&, const fs::path&) {});
    expect_error(ErrorKind::format, {"decoder", "missing"},
                 [&] { changed([](Json& c, auto&) { c.erase("decoder"); }); });
    expect_error(ErrorKind::format, {"encoder", "an object"},
                 [&] { changed([](Json& c, auto&) { c["encoder"] = 3; }); });
    expect_error(ErrorKind::unsupported, {"is_decoder", "decoder"},
                 [&] { changed([](Json& c, auto&) { c["decoder"]["is_decoder"] = false; }); });
    expect_error(ErrorKind::unsupported, {"add_cross_attention"},
                 [&] { changed([](Json& c, auto&) { c["decoder"]["add_cross_attention"] = false; }); });
    expect_error(ErrorKind::unsupported, {"is_decoder", "encoder"},
                 [&] { changed([](Json& c, auto&) { c["encoder"]["is_decoder"] = true; }); });
    expect_error(ErrorKind::unsupported, {"t5", "encoder"},
                 [&] { changed([](Json& c, auto&) { c["encoder"]["model_type"] = "t5"; }); });
    expect_error(ErrorKind::format, {"enc_to_dec_proj"}, [&] {
        changed([](Json&, const fs::path& folder) {
            edit_tensors(folder / "model.safetensors",
                         [](auto& tensors) { tensor_named(tensors, "enc_to_dec_proj.bias").name = "elsewhere"; });
        });
    });
    expect_error(ErrorKind::input, {"decoder_start_token_id"}, [&] {
        changed([](Json&, const fs::path& folder) { write_json(folder / "generation_config.json", Json::object()); });
    });
}

}  // namespace
