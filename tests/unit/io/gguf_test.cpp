// GGUF files that the gguf package of llama.cpp wrote (tests/golden/gguf), and what damage to them gives.
#include "../test_support.hpp"

#include <bert/bert.hpp>
#include <bert/io/gguf.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Matrix;

fs::path gguf_models() {
    return data_dir() / "gguf";
}

/// The recorded inputs as one batch.
bert::Batch recorded_batch(const Golden& golden) {
    const auto ids = golden.values<std::int32_t>("ids");
    const auto types = golden.values<std::int32_t>("type_ids");
    const auto offsets = golden.values<std::size_t>("offsets");
    bert::Batch batch;
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        batch.add(ids.data() + offsets[i], types.data() + offsets[i], offsets[i + 1] - offsets[i]);
    }
    return batch;
}

class GgufFormat : public testing::TestWithParam<const char*> {};

TEST_P(GgufFormat, GivesTheHiddenStatesOfTransformers) {
    const Golden golden(gguf_models() / "expected.safetensors");
    const auto model = bert::BertModel<float>::load(gguf_models() / (std::string(GetParam()) + ".gguf"));
    EXPECT_EQ(model.config().type_vocab_size, 2);
    EXPECT_EQ(model.config().max_position_embeddings, 24);
    EXPECT_FALSE(model.has_pooler());
    const double worst = max_difference(model.forward(recorded_batch(golden)).last_hidden_state,
                                        golden.matrix<float>(GetParam() + std::string(".last_hidden_state")));
    report_worst(GetParam(), worst);
    EXPECT_LE(worst, 1e-5);
}

TEST_P(GgufFormat, OpensAsEveryTypeOfWeightsCopiedOrMapped) {
    const fs::path path = gguf_models() / (std::string(GetParam()) + ".gguf");
    for (const auto weights : {bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8}) {
        bert::SentenceEncoderOptions options;
        options.weights = weights;
        const bert::SentenceEncoder mapped(path, options);
        options.load.memory_map = false;
        const bert::SentenceEncoder copied(path, options);
        const Matrix embeddings = mapped.encode({"the cat sat", "a dog"});
        EXPECT_TRUE(same_bits(embeddings, copied.encode({"the cat sat", "a dog"})));
        EXPECT_NEAR(embeddings.row(0).norm(), 1, 1e-5);
        const TempFolder folder;
        const auto storage = weights == bert::WeightType::int8       ? bert::StorageType::int8
                             : weights == bert::WeightType::bfloat16 ? bert::StorageType::bfloat16
                                                                     : bert::StorageType::float32;
        bert::convert_model(path, folder.path() / "model.bert", storage);
        EXPECT_TRUE(same_bits(embeddings,
                              bert::SentenceEncoder(folder.path() / "model.bert").encode({"the cat sat", "a dog"})));
    }
}

INSTANTIATE_TEST_SUITE_P(All, GgufFormat, testing::Values("f32", "f16", "bf16", "q8_0"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

TEST(GgufModel, HasTheTokenizerItWasMadeFrom) {
    const Golden golden(gguf_models() / "expected.safetensors");
    const Json recorded = read_json(gguf_models() / "texts.json");
    const auto ids = golden.values<std::int32_t>("ids");
    const auto types = golden.values<std::int32_t>("type_ids");
    const auto tokenizer = bert::Tokenizer::load(gguf_models() / "f32.gguf");
    std::vector<std::int32_t> given, given_types;
    const auto add = [&](const bert::Encoding& encoding) {
        given.insert(given.end(), encoding.ids.begin(), encoding.ids.end());
        given_types.insert(given_types.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    };
    for (const Json& text : recorded["texts"]) add(tokenizer.encode(text.get<std::string>()));
    add(tokenizer.encode(recorded["pair"][0].get<std::string>(), recorded["pair"][1].get<std::string>()));
    EXPECT_EQ(given, ids);
    EXPECT_EQ(given_types, types);
    const auto tokens = recorded["tokens"].get<std::vector<std::string>>();
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        EXPECT_EQ(tokenizer.id_to_token(static_cast<std::int32_t>(id)), tokens[id]);
    }
    EXPECT_FALSE(tokenizer.id_to_token(static_cast<std::int32_t>(tokens.size())).has_value());
}

TEST(GgufModel, PoolsAsItSays) {
    const bert::SentenceEncoder encoder(gguf_models() / "f32.gguf");
    EXPECT_EQ(encoder.config().pooling, std::vector<bert::PoolingMode>{bert::PoolingMode::cls});
    EXPECT_EQ(encoder.config().modules.size(), 1u);
    const auto model = bert::BertModel<float>::load(gguf_models() / "f32.gguf");
    Matrix expected = model.forward(encoder.tokenizer().encode("the cat")).last_hidden_state.row(0).normalized();
    EXPECT_LE(max_difference(encoder.encode({"the cat"}), expected), 1e-6);
}

// ---------------------------------------------------------------------------------------------------------- damage

/// Bytes of a value as GGUF stores it.
template <class T>
std::string gguf_bytes(T value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}
std::string gguf_text(const std::string& text) {
    return gguf_bytes(std::uint64_t{text.size()}) + text;
}

/// The file f32.gguf with `count` bytes at `offset` behind the metadata key `key` replaced.
std::string gguf_with_value(const std::string& key, std::size_t offset, const std::string& value) {
    std::string bytes = read_bytes(gguf_models() / "f32.gguf");
    const std::size_t at = bytes.find(gguf_text(key));
    if (at == std::string::npos) throw std::runtime_error("test data has no " + key);
    bytes.replace(at + gguf_text(key).size() + offset, value.size(), value);
    return bytes;
}

/// The same file with another number of something in its first 24 bytes.
template <class T>
std::string gguf_with_start(std::size_t offset, T value) {
    std::string bytes = read_bytes(gguf_models() / "f32.gguf");
    bytes.replace(offset, sizeof value, gguf_bytes(value));
    return bytes;
}

/// The same file with one text replaced by another of the same length.
std::string gguf_with_text(const std::string& from, const std::string& to) {
    std::string bytes = read_bytes(gguf_models() / "f32.gguf");
    const std::size_t at = bytes.find(from);
    if (at == std::string::npos || from.size() != to.size()) throw std::runtime_error("test data has no " + from);
    bytes.replace(at, from.size(), to);
    return bytes;
}

struct GgufDamage {
    const char* name;
    std::function<std::string()> bytes;
    ErrorKind kind;
    std::vector<std::string> message;
};

std::ostream& operator<<(std::ostream& out, const GgufDamage& damage) {
    return out << damage.name;
}

class DamagedGguf : public testing::TestWithParam<GgufDamage> {};

TEST_P(DamagedGguf, IsANamedError) {
    const TempFolder folder;
    const fs::path path = folder.path() / "damaged.gguf";
    write_bytes(path, GetParam().bytes());
    auto message = GetParam().message;
    message.push_back("damaged.gguf");
    for (const bool map : {true, false}) {
        bert::SentenceEncoderOptions options;
        options.load.memory_map = map;
        expect_error(GetParam().kind, message, [&] { const bert::SentenceEncoder encoder(path, options); });
    }
}

constexpr std::uint32_t gguf_uint32 = 4, gguf_float32 = 6, gguf_string = 8, gguf_list = 9;
constexpr std::uint64_t gguf_huge = std::uint64_t{1} << 62;

INSTANTIATE_TEST_SUITE_P(
    All, DamagedGguf,
    testing::Values(
        GgufDamage{"Version1", [] { return gguf_with_start(4, 1u); }, ErrorKind::unsupported, {"version 1"}},
        GgufDamage{"BigEndian", [] { return gguf_with_start(4, 0x03000000u); }, ErrorKind::unsupported, {"version"}},
        GgufDamage{"TensorsWithoutEnd", [] { return gguf_with_start(8, gguf_huge); }, ErrorKind::format, {"tensors"}},
        GgufDamage{"TensorsTooMany", [] { return gguf_with_start(8, std::uint64_t{900}); }, ErrorKind::format, {""}},
        GgufDamage{
            "TensorsTooFew", [] { return gguf_with_start(8, std::uint64_t{3}); }, ErrorKind::format, {"embeddings"}},
        GgufDamage{"ValuesWithoutEnd", [] { return gguf_with_start(16, gguf_huge); }, ErrorKind::format, {"metadata"}},
        GgufDamage{"ValuesTooFew", [] { return gguf_with_start(16, std::uint64_t{2}); }, ErrorKind::format, {""}},
        GgufDamage{"AnotherArchitecture",
                   [] { return gguf_with_value("general.architecture", 4, gguf_text("gpt2")); },
                   ErrorKind::unsupported,
                   {"gpt2"}},
        GgufDamage{"ArchitectureOfAnotherType",
                   [] { return gguf_with_value("general.architecture", 0, gguf_bytes(gguf_uint32)); },
                   ErrorKind::format,
                   {""}},
        GgufDamage{"TypeUnknown",
                   [] { return gguf_with_value("bert.block_count", 0, gguf_bytes(13u)); },
                   ErrorKind::format,
                   {"bert.block_count", "13"}},
        GgufDamage{"HeadsNotDividing",
                   [] { return gguf_with_value("bert.attention.head_count", 4, gguf_bytes(5u)); },
                   ErrorKind::shape,
                   {"num_attention_heads", "5"}},
        GgufDamage{"NoHeads",
                   [] { return gguf_with_value("bert.attention.head_count", 4, gguf_bytes(0u)); },
                   ErrorKind::format,
                   {"head_count"}},
        GgufDamage{"SizesAnotherThanTheTensors",
                   [] { return gguf_with_value("bert.feed_forward_length", 4, gguf_bytes(0x0FFFFFFFu)); },
                   ErrorKind::shape,
                   {"268435455"}},
        GgufDamage{"LayersBeyondCounting",
                   [] { return gguf_with_value("bert.block_count", 4, gguf_bytes(0x0FFFFFFFu)); },
                   ErrorKind::format,
                   {"encoder.layer.1.", "missing"}},
        GgufDamage{"SizeOfAnotherType",
                   [] { return gguf_with_value("bert.embedding_length", 0, gguf_bytes(gguf_float32)); },
                   ErrorKind::format,
                   {"embedding_length", "integer"}},
        GgufDamage{"EpsilonMissing",
                   [] { return gguf_with_text("layer_norm_epsilon", "layer_norm_epsilom"); },
                   ErrorKind::format,
                   {"epsilon"}},
        GgufDamage{"EpsilonNotFinite",
                   [] { return gguf_with_value("bert.attention.layer_norm_epsilon", 4, gguf_bytes(0x7FC00000u)); },
                   ErrorKind::format,
                   {"layer_norm_epsilon"}},
        GgufDamage{"Causal",
                   [] { return gguf_with_value("bert.attention.causal", 4, std::string(1, '\1')); },
                   ErrorKind::unsupported,
                   {"causal"}},
        GgufDamage{"PoolingUnknown",
                   [] { return gguf_with_value("bert.pooling_type", 4, gguf_bytes(4u)); },
                   ErrorKind::unsupported,
                   {"pooling_type", "4"}},
        GgufDamage{"TokenizerOfAnotherKind",
                   [] { return gguf_with_value("tokenizer.ggml.model", 4, gguf_text("gpt2")); },
                   ErrorKind::unsupported,
                   {"gpt2", "WordPiece"}},
        GgufDamage{"TokensOfNumbers",
                   [] { return gguf_with_value("tokenizer.ggml.tokens", 4, gguf_bytes(gguf_uint32)); },
                   ErrorKind::format,
                   {""}},
        GgufDamage{"TokensInLists",
                   [] { return gguf_with_value("tokenizer.ggml.tokens", 4, gguf_bytes(gguf_list)); },
                   ErrorKind::unsupported,
                   {"tokenizer.ggml.tokens"}},
        GgufDamage{"TokensWithoutEnd",
                   [] { return gguf_with_value("tokenizer.ggml.tokens", 8, gguf_bytes(gguf_huge)); },
                   ErrorKind::format,
                   {"tokenizer.ggml.tokens"}},
        GgufDamage{"TokenWithoutEnd",
                   [] { return gguf_with_value("tokenizer.ggml.tokens", 16, gguf_bytes(gguf_huge)); },
                   ErrorKind::format,
                   {"tokenizer.ggml.tokens"}},
        GgufDamage{"TokenNotUtf8",
                   [] {
                       return gguf_with_text("[PAD]",
                                             "[P\x80"
                                             "D]");
                   },
                   ErrorKind::format,
                   {"UTF-8"}},
        GgufDamage{"TokenOfTheBytesThatEndOne",
                   [] {
                       return gguf_with_text("[PAD]",
                                             "[P\xFF"
                                             "D]");
                   },
                   ErrorKind::format,
                   {"UTF-8"}},
        GgufDamage{
            "TokenTwice", [] { return gguf_with_text("[PAD]", "[UNK]"); }, ErrorKind::vocabulary, {"[UNK]", "twice"}},
        GgufDamage{"NoUnknownToken",
                   [] { return gguf_with_value("tokenizer.ggml.unknown_token_id", 4, gguf_bytes(9999u)); },
                   ErrorKind::vocabulary,
                   {"9999"}},
        GgufDamage{"TypesMissing",
                   [] { return gguf_with_text("ggml.token_type\x09", "ggml.token_typo\x09"); },
                   ErrorKind::format,
                   {"token_type"}},
        GgufDamage{"TypesOfTexts",
                   [] { return gguf_with_value("tokenizer.ggml.token_type", 4, gguf_bytes(gguf_string)); },
                   ErrorKind::format,
                   {""}},
        GgufDamage{"TensorMissing",
                   [] { return gguf_with_text("attn_k.weight", "attn_x.weight"); },
                   ErrorKind::format,
                   {"self.key.weight", "missing"}},
        GgufDamage{"WordsMissing",
                   [] { return gguf_with_text("token_embd.weight", "token_emxx.weight"); },
                   ErrorKind::format,
                   {"word_embeddings"}},
        GgufDamage{"TensorTwice",
                   [] { return gguf_with_text("attn_k.weight", "attn_q.weight"); },
                   ErrorKind::format,
                   {"query", "twice"}},
        GgufDamage{"TensorOfAnotherType",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "f32.gguf");
                       bytes.replace(bytes.find("ffn_up.weight") + 13 + 4 + 16, 4, gguf_bytes(12u));
                       return bytes;
                   },
                   ErrorKind::unsupported,
                   {"ffn_up", "type 12", "Q8_0"}},
        GgufDamage{"RowsNoMultipleOfABlock",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "q8_0.gguf");
                       bytes.replace(bytes.find("ffn_up.weight") + 13 + 4, 8, gguf_bytes(std::uint64_t{31}));
                       return bytes;
                   },
                   ErrorKind::format,
                   {"ffn_up", "31", "32"}},
        GgufDamage{"ShapeBeyondCounting",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "f32.gguf");
                       bytes.replace(bytes.find("ffn_up.weight") + 13 + 4, 16,
                                     gguf_bytes(gguf_huge) + gguf_bytes(gguf_huge));
                       return bytes;
                   },
                   ErrorKind::format,
                   {"ffn_up"}},
        GgufDamage{"OffsetOutside",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "f32.gguf");
                       bytes.replace(bytes.find("ffn_up.weight") + 13 + 4 + 16 + 4, 8, gguf_bytes(gguf_huge));
                       return bytes;
                   },
                   ErrorKind::format,
                   {"ffn_up", "offset"}},
        GgufDamage{"TensorsOverlap",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "f32.gguf");
                       const std::size_t behind_name = 13 + 4 + 16 + 4;
                       const std::string first = bytes.substr(bytes.find("attn_q.weight") + behind_name, 8);
                       bytes.replace(bytes.find("attn_k.weight") + behind_name, 8, first);
                       return bytes;
                   },
                   ErrorKind::format,
                   {"overlap"}},
        GgufDamage{"DimensionsTooMany",
                   [] {
                       std::string bytes = read_bytes(gguf_models() / "f32.gguf");
                       bytes.replace(bytes.find("ffn_up.weight") + 13, 4, gguf_bytes(0xFFFFFFFFu));
                       return bytes;
                   },
                   ErrorKind::format,
                   {"ffn_up", "dimensions"}}),
    [](const testing::TestParamInfo<GgufDamage>& info) { return std::string(info.param.name); });

/// The same file with more metadata: texts and numbers as the format writes them, behind their key.
std::string gguf_with_metadata(std::vector<std::string> entries) {
    std::string bytes = read_bytes(gguf_models() / "f32.gguf");
    constexpr std::uint32_t string_type = 8;
    std::string added;
    for (const auto& entry : entries) added += entry;
    // Tensors begin at a multiple of the alignment: a text fills what is added up to one.
    constexpr std::size_t alignment = 32;
    const std::string filler = gguf_text("filler") + gguf_bytes(string_type);
    const std::size_t over = (added.size() + filler.size() + sizeof(std::uint64_t)) % alignment;
    added += filler + gguf_text(std::string(alignment - over, ' '));
    std::uint64_t count = 0;
    std::memcpy(&count, bytes.data() + 16, sizeof count);
    count += entries.size() + 1;
    std::memcpy(bytes.data() + 16, &count, sizeof count);
    return bytes.insert(24, added);
}

std::string gguf_flag(const std::string& key, bool value) {
    constexpr std::uint32_t bool_type = 7;
    return gguf_text(key) + gguf_bytes(bool_type) + gguf_bytes(static_cast<std::uint8_t>(value));
}

TEST(Gguf, NormalizesAsItSays) {
    const TempFolder folder;
    const fs::path path = folder.path() / "flags.gguf";
    const auto tokens = [&](const std::vector<std::string>& metadata, const char* text) {
        write_bytes(path, gguf_with_metadata(metadata));
        return bert::Tokenizer::load(path).encode(text).tokens;
    };
    const std::string lower = "tokenizer.ggml.normalizer.lowercase";
    const std::string strip = "tokenizer.ggml.normalizer.strip_accents";
    using Tokens = std::vector<std::string>;
    const Tokens cat{"[CLS]", "cat", "[SEP]"}, cafe{"[CLS]", "cafe", "[SEP]"}, unknown{"[CLS]", "[UNK]", "[SEP]"};
    EXPECT_EQ(tokens({}, "CAT"), cat);  // a vocabulary without capitals
    EXPECT_EQ(tokens({gguf_flag(lower, true)}, "CAT"), cat);
    EXPECT_EQ(tokens({gguf_flag(lower, false)}, "CAT"), unknown);
    EXPECT_EQ(tokens({gguf_flag(lower, true)}, "caf\xC3\xA9"), cafe);
    EXPECT_EQ(tokens({gguf_flag(lower, true), gguf_flag(strip, false)}, "caf\xC3\xA9"), unknown);
    EXPECT_EQ(tokens({gguf_flag(lower, false), gguf_flag(strip, true)}, "caf\xC3\xA9"), cafe);
}

TEST(Gguf, TextsOutliveTheReadingOfAFileWithoutTensors) {
    // Only tensors used to keep the file mapped.
    const TempFolder folder;
    const fs::path path = folder.path() / "no-tensors.gguf";
    write_bytes(path, gguf_with_start(8, std::uint64_t{0}));
    for (const bool map : {true, false}) {
        const bert::GgufFile file = bert::read_gguf(path, map);
        EXPECT_TRUE(file.tensors.empty());
        const auto& architecture = std::get<std::string_view>(file.metadata.find("general.architecture")->second);
        EXPECT_EQ(architecture, "bert");
    }
}

TEST(Gguf, CutShortOrWithChangedBytesIsOpenedOrNamed) {
    const TempFolder folder;
    const fs::path path = folder.path() / "damaged.gguf";
    const std::string bytes = read_bytes(gguf_models() / "q8_0.gguf");
    const std::size_t header = bytes.find("blk.0.layer_output_norm.bias") + 60;
    Random random(11);
    for (std::size_t size = 0; size < header; size += 1 + random.below(60)) {
        write_bytes(path, bytes.substr(0, size));
        expect_error(ErrorKind::format, {"damaged.gguf"}, [&] { const bert::SentenceEncoder encoder(path); });
        std::string changed = bytes;
        changed[size] = static_cast<char>(changed[size] ^ (1 << random.below(8)));
        write_bytes(path, changed);
        try {
            bert::SentenceEncoderOptions options;
            options.threads = 1;
            (void)bert::SentenceEncoder(path, options).encode({"a cat"});
        } catch (const bert::Error& error) {
            EXPECT_NE(std::string(error.what()).find("damaged.gguf"), std::string::npos) << error.what();
        }
    }
    write_bytes(path, bytes.substr(0, bytes.size() - 40));
    expect_error(ErrorKind::format, {"damaged.gguf"}, [&] { const bert::SentenceEncoder encoder(path); });
}

}  // namespace
