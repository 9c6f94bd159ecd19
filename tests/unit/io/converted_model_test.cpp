// The format of converted models: what is in the file, what damage to it gives, and what verification finds.
#include "../test_support.hpp"

#include <bert/bert.hpp>
#include <bert/kernels/dispatch.hpp>
#include <bert/model/convert.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Matrix;
using bert::StorageType;

/// Header and data of a safetensors file, to be changed.
struct FileParts {
    Json header;
    std::string data;

    explicit FileParts(const fs::path& path) {
        const std::string bytes = read_bytes(path);
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), sizeof length);
        header = Json::parse(bytes.substr(sizeof length, length));
        data = bytes.substr(sizeof length + length);
    }

    void write(const fs::path& path) const { write_bytes(path, safetensors_bytes(header.dump(), data)); }

    Json& metadata() { return header["__metadata__"]; }

    /// The bytes of a tensor.
    char* bytes_of(const std::string& name) {
        return data.data() + header.at(name)["data_offsets"][0].get<std::size_t>();
    }
};

/// A small model of sentence-transformers with a Dense module, converted to 8 bits once for all tests.
class ConvertedFile : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new TempFolder;
        assemble_sentence_model("dense_tanh", folder_->path() / "source");
        bert::convert_model(source(), good(), StorageType::int8);
    }
    static void TearDownTestSuite() {
        delete folder_;
        folder_ = nullptr;
    }

    static fs::path source() { return folder_->path() / "source"; }
    static fs::path good() { return folder_->path() / "good.bert"; }
    static fs::path damaged() { return folder_->path() / "damaged.bert"; }

    static TempFolder* folder_;
};

TempFolder* ConvertedFile::folder_ = nullptr;

TEST_F(ConvertedFile, HoldsTheFilesOfItsFolder) {
    FileParts parts(good());
    Json& metadata = parts.metadata();
    EXPECT_EQ(metadata["format"], "pt");
    EXPECT_EQ(metadata["bert.version"], "1");
    EXPECT_EQ(metadata["bert.weights"], "int8");
    EXPECT_EQ(metadata["bert.int8_block"], std::to_string(bert::int8_block));
    for (const char* file : {"config.json", "modules.json", "1_Pooling/config.json", "2_Dense/config.json",
                             "sentence_bert_config.json", "tokenizer_config.json"}) {
        ASSERT_TRUE(metadata.contains(file)) << file;
        EXPECT_EQ(nlohmann::json::parse(metadata[file].get<std::string>()), nlohmann::json(read_json(source() / file)))
            << file;
    }
    Json tokenizer = read_json(source() / "tokenizer.json");
    tokenizer["model"].erase("vocab");
    EXPECT_EQ(nlohmann::json(Json::parse(metadata["tokenizer.json"].get<std::string>())), nlohmann::json(tokenizer));
}

TEST_F(ConvertedFile, HoldsWeightsUnderTheirPublishedNames) {
    const auto published = read_raw_safetensors(source() / "model.safetensors");
    std::map<std::string, RawTensor> stored;
    for (const auto& tensor : read_raw_safetensors(good())) stored.emplace(tensor.name, tensor);
    for (const RawTensor& tensor : published) {
        ASSERT_TRUE(stored.count(tensor.name)) << tensor.name;
        EXPECT_EQ(stored.at(tensor.name).shape, tensor.shape);
        const bool matrix = tensor.shape.size() == 2;
        EXPECT_EQ(stored.at(tensor.name).dtype, matrix ? "I8" : "F32") << tensor.name;
        if (!matrix) {
            EXPECT_EQ(stored.at(tensor.name).data, tensor.data) << tensor.name;
            continue;
        }
        // Any reader gets the weights back by the formula of the documentation, to half a step.
        const RawTensor& scales = stored.at(tensor.name + "_scale");
        const auto rows = static_cast<std::size_t>(tensor.shape[0]);
        const auto cols = static_cast<std::size_t>(tensor.shape[1]);
        const std::size_t blocks = (cols + bert::int8_block - 1) / bert::int8_block;
        ASSERT_EQ(scales.data.size(), rows * blocks * sizeof(float));
        for (std::size_t i = 0; i < rows * cols; ++i) {
            float scale, weight;
            const std::size_t at = i / cols * blocks + i % cols / bert::int8_block;
            std::memcpy(&scale, scales.data.data() + at * sizeof scale, sizeof scale);
            std::memcpy(&weight, tensor.data.data() + i * sizeof weight, sizeof weight);
            const auto value = static_cast<float>(static_cast<std::int8_t>(stored.at(tensor.name).data[i]));
            ASSERT_LE(std::abs(value * scale - weight), scale * 0.501f) << tensor.name << " " << i;
        }
    }
    EXPECT_EQ(stored.at("2_Dense/linear.weight").dtype, "F32");
    const std::string vocabulary = stored.at("tokenizer.vocabulary").data;
    EXPECT_EQ(vocabulary.rfind("[PAD]\xFF", 0), 0u);
}

TEST_F(ConvertedFile, IsMappedAligned) {
    const auto file = bert::read_safetensors(good());
    for (const auto& tensor : file.tensors) {
        if (tensor.dtype != bert::DType::f32) continue;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data) % sizeof(float), 0u) << tensor.name;
    }
}

// ---------------------------------------------------------------------------------------------------------- damage

TEST_F(ConvertedFile, CutShortIsANamedError) {
    const std::string bytes = read_bytes(good());
    for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 16) {
        write_bytes(damaged(), bytes.substr(0, size));
        expect_error(ErrorKind::format, {"damaged.bert"}, [] { const bert::SentenceEncoder encoder(damaged()); });
    }
    write_bytes(damaged(), bytes + "x");
    expect_error(ErrorKind::format, {"damaged.bert"}, [] { const bert::SentenceEncoder encoder(damaged()); });
}

TEST_F(ConvertedFile, WithAnyChangedByteOfItsHeaderIsOpenedOrNamed) {
    const std::string bytes = read_bytes(good());
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    Random random(3);
    std::size_t opened = 0, refused = 0;
    for (std::size_t i = 0; i < sizeof length + length; i += 1 + random.below(40)) {
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ (1 << random.below(8)));
        write_bytes(damaged(), changed);
        try {
            bert::SentenceEncoderOptions options;
            options.threads = 1;
            const bert::SentenceEncoder encoder(damaged(), options);
            (void)encoder.encode({"a cat"});
            ++opened;
        } catch (const bert::Error& error) {
            EXPECT_NE(std::string(error.what()).find("damaged.bert"), std::string::npos) << error.what();
            ++refused;
        }
    }
    EXPECT_GT(opened, 0u);  // a digit of an embedding, say
    EXPECT_GT(refused, 0u);
}

struct Damage {
    const char* name;
    std::function<void(FileParts&)> change;
    ErrorKind kind;
    std::vector<std::string> message;
};

std::ostream& operator<<(std::ostream& out, const Damage& damage) {
    return out << damage.name;
}

class DamagedFile : public ConvertedFile, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedFile, IsANamedError) {
    FileParts parts(good());
    GetParam().change(parts);
    parts.write(damaged());
    auto message = GetParam().message;
    message.push_back("damaged.bert");
    expect_error(GetParam().kind, message, [] { const bert::SentenceEncoder encoder(damaged()); });
}

std::function<void(FileParts&)> metadata(const std::string& key, const std::string& value) {
    return [=](FileParts& parts) { parts.metadata()[key] = value; };
}
std::function<void(FileParts&)> no_metadata(const std::string& key) {
    return [=](FileParts& parts) { parts.metadata().erase(key); };
}
std::function<void(FileParts&)> tensor_key(const std::string& name, const std::string& key, const Json& value) {
    return [=](FileParts& parts) { parts.header.at(name)[key] = value; };
}
std::function<void(FileParts&)> renamed(const std::string& name, const std::string& other) {
    return [=](FileParts& parts) {
        parts.header[other] = parts.header.at(name);
        parts.header.erase(name);
    };
}
std::function<void(FileParts&)> first_float(const std::string& name, float value) {
    return [=](FileParts& parts) { std::memcpy(parts.bytes_of(name), &value, sizeof value); };
}

const std::string query = "encoder.layer.0.attention.self.query.weight";
const std::string words = "embeddings.word_embeddings.weight";

INSTANTIATE_TEST_SUITE_P(
    All, DamagedFile,
    testing::Values(
        Damage{"OfAnotherVersion", metadata("bert.version", "2"), ErrorKind::unsupported, {"version 2"}},
        Damage{"WeightsAlone", no_metadata("bert.version"), ErrorKind::format, {"weights alone", "bert convert"}},
        Damage{"StorageUnknown", metadata("bert.weights", "int3"), ErrorKind::unsupported, {"int3"}},
        Damage{"StorageMissing", no_metadata("bert.weights"), ErrorKind::format, {"bert.weights"}},
        Damage{"BlockMissing", no_metadata("bert.int8_block"), ErrorKind::format, {"bert.int8_block"}},
        Damage{"BlockNoNumber", metadata("bert.int8_block", "12x"), ErrorKind::format, {"12x"}},
        Damage{"BlockNegative", metadata("bert.int8_block", "-128"), ErrorKind::format, {"-128"}},
        // All rows of this model are shorter than either block, so only the number tells.
        Damage{"BlockOther", metadata("bert.int8_block", "64"), ErrorKind::unsupported, {"64", "convert"}},
        Damage{"ConfigMissing", no_metadata("config.json"), ErrorKind::file, {"config.json"}},
        Damage{"ConfigBroken", metadata("config.json", "{"), ErrorKind::format, {"config.json"}},
        Damage{"MetadataOfNumbers",
               [](FileParts& parts) { parts.metadata()["config.json"] = 3; },
               ErrorKind::format,
               {"__metadata__"}},
        Damage{"TokenizerMissing", no_metadata("tokenizer.json"), ErrorKind::file, {"tokenizer.json"}},
        Damage{"ModuleClimbsOut",
               metadata("modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": "../x"}])"),
               ErrorKind::format,
               {"../x"}},
        Damage{"ScaleMissing", renamed(query + "_scale", "other"), ErrorKind::format, {query, "_scale"}},
        Damage{
            "ScaleOfAnotherShape", tensor_key(query + "_scale", "shape", {12, 2}), ErrorKind::shape, {"_scale", "12"}},
        Damage{
            "ScaleOfAnotherType", tensor_key(query + "_scale", "dtype", "I32"), ErrorKind::format, {"_scale", "F32"}},
        Damage{"ScaleNotFinite", first_float(query + "_scale", NAN), ErrorKind::format, {query, "NaN"}},
        Damage{"ScaleTooLarge", first_float(query + "_scale", 3e38f), ErrorKind::format, {query, "infinities"}},
        Damage{"NeighboursTooLarge",
               [](FileParts& parts) { std::memcpy(parts.bytes_of(query), "\x7F\x7F", 2); },
               ErrorKind::format,
               {query, "128"}},
        Damage{"VocabularyOfAnotherType", tensor_key("tokenizer.vocabulary", "dtype", "I8"), ErrorKind::format, {"U8"}},
        Damage{"BiasMissing",
               renamed("encoder.layer.0.output.dense.bias", "other"),
               ErrorKind::format,
               {"encoder.layer.0.output.dense.bias", "missing"}},
        Damage{"WeightOfAnotherShape", tensor_key(words, "shape", {1, 1}), ErrorKind::format, {words}},
        Damage{"DenseMissing",
               renamed("2_Dense/linear.weight", "3_Dense/linear.weight"),
               ErrorKind::format,
               {"linear.weight"}},
        Damage{"VocabularyMissing", renamed("tokenizer.vocabulary", "other"), ErrorKind::format, {"vocab"}},
        Damage{"VocabularyWithoutEnd",
               [](FileParts& parts) {
                   const Json& range = parts.header.at("tokenizer.vocabulary")["data_offsets"];
                   parts.bytes_of(
                       "tokenizer.vocabulary")[range[1].get<std::size_t>() - range[0].get<std::size_t>() - 1] = 'x';
               },
               ErrorKind::format,
               {"FF"}},
        Damage{"VocabularyNotUtf8",
               [](FileParts& parts) { parts.bytes_of("tokenizer.vocabulary")[1] = '\x80'; },
               ErrorKind::format,
               {"UTF-8"}},
        Damage{"VocabularyLargerThanTheModel",
               [](FileParts& parts) {
                   char* const bytes = parts.bytes_of("tokenizer.vocabulary");
                   const Json& range = parts.header.at("tokenizer.vocabulary")["data_offsets"];
                   const std::size_t size = range[1].get<std::size_t>() - range[0].get<std::size_t>();
                   // As many tokens as bytes, each of its own: the ends are where they were before, and more.
                   for (std::size_t i = 6; i < size; i += 2) bytes[i + 1 < size ? i + 1 : i] = '\xFF';
               },
               ErrorKind::vocabulary,
               {""}}),
    [](const testing::TestParamInfo<Damage>& info) { return std::string(info.param.name); });

// ---------------------------------------------------------------------------------------------------------- vocabulary

TEST(ConvertedTokenizer, IsTheOneOfItsFolder) {
    const std::vector<std::string> texts = {"Hello world, it's caf\xC3\xA9 time!",
                                            "[MASK] x[SEP]y  ##ing \xE6\x9D\xB1\xE4\xBA\xAC",
                                            "unaffable lower LOWER newest", ""};
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(data_dir() / "tokenizer" / "folders")) {
        SCOPED_TRACE(entry.path().string());
        const TempFolder folder;
        write_random_model(folder.path(), ModelSizes(), 5);
        copy_into(entry.path(), folder.path());
        const fs::path file = folder.path() / "model.bert";
        bert::write_converted_model(folder.path(), file, StorageType::float32);
        const auto source = bert::Tokenizer::load(folder.path());
        const auto converted = bert::Tokenizer::load(file);
        EXPECT_EQ(converted.vocab_size(), source.vocab_size());
        EXPECT_EQ(converted.model_max_length(), source.model_max_length());
        for (std::size_t id = 0; id < source.vocab_size(); ++id) {
            EXPECT_EQ(converted.id_to_token(static_cast<std::int32_t>(id)),
                      source.id_to_token(static_cast<std::int32_t>(id)));
        }
        for (const auto& text : texts) {
            const auto a = converted.encode(text, "a pair"), b = source.encode(text, "a pair");
            EXPECT_EQ(a.ids, b.ids) << text;
            EXPECT_EQ(a.type_ids, b.type_ids) << text;
            EXPECT_EQ(converted.decode(a.ids), source.decode(b.ids)) << text;
        }
        ++count;
    }
    EXPECT_GT(count, 20u);
}

/// Expects that a model is not converted whose vocabulary holds "another" with this id too.
void expect_id_refused(int id, const std::vector<std::string>& message) {
    const TempFolder folder;
    write_random_model(folder.path(), ModelSizes(), 5);
    copy_into(data_dir() / "tokenizer" / "folders" / "plain", folder.path());
    Json tokenizer = read_json(folder.path() / "tokenizer.json");
    tokenizer["model"]["vocab"]["another"] = id;
    write_json(folder.path() / "tokenizer.json", tokenizer);
    expect_error(ErrorKind::vocabulary, message, [&] {
        bert::write_converted_model(folder.path(), folder.path() / "model.bert", StorageType::float32);
    });
    EXPECT_FALSE(fs::exists(folder.path() / "model.bert"));
}

TEST(ConvertedTokenizer, NeedsAnIdOfItsOwnForEachToken) {
    expect_id_refused(5, {"the id 5"});
}

TEST(ConvertedTokenizer, HasNoIdFarBehindItsTokens) {
    expect_id_refused(2000000000, {"another", "2000000000"});
}

// ---------------------------------------------------------------------------------------------------------- conversion

TEST(Conversion, LeavesNothingBehindWhereItFails) {
    const TempFolder folder;
    const fs::path source = folder.path() / "source";
    assemble_sentence_model("dense_tanh", source);
    edit_tensors(source / "model.safetensors", [](auto& tensors) {
        const float large = 1e6f;
        std::memcpy(tensor_named(tensors, query).data.data(), &large, sizeof large);
    });
    const fs::path target = folder.path() / "model.bert";
    write_bytes(target, "as it was");
    expect_error(ErrorKind::unsupported, {query, "16-bit"},
                 [&] { bert::convert_model(source, target, StorageType::float16); });
    EXPECT_EQ(read_bytes(target), "as it was");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
    expect_error(ErrorKind::input, {"over the one"}, [&] { bert::convert_model(source, source, StorageType::int8); });
    expect_error(ErrorKind::input, {"tokenizers"},
                 [&] { bert::convert_model(source, folder.path() / "x.json", StorageType::int8); });
    expect_error(ErrorKind::file, {"absent"},
                 [&] { bert::convert_model(folder.path() / "absent", target, StorageType::int8); });
}

TEST(Conversion, RefusesWeightsThatAreNotFinite) {
    const TempFolder folder;
    copy_into(bert_models() / "base", folder.path());
    edit_tensors(folder.path() / "model.safetensors",
                 [](auto& tensors) { std::memcpy(tensor_named(tensors, words).data.data(), "\0\0\xC0\x7F", 4); });
    for (const auto storage : {StorageType::float32, StorageType::float16, StorageType::bfloat16, StorageType::int8}) {
        expect_error(ErrorKind::format, {words, "NaN"},
                     [&] { bert::write_converted_model(folder.path(), folder.path() / "model.bert", storage); });
    }
}

// ----------------------------------------------------------------------------------------------------------
// verification

TEST_F(ConvertedFile, ProvesItself) {
    for (const auto* table : bert::available_kernels<float>()) {
        bert::VerifyOptions options;
        options.load.kernels = table->name;
        const auto report = bert::verify(good(), options);
        EXPECT_EQ(report.reference, bert::VerificationReport::Reference::carried);
        EXPECT_TRUE(report.passed) << table->name << " " << report.deviation;
        EXPECT_EQ(report.kernels, table->name);
        EXPECT_EQ(report.weights, bert::WeightType::int8);
        ASSERT_TRUE(report.original_cosine.has_value());
        EXPECT_GT(*report.original_cosine, 0.99);
        EXPECT_LT(*report.original_cosine, 1);
        EXPECT_GT(report.tokens, report.texts);
        EXPECT_GT(report.tokens_per_second, 0);
    }
    bert::VerifyOptions wide;
    wide.weights = bert::WeightType::float32;
    EXPECT_TRUE(bert::verify(good(), wide).passed);
    bert::SentenceEncoderOptions options;
    options.verify = true;
    EXPECT_NO_THROW(bert::SentenceEncoder(good(), options));
    options.truncate_dim = 4;
    expect_error(ErrorKind::input, {"truncate_dim"}, [&] { bert::SentenceEncoder(good(), options); });
}

TEST_F(ConvertedFile, NoticesOtherWeights) {
    FileParts parts(good());
    parts.bytes_of(words)[100] = static_cast<char>(parts.bytes_of(words)[100] ^ 1);
    parts.write(damaged());
    expect_error(ErrorKind::format, {"checksum"}, [] { bert::verify(damaged()); });
    EXPECT_NO_THROW(bert::SentenceEncoder{damaged()});
}

TEST_F(ConvertedFile, NoticesOtherEmbeddings) {
    FileParts parts(good());
    Json verification = Json::parse(parts.metadata()["bert.verification"].get<std::string>());
    verification["expected"][1][2] = verification["expected"][1][2].get<double>() + 1;
    parts.metadata()["bert.verification"] = verification.dump();
    parts.write(damaged());
    const auto report = bert::verify(damaged());
    EXPECT_FALSE(report.passed);
    EXPECT_GT(report.deviation, 0.1);
    bert::SentenceEncoderOptions options;
    options.verify = true;
    expect_error(ErrorKind::format, {"damaged.bert", "deviate"}, [&] { bert::SentenceEncoder(damaged(), options); });

    for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"texts", Json::array()},
                                                                              {"texts", {1, 2, 3, 4}},
                                                                              {"expected", {1, 2}},
                                                                              {"expected", nullptr},
                                                                              {"original", {{1}, {2}, {3}, {"x"}}},
                                                                              {"original", {{1}, {2}, {3}, {4, 5}}},
                                                                              {"original", {{1}, {2}, {3}, {1e300}}}}) {
        Json broken = Json::parse(FileParts(good()).metadata()["bert.verification"].get<std::string>());
        broken[key] = value;
        parts.metadata()["bert.verification"] = broken.dump();
        parts.write(damaged());
        expect_error(ErrorKind::format, {"damaged.bert", key}, [] { bert::verify(damaged()); });
    }
}

TEST_F(ConvertedFile, OfAFolderIsComparedWithPlainCode) {
    for (const auto weights : {bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8}) {
        bert::VerifyOptions options;
        options.weights = weights;
        const auto report = bert::verify(source(), options);
        EXPECT_EQ(report.reference, bert::VerificationReport::Reference::plain);
        EXPECT_TRUE(report.passed) << report.deviation;
        EXPECT_EQ(report.weights, weights);
        EXPECT_FALSE(report.original_cosine.has_value());
    }
    bert::SentenceEncoderOptions options;
    options.verify = true;
    expect_error(ErrorKind::unsupported, {"carries no"}, [&] { bert::SentenceEncoder(source(), options); });
}

}  // namespace
