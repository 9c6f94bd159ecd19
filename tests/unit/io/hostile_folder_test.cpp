// Model folders that are broken on purpose. Each case copies a good folder, breaks one thing and expects the named
// error.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#endif

namespace {

using namespace bert_test;
using bert::ErrorKind;

/// A good folder: 2 layers, hidden 24, 4 heads, inner 50, 40 positions; modules Pooling, 2_Dense (24 -> 10), Normalize.
void make_good_folder(const fs::path& folder) {
    assemble_sentence_model("dense_tanh", folder);
}

void open_encoder(const fs::path& folder) {
    const bert::SentenceEncoder encoder(folder);
}
void open_model(const fs::path& folder) {
    (void)bert::BertModel<float>::load(folder);
}

TEST(GoodFolder, Opens) {
    const TempFolder folder;
    make_good_folder(folder.path());
    EXPECT_NO_THROW(open_encoder(folder.path()));
    EXPECT_NO_THROW(open_model(folder.path()));
}

TEST(GoodFolder, OpensThroughLinksAsInTheCacheOfTheHub) {
    const TempFolder blobs;
    const TempFolder folder;
    make_good_folder(blobs.path());
    for (const auto& entry : fs::directory_iterator(blobs.path())) {
        fs::create_symlink(entry.path(), folder.path() / entry.path().filename());
    }
    EXPECT_NO_THROW(open_encoder(folder.path()));
}

struct Case {
    const char* name;
    std::function<void(const fs::path&)> break_it;
    ErrorKind kind;
    std::vector<std::string> message;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.name;
}

class BadFolder : public testing::TestWithParam<Case> {};

TEST_P(BadFolder, IsANamedError) {
    const TempFolder folder;
    make_good_folder(folder.path());
    GetParam().break_it(folder.path());
    expect_error(GetParam().kind, GetParam().message, [&] { open_encoder(folder.path()); });
}

// Shorthands for ways to break a file.
using Break = std::function<void(const fs::path&)>;

Break remove(const std::string& file) {
    return [=](const fs::path& f) { fs::remove_all(f / file); };
}
Break write(const std::string& file, const std::string& content) {
    return [=](const fs::path& f) { write_bytes(f / file, content); };
}
Break set(const std::string& file, const std::string& key, const Json& value) {
    return [=](const fs::path& f) { set_key(f / file, key, value); };
}
Break drop(const std::string& file, const std::string& key) {
    return [=](const fs::path& f) { remove_key(f / file, key); };
}
Break link_to_itself(const std::string& file) {
    return [=](const fs::path& f) {
        fs::remove_all(f / file);
        fs::create_symlink(fs::path(file).filename(), f / file);
    };
}
Break folder_instead(const std::string& file) {
    return [=](const fs::path& f) {
        fs::remove_all(f / file);
        fs::create_directory(f / file);
    };
}
Break tensors(const std::string& file, const std::function<void(std::vector<RawTensor>&)>& change) {
    return [=](const fs::path& f) { edit_tensors(f / file, change); };
}
/// Sets a key of module `index` of modules.json.
Break module(std::size_t index, const std::string& key, const Json& value) {
    return [=](const fs::path& f) {
        Json modules = read_json(f / "modules.json");
        modules[index][key] = value;
        write_json(f / "modules.json", modules);
    };
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

const std::string config = "config.json";
const std::string weights = "model.safetensors";
const std::string dense = "2_Dense/config.json";
const std::string dense_weights = "2_Dense/model.safetensors";
const std::string pooling = "1_Pooling/config.json";
const std::string prompts = "config_sentence_transformers.json";
const std::string limits = "sentence_bert_config.json";

INSTANTIATE_TEST_SUITE_P(
    Config, BadFolder,
    testing::Values(
        Case{"Missing", remove(config), ErrorKind::file, {config}},
        Case{"Broken", write(config, "{"), ErrorKind::format, {config}},
        Case{"LinkToItself", link_to_itself(config), ErrorKind::file, {config}},
        Case{"IsAFolder", folder_instead(config), ErrorKind::file, {config}},
        Case{"OtherModel", set(config, "model_type", "roberta"), ErrorKind::unsupported, {config, "roberta"}},
        Case{"RelativePositions",
             set(config, "position_embedding_type", "relative_key_query"),
             ErrorKind::unsupported,
             {config, "relative_key_query"}},
        Case{"Decoder", set(config, "is_decoder", true), ErrorKind::unsupported, {config, "is_decoder"}},
        Case{"UnknownActivation", set(config, "hidden_act", "swiglu"), ErrorKind::unsupported, {config, "swiglu"}},
        Case{"HeadsDoNotDivide", set(config, "num_attention_heads", 5), ErrorKind::shape, {config, "5", "24"}},
        Case{"OneLayerMore", set(config, "num_hidden_layers", 3), ErrorKind::format, {"encoder.layer.2.", "missing"}},
        Case{"LayersBeyondCounting",
             set(config, "num_hidden_layers", 200'000'000),
             ErrorKind::format,
             {"encoder.layer.2.", "missing"}},
        Case{"OneLayerLess",
             set(config, "num_hidden_layers", 1),
             ErrorKind::format,
             {weights, "encoder.layer.1.", "unexpected"}},
        Case{"HiddenLarger", set(config, "hidden_size", 28), ErrorKind::shape, {weights, "28", "24"}},
        Case{"HiddenHuge", set(config, "hidden_size", 1 << 28), ErrorKind::shape, {weights, "268435456", "24"}},
        Case{"InnerHuge", set(config, "intermediate_size", 1 << 28), ErrorKind::shape, {weights, "268435456", "50"}},
        Case{"VocabularyHuge",
             set(config, "vocab_size", 1 << 28),
             ErrorKind::shape,
             {weights, "embeddings.word_embeddings.weight", "268435456"}},
        Case{"PositionsHuge",
             set(config, "max_position_embeddings", 1 << 28),
             ErrorKind::shape,
             {weights, "embeddings.position_embeddings.weight", "268435456", "40"}},
        Case{"TypesMore",
             set(config, "type_vocab_size", 3),
             ErrorKind::shape,
             {weights, "embeddings.token_type_embeddings.weight", "[3, 24]", "[2, 24]"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Weights, BadFolder,
    testing::Values(Case{"Missing", remove(weights), ErrorKind::file, {weights}},
                    Case{"OnlyPickle",
                         [](const fs::path& f) { fs::rename(f / weights, f / "pytorch_model.bin"); },
                         ErrorKind::unsupported,
                         {"pytorch_model.bin", "safetensors"}},
                    Case{"Empty", write(weights, ""), ErrorKind::format, {weights}},
                    Case{"LinkToItself", link_to_itself(weights), ErrorKind::file, {weights}},
                    Case{"LinkToNowhere",
                         [](const fs::path& f) {
                             fs::remove(f / weights);
                             fs::create_symlink("nowhere", f / weights);
                         },
                         ErrorKind::file,
                         {weights}},
                    Case{"IsAFolder", folder_instead(weights), ErrorKind::file, {weights}},
                    Case{"CutOff",
                         [](const fs::path& f) { fs::resize_file(f / weights, fs::file_size(f / weights) - 1); },
                         ErrorKind::format,
                         {weights}},
                    Case{"OfAnotherModel",
                         tensors(weights,
                                 [](auto& all) {
                                     for (auto& tensor : all) tensor.name = "roberta." + tensor.name;
                                 }),
                         ErrorKind::format,
                         {"embeddings.word_embeddings.weight"}},
                    Case{"GammaBesideWeight",
                         tensors(weights,
                                 [](auto& all) {
                                     auto extra = tensor_named(all, "embeddings.LayerNorm.weight");
                                     extra.name = "embeddings.LayerNorm.gamma";
                                     all.push_back(extra);
                                 }),
                         ErrorKind::format,
                         {weights, "embeddings.LayerNorm.gamma", "unexpected"}},
                    Case{"RelativePositionTable",
                         tensors(weights,
                                 [](auto& all) {
                                     all.push_back(float_tensor(
                                         "encoder.layer.0.attention.self.distance_embedding.weight", {1}, {1}));
                                 }),
                         ErrorKind::format,
                         {weights, "distance_embedding", "unexpected"}},
                    Case{"PoolerWithoutBias",
                         tensors(weights, [](auto& all) { tensor_named(all, "pooler.dense.bias").name = "unrelated"; }),
                         ErrorKind::format,
                         {"pooler.dense.bias", "missing"}},
                    Case{"DoublePrecision",
                         tensors(weights,
                                 [](auto& all) {
                                     auto& tensor = tensor_named(all, "encoder.layer.1.output.dense.bias");
                                     tensor.dtype = "F64";
                                     tensor.data.append(tensor.data);
                                 }),
                         ErrorKind::unsupported,
                         {weights, "encoder.layer.1.output.dense.bias", "F64"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Modules, BadFolder,
    testing::Values(
        Case{"Broken", write("modules.json", "[{]"), ErrorKind::format, {"modules.json"}},
        Case{"Object", write("modules.json", "{}"), ErrorKind::format, {"modules.json"}},
        Case{"EmptyList", write("modules.json", "[]"), ErrorKind::format, {"modules.json"}},
        Case{"ListOfNumbers", write("modules.json", "[1, 2]"), ErrorKind::format, {"modules.json", "type"}},
        Case{"NestedDeeply",
             write("modules.json", std::string(100'000, '[')),
             ErrorKind::format,
             {"modules.json", "nest"}},
        Case{"LinkToItself", link_to_itself("modules.json"), ErrorKind::file, {"modules.json"}},
        Case{"TypeMissing", module(1, "type", nullptr), ErrorKind::format, {"modules.json", "type"}},
        Case{"TypeIsANumber", module(1, "type", 7), ErrorKind::format, {"modules.json", "type"}},
        Case{"TypeUnknown",
             module(2, "type", "sentence_transformers.models.LSTM"),
             ErrorKind::unsupported,
             {"modules.json", "sentence_transformers.models.LSTM"}},
        Case{"TypeOfSomebodyElse",
             module(1, "type", "my_code.Pooling"),
             ErrorKind::unsupported,
             {"modules.json", "my_code.Pooling"}},
        Case{"PathIsANumber", module(1, "path", 7), ErrorKind::format, {"modules.json", "path"}},
        Case{"PathClimbsOut", module(1, "path", "../1_Pooling"), ErrorKind::format, {"modules.json", "../1_Pooling"}},
        Case{"PathClimbsOutInside",
             module(1, "path", "1_Pooling/../../x"),
             ErrorKind::format,
             {"modules.json", "leaves"}},
        Case{"PathIsAbsolute", module(2, "path", "/etc"), ErrorKind::format, {"modules.json", "/etc"}},
        Case{"TransformerPathClimbsOut", module(0, "path", ".."), ErrorKind::format, {"modules.json", "leaves"}},
        Case{"TransformerPathMissing", module(0, "path", "0_Transformer"), ErrorKind::file, {"0_Transformer"}},
        Case{"PoolingFolderMissing", remove("1_Pooling"), ErrorKind::file, {"1_Pooling"}},
        Case{"WithoutPooling",
             [](const fs::path& f) {
                 Json modules = read_json(f / "modules.json");
                 modules.erase(1);
                 write_json(f / "modules.json", modules);
             },
             ErrorKind::unsupported,
             {"modules.json", "Pooling"}},
        Case{"TransformerOnly",
             [](const fs::path& f) { write_json(f / "modules.json", Json::array({read_json(f / "modules.json")[0]})); },
             ErrorKind::unsupported,
             {"modules.json", "Pooling"}},
        Case{"PoolingTwice",
             module(2, "type", "sentence_transformers.models.Pooling"),
             ErrorKind::unsupported,
             {"modules.json", "Pooling"}},
        Case{"TransformerLast",
             module(3, "type", "sentence_transformers.models.Transformer"),
             ErrorKind::unsupported,
             {"modules.json", "Transformer"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    PoolingAndDense, BadFolder,
    testing::Values(
        Case{"PoolingBroken", write(pooling, "nonsense"), ErrorKind::format, {pooling}},
        Case{"PoolingModeUnknown", set(pooling, "pooling_mode", "median"), ErrorKind::unsupported, {pooling, "median"}},
        Case{"PoolingModeIsANumber", set(pooling, "pooling_mode", 1), ErrorKind::format, {pooling, "pooling_mode"}},
        Case{"PoolingModesHoldANumber",
             set(pooling, "pooling_mode", Json::array({"cls", 1})),
             ErrorKind::format,
             {pooling, "pooling_mode"}},
        Case{"LegacyModeIsAString",
             write(pooling, R"({"pooling_mode_cls_token": "yes"})"),
             ErrorKind::format,
             {pooling, "pooling_mode_cls_token", "yes"}},
        Case{"PoolingForAnotherSize", set(pooling, "embedding_dimension", 768), ErrorKind::shape, {"768", "24"}},
        Case{"IncludePromptIsAString",
             set(pooling, "include_prompt", "no"),
             ErrorKind::format,
             {pooling, "include_prompt"}},
        Case{"DenseConfigMissing", remove(dense), ErrorKind::file, {dense}},
        Case{"DenseWithoutInFeatures", drop(dense, "in_features"), ErrorKind::format, {dense, "in_features"}},
        Case{"DenseInFeaturesIsAString", set(dense, "in_features", "24"), ErrorKind::format, {dense, "in_features"}},
        Case{"DenseOutFeaturesIsZero", set(dense, "out_features", 0), ErrorKind::format, {dense, "out_features"}},
        Case{"DenseOutFeaturesIsNegative",
             set(dense, "out_features", -1),
             ErrorKind::format,
             {dense, "out_features", "-1"}},
        Case{"DenseForAnotherSize", set(dense, "in_features", 48), ErrorKind::shape, {"2_Dense", "48", "24"}},
        Case{"DenseOutFeaturesHuge",
             set(dense, "out_features", 1 << 28),
             ErrorKind::shape,
             {dense_weights, "linear.weight", "268435456", "10"}},
        Case{"DenseActivationUnknown",
             set(dense, "activation_function", "torch.nn.modules.activation.Softmax"),
             ErrorKind::unsupported,
             {dense, "Softmax"}},
        Case{"DenseActivationIsANumber",
             set(dense, "activation_function", 5),
             ErrorKind::format,
             {dense, "activation_function"}},
        Case{"DenseOfTokens",
             set(dense, "module_input_name", "token_embeddings"),
             ErrorKind::unsupported,
             {dense, "module_input_name", "token_embeddings"}},
        Case{"DenseWeightsMissing", remove(dense_weights), ErrorKind::file, {dense_weights}},
        Case{"DenseWeightsOnlyPickle",
             [](const fs::path& f) { fs::rename(f / dense_weights, f / "2_Dense/pytorch_model.bin"); },
             ErrorKind::unsupported,
             {"2_Dense", "pytorch_model.bin"}},
        Case{"DenseWeightsCutOff",
             [](const fs::path& f) { fs::resize_file(f / dense_weights, fs::file_size(f / dense_weights) - 4); },
             ErrorKind::format,
             {dense_weights}},
        Case{"DenseWithoutWeight",
             tensors(dense_weights, [](auto& all) { tensor_named(all, "linear.weight").name = "weight"; }),
             ErrorKind::format,
             {"2_Dense", "linear.weight"}},
        Case{"DenseWithoutBias",
             tensors(dense_weights, [](auto& all) { tensor_named(all, "linear.bias").name = "bias"; }),
             ErrorKind::format,
             {"2_Dense", "linear.bias"}},
        Case{"DenseMisshaped",
             tensors(dense_weights,
                     [](auto& all) {
                         tensor_named(all, "linear.weight").shape = {24, 10};
                     }),
             ErrorKind::shape,
             {dense_weights, "linear.weight", "[10, 24]", "[24, 10]"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    PromptsAndLimits, BadFolder,
    testing::Values(
        Case{"PromptsBroken", write(prompts, "{\"prompts\": "), ErrorKind::format, {prompts}},
        Case{"PromptsAreAList",
             set(prompts, "prompts", Json::array({"query: "})),
             ErrorKind::format,
             {prompts, "prompts"}},
        Case{"PromptIsANumber", set(prompts, "prompts", {{"query", 3}}), ErrorKind::format, {prompts, "prompts"}},
        Case{"DefaultPromptUnknown",
             set(prompts, "default_prompt_name", "nonsense"),
             ErrorKind::format,
             {prompts, "default_prompt_name", "nonsense"}},
        Case{"SimilarityUnknown",
             set(prompts, "similarity_fn_name", "jaccard"),
             ErrorKind::unsupported,
             {prompts, "similarity_fn_name", "jaccard"}},
        Case{"SimilarityIsANumber",
             set(prompts, "similarity_fn_name", 1),
             ErrorKind::format,
             {prompts, "similarity_fn_name"}},
        Case{"LimitIsZero", set(limits, "max_seq_length", 0), ErrorKind::format, {limits, "max_seq_length", "0"}},
        Case{"LimitIsNegative", set(limits, "max_seq_length", -256), ErrorKind::format, {limits, "max_seq_length"}},
        Case{"LimitIsAString", set(limits, "max_seq_length", "256"), ErrorKind::format, {limits, "max_seq_length"}},
        Case{"LimitIsHuge", set(limits, "max_seq_length", 1e30), ErrorKind::format, {limits, "max_seq_length"}},
        Case{"LimitHasAFraction", set(limits, "max_seq_length", 25.5), ErrorKind::format, {limits, "max_seq_length"}},
        Case{"LowerCaseIsAString", set(limits, "do_lower_case", "yes"), ErrorKind::format, {limits, "do_lower_case"}},
        Case{"LimitsBroken", write(limits, "[]"), ErrorKind::format, {limits, "object"}}),
    name_of);

/// Leaves vocab.txt as the only file of the tokenizer, with the lines that `change` makes of the good ones.
Break vocabulary(const std::function<void(std::vector<std::string>&)>& change) {
    return [=](const fs::path& f) {
        std::vector<std::string> lines;
        std::istringstream in(read_bytes(f / "vocab.txt"));
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        change(lines);
        std::string content;
        for (const auto& line : lines) content += line + "\n";
        write_bytes(f / "vocab.txt", content);
        fs::remove(f / "tokenizer.json");
    };
}

Break without_token(const std::string& token) {
    return vocabulary([=](std::vector<std::string>& lines) {
        for (auto& line : lines) {
            if (line == token) line = "replaced";
        }
    });
}

INSTANTIATE_TEST_SUITE_P(
    Vocabulary, BadFolder,
    testing::Values(
        Case{"NoTokenizerFiles",
             [](const fs::path& f) {
                 fs::remove(f / "vocab.txt");
                 fs::remove(f / "tokenizer.json");
             },
             ErrorKind::file,
             {"tokenizer.json"}},
        Case{"TokenizerBroken", write("tokenizer.json", "{\"model\": "), ErrorKind::format, {"tokenizer.json"}},
        Case{"TokenizerNestedDeeply",
             write("tokenizer.json", "{\"model\":" + std::string(100'000, '[')),
             ErrorKind::format,
             {"tokenizer.json", "nest"}},
        Case{"TokenizerLinkToItself", link_to_itself("tokenizer.json"), ErrorKind::file, {"tokenizer.json"}},
        Case{"EmptyVocabulary", vocabulary([](auto& lines) { lines.clear(); }), ErrorKind::vocabulary, {"vocab.txt"}},
        Case{"NoUnknownToken", without_token("[UNK]"), ErrorKind::vocabulary, {"[UNK]"}},
        Case{"NoClassToken", without_token("[CLS]"), ErrorKind::vocabulary, {"[CLS]"}},
        Case{"NoSeparatorToken", without_token("[SEP]"), ErrorKind::vocabulary, {"[SEP]"}},
        Case{"LargerThanTheModel",
             vocabulary([](auto& lines) { lines.push_back("surplus"); }),
             ErrorKind::vocabulary,
             {"word embeddings"}},
        Case{"LargerInTokenizerJson",
             [](const fs::path& f) {
                 Json json = read_json(f / "tokenizer.json");
                 json["model"]["vocab"]["surplus"] = json["model"]["vocab"].size();
                 write_json(f / "tokenizer.json", json);
             },
             ErrorKind::vocabulary,
             {"word embeddings"}},
        Case{"IdFarOutsideInTokenizerJson",
             [](const fs::path& f) {
                 Json json = read_json(f / "tokenizer.json");
                 json["model"]["vocab"]["cat"] = 2'000'000'000;
                 write_json(f / "tokenizer.json", json);
             },
             ErrorKind::vocabulary,
             {"tokenizer.json", "cat", "2000000000"}}),
    name_of);

// ------------------------------------------------------------------------------------------------------ whole folders

TEST(Folder, MissingOrAFileIsAFileError) {
    const TempFolder parent;
    const auto missing = parent.path() / "no" / "such" / "model";
    expect_error(ErrorKind::file, {missing.string()}, [&] { open_encoder(missing); });
    expect_error(ErrorKind::file, {missing.string()}, [&] { open_model(missing); });
    expect_error(ErrorKind::file, {}, [&] { open_encoder(""); });
    const auto file = parent.path() / "file";
    write_bytes(file, "text");
    expect_error(ErrorKind::file, {file.string()}, [&] { open_encoder(file); });
    expect_error(ErrorKind::file, {file.string()}, [&] { open_model(file); });
    const auto loop = parent.path() / "loop";
    fs::create_directory_symlink("loop", loop);
    expect_error(ErrorKind::file, {loop.string()}, [&] { open_encoder(loop); });
    expect_error(ErrorKind::file, {loop.string()}, [&] { open_model(loop); });
}

TEST(Folder, EmptyIsAFileError) {
    const TempFolder folder;
    expect_error(ErrorKind::file, {folder.path().string()}, [&] { open_encoder(folder.path()); });
    expect_error(ErrorKind::file, {folder.path().string(), config}, [&] { open_model(folder.path()); });
}

#if defined(__unix__) || defined(__APPLE__)
TEST(Folder, APipeInPlaceOfAFileIsAFileErrorAndNotAWait) {
    for (const std::string& file : {config, weights, pooling, std::string("tokenizer.json")}) {
        const TempFolder folder;
        make_good_folder(folder.path());
        fs::remove(folder.path() / file);
        ASSERT_EQ(::mkfifo((folder.path() / file).c_str(), 0600), 0);
        expect_error(ErrorKind::file, {file}, [&] { open_encoder(folder.path()); });
    }
}
#endif

TEST(Folder, AVocabularyCutShortIsNoticed) {
    // 300 lines of a vocabulary of 600: hidden by nothing but the size of the table.
    const TempFolder folder;
    ModelSizes sizes;
    sizes.vocab = 600;
    write_random_model(folder.path(), sizes, 1);
    std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (int i = 5; i < 300; ++i) lines += "w" + std::to_string(i) + "\n";
    write_bytes(folder.path() / "vocab.txt", lines);
    expect_error(ErrorKind::vocabulary, {folder.path().string(), "300", "600"}, [&] { open_encoder(folder.path()); });
    bert::SentenceEncoderOptions options;
    options.allow_unused_embeddings = true;
    EXPECT_NO_THROW(bert::SentenceEncoder(folder.path(), options));
}

}  // namespace
