// Reading config.json: defaults, every size, every activation, and the named error of each kind of bad value.
#include "../test_support.hpp"

#include <bert/io/model_config.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;

TEST(ModelConfig, ReadsASavedFile) {
    const auto config = bert::load_model_config(bert_models() / "heads_of_20");
    EXPECT_EQ(config.vocab_size, 40);
    EXPECT_EQ(config.hidden_size, 60);
    EXPECT_EQ(config.num_hidden_layers, 1);
    EXPECT_EQ(config.num_attention_heads, 3);
    EXPECT_EQ(config.intermediate_size, 86);
    EXPECT_EQ(config.max_position_embeddings, 16);
    EXPECT_EQ(config.type_vocab_size, 1);
    EXPECT_EQ(config.layer_norm_eps, 1e-5);
    EXPECT_EQ(config.hidden_act, bert::Activation::relu);
    EXPECT_EQ(config.head_dim(), 20);
    EXPECT_EQ(config.architectures, std::vector<std::string>{"BertModel"});
}

TEST(ModelConfig, MissingKeysHaveTheDefaultsOfTransformers) {
    const TempFolder folder;
    write_bytes(folder.path() / "config.json", R"({"model_type": "bert", "hidden_act": null, "architectures": null})");
    const auto config = bert::load_model_config(folder.path());
    EXPECT_EQ(config.vocab_size, 30522);
    EXPECT_EQ(config.hidden_size, 768);
    EXPECT_EQ(config.num_hidden_layers, 12);
    EXPECT_EQ(config.num_attention_heads, 12);
    EXPECT_EQ(config.intermediate_size, 3072);
    EXPECT_EQ(config.max_position_embeddings, 512);
    EXPECT_EQ(config.type_vocab_size, 2);
    EXPECT_EQ(config.layer_norm_eps, 1e-12);
    EXPECT_EQ(config.hidden_act, bert::Activation::gelu);
}

TEST(ModelConfig, AFloatWithoutFractionIsASize) {
    const TempFolder folder;
    write_bytes(folder.path() / "config.json", R"({"hidden_size": 384.0, "layer_norm_eps": 0})");
    const auto config = bert::load_model_config(folder.path());
    EXPECT_EQ(config.hidden_size, 384);
    EXPECT_EQ(config.layer_norm_eps, 0.0);
}

struct BadConfig {
    const char* name;
    std::string json;
    ErrorKind kind;
    std::vector<std::string> message;
};

std::ostream& operator<<(std::ostream& out, const BadConfig& config) {
    return out << config.name;
}

class BadModelConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(BadModelConfig, IsAnErrorNamingFileAndKey) {
    const TempFolder folder;
    const auto path = folder.path() / "config.json";
    write_bytes(path, GetParam().json);
    auto message = GetParam().message;
    message.push_back(path.string());
    expect_error(GetParam().kind, message, [&] { (void)bert::load_model_config(folder.path()); });
}

std::vector<BadConfig> bad_configs() {
    const auto deep = [](int n) {
        std::string text;
        for (int i = 0; i < n; ++i) text += "{\"a\":";
        return text + "1" + std::string(static_cast<std::size_t>(n), '}');
    };
    const auto format = ErrorKind::format;
    const auto unsupported = ErrorKind::unsupported;
    return {
        {"Empty", "", format, {}},
        {"OnlySpace", " \n ", format, {}},
        {"NoJson", "hidden_size: 384", format, {}},
        {"CutOff", R"({"hidden_size": 38)", format, {}},
        {"TrailingText", R"({"hidden_size": 384} x)", format, {}},
        {"ZeroBytes", std::string(64, '\0'), format, {}},
        {"NoUtf8", "{\"hidden_act\": \"\xff\xfe\"}", format, {}},
        {"Array", "[]", format, {"object", "array"}},
        {"Null", "null", format, {"object", "null"}},
        {"NestedDeeply", deep(5000), format, {"nest"}},
        {"NestedVeryDeeply", deep(1'000'000), format, {"nest"}},
        {"SizeIsAString", R"({"hidden_size": "384"})", format, {"hidden_size", "384"}},
        {"SizeIsAList", R"({"hidden_size": [384]})", format, {"hidden_size", "array"}},
        {"SizeIsTrue", R"({"num_hidden_layers": true})", format, {"num_hidden_layers", "true"}},
        {"SizeIsNegative", R"({"hidden_size": -384})", format, {"hidden_size", "-384"}},
        {"SizeIsZero", R"({"num_attention_heads": 0})", format, {"num_attention_heads", "0"}},
        {"LayersAreZero", R"({"num_hidden_layers": 0})", format, {"num_hidden_layers", "0"}},
        {"VocabularyIsZero", R"({"vocab_size": 0})", format, {"vocab_size"}},
        {"PositionsAreZero", R"({"max_position_embeddings": 0})", format, {"max_position_embeddings"}},
        {"TypesAreZero", R"({"type_vocab_size": 0})", format, {"type_vocab_size"}},
        {"InnerIsZero", R"({"intermediate_size": 0})", format, {"intermediate_size"}},
        {"SizeHasAFraction", R"({"hidden_size": 384.5})", format, {"hidden_size", "384.5"}},
        {"SizeIsHuge", R"({"intermediate_size": 9223372036854775807})", format, {"intermediate_size"}},
        {"SizeIsBeyond64Bits", R"({"vocab_size": 99999999999999999999999999})", format, {"vocab_size"}},
        {"SizeIs1e300", R"({"vocab_size": 1e300})", format, {"vocab_size"}},
        {"NumberOverflows", R"({"vocab_size": 1e999})", format, {}},
        {"NaN", R"({"layer_norm_eps": NaN})", format, {}},
        {"Infinity", R"({"layer_norm_eps": Infinity})", format, {}},
        {"EpsilonIsAString", R"({"layer_norm_eps": "1e-12"})", format, {"layer_norm_eps", "1e-12"}},
        {"EpsilonIsNegative", R"({"layer_norm_eps": -1e-12})", ErrorKind::shape, {"layer_norm_eps"}},
        {"EpsilonIsOne", R"({"layer_norm_eps": 1.0})", ErrorKind::shape, {"layer_norm_eps"}},
        {"HeadsDoNotDivide", R"({"hidden_size": 100, "num_attention_heads": 12})", ErrorKind::shape, {"100", "12"}},
        {"MoreHeadsThanFeatures", R"({"hidden_size": 4, "num_attention_heads": 8})", ErrorKind::shape, {"4", "8"}},
        {"OtherModel", R"({"model_type": "roberta"})", unsupported, {"model_type", "roberta", "bert"}},
        {"ModelTypeIsANumber", R"({"model_type": 3})", format, {"model_type"}},
        {"RelativePositions",
         R"({"position_embedding_type": "relative_key"})",
         unsupported,
         {"position_embedding_type", "relative_key", "absolute"}},
        {"Decoder", R"({"is_decoder": true})", unsupported, {"is_decoder"}},
        {"CrossAttention", R"({"add_cross_attention": true})", unsupported, {"add_cross_attention"}},
        {"DecoderIsAString", R"({"is_decoder": "yes"})", format, {"is_decoder", "yes"}},
        {"UnknownActivation", R"({"hidden_act": "prelu"})", unsupported, {"hidden_act", "prelu"}},
        {"ActivationIsANumber", R"({"hidden_act": 1})", format, {"hidden_act"}},
        {"ActivationIsEmpty", R"({"hidden_act": ""})", unsupported, {"hidden_act"}},
        {"ArchitecturesAreAString", R"({"architectures": "BertModel"})", format, {"architectures"}},
        {"ArchitecturesHoldANumber", R"({"architectures": [1]})", format, {"architectures"}},
    };
}

INSTANTIATE_TEST_SUITE_P(All, BadModelConfig, testing::ValuesIn(bad_configs()),
                         [](const testing::TestParamInfo<BadConfig>& info) { return std::string(info.param.name); });

TEST(ModelConfig, MissingFileAndLinkLoopAreFileErrors) {
    const TempFolder folder;
    const auto path = folder.path() / "config.json";
    expect_error(ErrorKind::file, {path.string()}, [&] { (void)bert::load_model_config(folder.path()); });
    fs::create_symlink("config.json", path);
    expect_error(ErrorKind::file, {path.string()}, [&] { (void)bert::load_model_config(folder.path()); });
    fs::remove(path);
    fs::create_directory(path);
    expect_error(ErrorKind::file, {path.string()}, [&] { (void)bert::load_model_config(folder.path()); });
}

}  // namespace
