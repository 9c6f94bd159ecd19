// How the files of a folder become a TokenizerConfig, and what is said of broken ones.
#include <bert/io/tokenizer_folder.hpp>

#include "../test_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

using bert::ErrorKind;
using bert::load_tokenizer_config;
using bert::TemplatePiece;
using bert::TokenizerConfig;
using bert_test::expect_error;
using bert_test::Json;
using bert_test::TempFolder;
using bert_test::write_bytes;
using bert_test::write_json;

namespace {

Json bert_json() {
    return Json::parse(R"({
        "version": "1.0", "truncation": {"max_length": 3}, "padding": {"strategy": "BatchLongest"},
        "added_tokens": [{"id": 0, "content": "[PAD]", "single_word": false, "lstrip": true, "rstrip": false,
                          "normalized": false, "special": true}],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 9}}})");
}

TokenizerConfig load(const Json& json) {
    const TempFolder folder;
    write_json(folder.path() / "tokenizer.json", json);
    return load_tokenizer_config(folder.path());
}

/// Expects an error after `change` was made to a good tokenizer.json.
template <class Change>
void expect_refused(ErrorKind kind, std::vector<std::string> parts, const Change& change) {
    Json json = bert_json();
    change(json);
    parts.push_back("tokenizer.json");
    expect_error(kind, parts, [&] { load(json); });
}

bert::NormalizerConfig load_normalizer(const char* normalizer) {
    Json json = bert_json();
    json["normalizer"] = Json::parse(normalizer);
    return load(json).normalizer;
}

TEST(TokenizerConfig, ReadsTokenizerJson) {
    const TokenizerConfig config = load(bert_json());
    EXPECT_EQ(config.vocabulary.size(), 5u);
    const auto a = std::find_if(config.vocabulary.begin(), config.vocabulary.end(),
                                [](const auto& entry) { return entry.token == "a"; });
    ASSERT_NE(a, config.vocabulary.end());
    EXPECT_EQ(a->id, 9);
    EXPECT_TRUE(config.normalizer.clean_text && config.normalizer.handle_chinese_chars && config.normalizer.lowercase);
    EXPECT_TRUE(config.normalizer.strip_nonspacing_marks);  // null follows lowercase
    ASSERT_EQ(config.added_tokens.size(), 1u);
    EXPECT_TRUE(config.added_tokens[0].lstrip && config.added_tokens[0].special && !config.added_tokens[0].normalized);
    ASSERT_EQ(config.pair.size(), 5u);
    EXPECT_EQ(config.pair[4].type_id, 1);
    EXPECT_EQ(config.pair[3].kind, TemplatePiece::Kind::second);
    EXPECT_FALSE(config.model_max_length.has_value());
}

TEST(TokenizerConfig, ReadsNormalizersTheFieldsCanExpress) {
    auto config = load_normalizer(R"({"type": "Sequence", "normalizers": [{"type": "Lowercase"},
        {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false, "strip_accents": true, "lowercase": false}]})");
    EXPECT_TRUE(config.lowercase_first && config.clean_text && config.strip_nonspacing_marks && config.decompose);
    EXPECT_FALSE(config.lowercase || config.handle_chinese_chars);
    config = load_normalizer(
        R"({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}]})");
    EXPECT_TRUE(config.decompose && config.lowercase && config.strip_marks && !config.lowercase_first);
    config = load_normalizer("null");
    EXPECT_FALSE(config.clean_text || config.lowercase);
    expect_error(ErrorKind::unsupported, {"NFD"}, [] {
        load_normalizer(R"({"type": "Sequence", "normalizers": [{"type": "StripAccents"}, {"type": "NFD"}]})");
    });
}

TEST(TokenizerConfig, ReadsTemplates) {
    Json json = bert_json();
    json["post_processor"] = Json::parse(R"({"type": "Sequence", "processors": [{"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "X", "type_id": 4}}, {"Sequence": {"id": "A", "type_id": 5}}],
        "pair": [{"Sequence": {"id": "B", "type_id": 1}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"X": {"id": "X", "ids": [2, 3], "tokens": ["x", "y"]}}}]})");
    const TokenizerConfig config = load(json);
    ASSERT_EQ(config.single.size(), 2u);
    EXPECT_EQ(config.single[0].ids, (std::vector<std::int32_t>{2, 3}));
    EXPECT_EQ(config.single[0].tokens, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(config.single[1].type_id, 5);
    ASSERT_EQ(config.pair.size(), 2u);
    EXPECT_EQ(config.pair[0].kind, TemplatePiece::Kind::second);
    json["post_processor"] = nullptr;
    EXPECT_EQ(load(json).single.size(), 1u);
    EXPECT_EQ(load(json).pair.size(), 2u);
}

TEST(TokenizerConfig, NamesWhatItDoesNotSupport) {
    const auto unsupported = ErrorKind::unsupported;
    expect_refused(unsupported, {"NFKC"}, [](Json& j) { j["normalizer"]["type"] = "NFKC"; });
    expect_refused(unsupported, {"Whitespace"}, [](Json& j) { j["pre_tokenizer"]["type"] = "Whitespace"; });
    expect_refused(unsupported, {"pre-tokenizer"}, [](Json& j) { j["pre_tokenizer"] = nullptr; });
    expect_refused(unsupported, {"RobertaProcessing"},
                   [](Json& j) { j["post_processor"]["type"] = "RobertaProcessing"; });
    expect_refused(unsupported, {"BPE"}, [](Json& j) { j["model"]["type"] = "BPE"; });
    expect_refused(unsupported, {"model", "without a type"}, [](Json& j) {
        j["model"].erase("type");
        j["model"]["merges"] = Json::array();
    });
    expect_refused(unsupported, {"ByteLevel"}, [](Json& j) { j["decoder"]["type"] = "ByteLevel"; });
    expect_refused(unsupported, {"2.0"}, [](Json& j) { j["version"] = "2.0"; });
    expect_refused(unsupported, {"2 post-processors"}, [](Json& j) {
        j["post_processor"] = {{"type", "Sequence"}, {"processors", {j["post_processor"], j["post_processor"]}}};
    });
}

TEST(TokenizerConfig, NamesWhatIsBroken) {
    const auto format = ErrorKind::format;
    expect_refused(format, {"\"model\"", "missing"}, [](Json& j) { j.erase("model"); });
    expect_refused(format, {"\"vocab\"", "an object"}, [](Json& j) { j["model"]["vocab"] = Json::array({"a"}); });
    expect_refused(format, {"\"a\"", "-1"}, [](Json& j) { j["model"]["vocab"]["a"] = -1; });
    expect_refused(format, {"\"a\"", "1.5"}, [](Json& j) { j["model"]["vocab"]["a"] = 1.5; });
    expect_refused(format, {"\"a\"", "4294967296"}, [](Json& j) { j["model"]["vocab"]["a"] = 4294967296; });
    expect_refused(format, {"\"a\"", "\"1\""}, [](Json& j) { j["model"]["vocab"]["a"] = "1"; });
    expect_refused(format, {"unk_token"}, [](Json& j) { j["model"].erase("unk_token"); });
    expect_refused(format, {"max_input_chars_per_word", "-1"},
                   [](Json& j) { j["model"]["max_input_chars_per_word"] = -1; });
    expect_refused(format, {"lowercase"}, [](Json& j) { j["normalizer"]["lowercase"] = "yes"; });
    expect_refused(format, {"clean_text"}, [](Json& j) { j["normalizer"].erase("clean_text"); });
    expect_refused(format, {"normalizer"}, [](Json& j) { j["normalizer"] = "BertNormalizer"; });
    expect_refused(format, {"added_tokens"}, [](Json& j) { j["added_tokens"] = 1; });
    expect_refused(format, {"content"}, [](Json& j) { j["added_tokens"][0].erase("content"); });
    expect_refused(format, {"added token"}, [](Json& j) { j["added_tokens"][0] = "[PAD]"; });
    expect_refused(format, {"cls"}, [](Json& j) { j["post_processor"]["cls"] = Json::array({"[CLS]"}); });
    expect_refused(format, {"prefix"}, [](Json& j) { j["decoder"].erase("prefix"); });
    const auto with_template = [](const char* single) {
        return [single](Json& j) {
            j["post_processor"] = {{"type", "TemplateProcessing"},
                                   {"single", Json::parse(single)},
                                   {"pair", Json::array()},
                                   {"special_tokens", {{"X", {{"id", "X"}, {"ids", {1, 2}}, {"tokens", {"x"}}}}}}};
        };
    };
    expect_refused(format, {"\"Y\""}, with_template(R"([{"SpecialToken": {"id": "Y", "type_id": 0}}])"));
    expect_refused(format, {"2 ids", "1 tokens"}, with_template(R"([{"SpecialToken": {"id": "X", "type_id": 0}}])"));
    expect_refused(format, {"\"B\""}, with_template(R"([{"Sequence": {"id": "B", "type_id": 0}}])"));
    expect_refused(format, {"type_id"}, with_template(R"([{"Sequence": {"id": "A"}}])"));
    expect_refused(format, {"Sequence"}, with_template(R"(["A"])"));
}

TEST(TokenizerConfig, NamesFilesThatAreMissingOrNotJson) {
    const TempFolder folder;
    expect_error(ErrorKind::file, {"tokenizer.json", "vocab.txt"}, [&] { load_tokenizer_config(folder.path()); });
    expect_error(ErrorKind::file, {"absent"}, [&] { load_tokenizer_config(folder.path() / "absent"); });
    expect_error(ErrorKind::file, {"absent.txt"}, [&] { load_tokenizer_config(folder.path() / "absent.txt"); });
    for (const char* content : {"", "{", "[]", "{\"model\": {\"vocab\": {\"\\ud800\": 0}}}", "\xFF"}) {
        write_bytes(folder.path() / "tokenizer.json", content);
        expect_error(ErrorKind::format, {"tokenizer.json"}, [&] { load_tokenizer_config(folder.path()); });
    }
    write_bytes(folder.path() / "tokenizer.json", std::string(100000, '['));
    expect_error(ErrorKind::format, {"tokenizer.json", "deep"}, [&] { load_tokenizer_config(folder.path()); });
}

TEST(TokenizerConfig, ReadsVocabularyLines) {
    const TempFolder folder;
    write_bytes(folder.path() / "vocab.txt", "[UNK]\r\n[CLS]\n[SEP] \na\t\n\nb\xE3\x80\x80\na\nlast");
    const TokenizerConfig config = load_tokenizer_config(folder.path());
    std::vector<std::string> entries;
    for (const auto& [token, id] : config.vocabulary) entries.push_back(token + "=" + std::to_string(id));
    EXPECT_EQ(entries, (std::vector<std::string>{"=4", "[CLS]=1", "[SEP]=2", "[UNK]=0", "a=6", "b=5", "last=7"}));
    EXPECT_TRUE(config.normalizer.lowercase && config.normalizer.strip_nonspacing_marks);
    EXPECT_EQ(config.single[0].ids, std::vector<std::int32_t>{1});
    // A vocabulary file alone gives the same.
    EXPECT_EQ(load_tokenizer_config(folder.path() / "vocab.txt").vocabulary.size(), config.vocabulary.size());
}

TEST(TokenizerConfig, SettingsBesideAVocabularyCount) {
    const TempFolder folder;
    const auto load_with = [&](const char* settings) {
        write_bytes(folder.path() / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n<s>\n");
        write_bytes(folder.path() / "tokenizer_config.json", settings);
        return load_tokenizer_config(folder.path());
    };
    TokenizerConfig config = load_with(
        R"({"do_lower_case": false, "tokenize_chinese_chars": false, "cls_token": {"content": "<s>"}, "model_max_length": 64})");
    EXPECT_FALSE(config.normalizer.lowercase || config.normalizer.decompose || config.normalizer.handle_chinese_chars);
    EXPECT_EQ(config.cls_token, "<s>");
    EXPECT_EQ(config.single[0].ids, std::vector<std::int32_t>{4});
    EXPECT_EQ(config.model_max_length, 64u);
    EXPECT_TRUE(load_with(R"({"do_lower_case": false, "strip_accents": true})").normalizer.decompose);

    const auto added = [&](const char* settings) {
        std::vector<std::string> names;
        for (const auto& token : load_with(settings).added_tokens) names.push_back(token.content);
        return names;
    };
    const std::vector<std::string> usual = added("{}");
    EXPECT_EQ(added(R"({"extra_special_tokens": {}})"), usual);
    EXPECT_EQ(added(R"({"mask_token": null})").size() + 1, usual.size());
    for (const char* settings :
         {R"({"extra_special_tokens": {"image": "<s>"}})", R"({"extra_special_tokens": ["<s>"]})",
          R"({"extra_special_tokens": {}, "additional_special_tokens": ["<s>"]})"}) {
        std::vector<std::string> names = added(settings);
        EXPECT_EQ(std::count(names.begin(), names.end(), "<s>"), 1) << settings;
        EXPECT_EQ(names.size(), usual.size() + 1) << settings;
    }
    expect_error(ErrorKind::unsupported, {"tokenizer_config.json", "Japanese"},
                 [&] { load_with(R"({"word_tokenizer_type": "mecab"})"); });

    expect_error(ErrorKind::vocabulary, {"vocab.txt", "<eos>"}, [&] { load_with(R"({"sep_token": "<eos>"})"); });
    expect_error(ErrorKind::format, {"tokenizer_config.json", "do_lower_case"},
                 [&] { load_with(R"({"do_lower_case": 1})"); });
    expect_error(ErrorKind::format, {"tokenizer_config.json", "cls_token"}, [&] { load_with(R"({"cls_token": 5})"); });
    expect_error(ErrorKind::format, {"tokenizer_config.json", "x1"},
                 [&] { load_with(R"({"added_tokens_decoder": {"x1": {"content": "a"}}})"); });
    expect_error(ErrorKind::format, {"tokenizer_config.json", "model_max_length"},
                 [&] { load_with(R"({"model_max_length": -3})"); });
    expect_error(ErrorKind::format, {"tokenizer_config.json"}, [&] { load_with("{"); });
}

TEST(TokenizerConfig, TokenizerJsonOverridesTheFilesBesideItButForFlags) {
    const TempFolder folder;
    write_json(folder.path() / "tokenizer.json", bert_json());
    write_bytes(folder.path() / "vocab.txt", "not\nthis\n");
    write_bytes(folder.path() / "tokenizer_config.json",
                R"({"do_lower_case": false, "mask_token": "<mask>", "model_max_length": 1e30})");
    const TokenizerConfig config = load_tokenizer_config(folder.path());
    EXPECT_FALSE(config.normalizer.lowercase || config.normalizer.strip_nonspacing_marks);
    EXPECT_EQ(config.vocabulary.size(), 5u);
    EXPECT_EQ(config.mask_token, "<mask>");
    EXPECT_FALSE(config.model_max_length.has_value());
    // Tokenizers of other classes are what tokenizer.json says.
    write_bytes(folder.path() / "tokenizer_config.json",
                R"({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"})");
    EXPECT_TRUE(load_tokenizer_config(folder.path()).normalizer.lowercase);
}

}  // namespace
