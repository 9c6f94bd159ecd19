// Reading safetensors files and checkpoints: what a good file gives, and the named error of each kind of bad one.
#include "../test_support.hpp"

#include <bert/io/safetensors.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;

/// A header with one F32 tensor "w" whose fields are given as JSON text.
std::string one_tensor(const std::string& shape, const std::string& offsets, const std::string& dtype = "\"F32\"") {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

TEST(ReadSafetensors, GivesNamesTypesShapesAndData) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    std::string ids(3 * sizeof(std::int64_t), '\0');
    write_safetensors(path, {float_tensor("b", {2, 3}, {1, 2, 3, 4, 5, -6}),
                             {"a", "I64", {1, 3}, ids},
                             {"half", "F16", {2}, std::string("\x00\x3c\x00\xc0", 4)},
                             {"scalar", "BF16", {}, std::string("\x80\x3f", 2)},
                             {"empty", "F32", {0, 7}, ""},
                             {"exotic", "F8_E4M3", {5}, "12345"}});
    for (const bool map : {true, false}) {
        const auto tensors = bert::read_safetensors(path, map).tensors;
        ASSERT_EQ(tensors.size(), 6u);
        EXPECT_EQ(tensors[0].name, "a");
        EXPECT_EQ(tensors[0].dtype, bert::DType::i64);
        EXPECT_EQ(tensors[1].name, "b");
        EXPECT_EQ(tensors[1].dtype, bert::DType::f32);
        EXPECT_EQ(tensors[1].shape, (std::vector<Index>{2, 3}));
        EXPECT_EQ(tensors[1].elements(), 6);
        float values[6];
        ASSERT_EQ(tensors[1].bytes, sizeof values);
        std::memcpy(values, tensors[1].data, sizeof values);
        EXPECT_EQ(values[5], -6.0f);
        EXPECT_EQ(tensors[2].elements(), 0);
        EXPECT_EQ(tensors[3].dtype, bert::DType::other);
        EXPECT_EQ(tensors[3].dtype_name, "F8_E4M3");
        EXPECT_EQ(tensors[4].dtype, bert::DType::f16);
        EXPECT_EQ(tensors[5].dtype, bert::DType::bf16);
        EXPECT_EQ(tensors[5].elements(), 1);
    }
}

TEST(ReadSafetensors, TensorsOutliveTheListTheyCameIn) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    write_safetensors(path, {float_tensor("w", {1}, {42})});
    const bert::TensorView tensor = bert::read_safetensors(path).tensors.front();
    float value = 0;
    std::memcpy(&value, tensor.data, sizeof value);
    EXPECT_EQ(value, 42.0f);
}

TEST(ReadSafetensors, AcceptsAFileWithoutTensors) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    write_bytes(path, safetensors_bytes(R"({"__metadata__":{"format":"pt"}}   )", ""));
    EXPECT_TRUE(bert::read_safetensors(path).tensors.empty());
}

struct BadFile {
    const char* name;
    std::string bytes;
    std::vector<std::string> message;
};

std::ostream& operator<<(std::ostream& out, const BadFile& file) {
    return out << file.name;
}

class BadSafetensors : public testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, IsAFormatErrorNamingTheFile) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    write_bytes(path, GetParam().bytes);
    auto message = GetParam().message;
    message.push_back(path.string());
    for (const bool map : {true, false}) {
        expect_error(ErrorKind::format, message, [&] { (void)bert::read_safetensors(path, map); });
    }
}

std::string with_length(std::uint64_t length, const std::string& rest) {
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + rest;
}

/// Header text of two tensors "a" and "b" of four bytes each at the given offsets.
std::string two_tensors(const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + a +
           R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + b + "}}";
}

std::vector<BadFile> bad_files() {
    const std::string data8(8, '\0');
    const auto file = [](const std::string& header, std::size_t bytes) {
        return safetensors_bytes(header, std::string(bytes, '\0'));
    };
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    return {
        {"ZeroLength", "", {"0 bytes"}},
        {"ShorterThanItsLengthField", "1234567", {"7 bytes"}},
        {"OnlyTheLengthField", with_length(2, ""), {"header"}},
        {"HeaderBeyondTheFile", with_length(1000, "{}"), {"1000", "2"}},
        {"HeaderOf2To63Bytes", with_length(std::uint64_t{1} << 63, "{}"), {"header"}},
        {"HeaderLengthThatWrapsAround", with_length(~std::uint64_t{0} - 6, "{}"), {"header"}},
        {"HeaderOfZeroBytes", with_length(0, "{}"), {"header"}},
        {"HeaderIsNoJson", file("this is no JSON", 0), {"header"}},
        {"HeaderIsCutOff", file(R"({"w":{"dtype":"F32",)", 0), {"header"}},
        {"HeaderIsAnArray", file("[1, 2]", 0), {"object", "array"}},
        {"HeaderIsANumber", file("17", 0), {"object", "number"}},
        {"HeaderIsNoUtf8", file("{\"\xff\xfe\":{}}", 0), {}},
        {"HeaderHasRawZeroBytes", file(std::string("{\0}", 3), 0), {}},
        {"NestedDeeplyAtTheTop", file(deep, 0), {"nest"}},
        {"NestedDeeplyInATensor", file(R"({"w":)" + deep + "}", 0), {"nest"}},
        {"TensorIsANumber", file(R"({"w":3})", 0), {"\"w\""}},
        {"TensorIsAnArray", file(R"({"w":["F32",[1],[0,4]]})", 4), {"\"w\""}},
        {"NoDtype", file(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4), {"\"w\"", "dtype"}},
        {"DtypeIsANumber", file(one_tensor("[1]", "[0,4]", "32"), 4), {"dtype"}},
        {"NoShape", file(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4), {"\"w\"", "shape"}},
        {"ShapeIsANumber", file(one_tensor("1", "[0,4]"), 4), {"\"w\"", "shape"}},
        {"ShapeHasANegativeExtent", file(one_tensor("[-1]", "[0,4]"), 4), {"\"w\"", "shape"}},
        {"ShapeHasAFraction", file(one_tensor("[1.5]", "[0,4]"), 4), {"\"w\"", "shape"}},
        {"ShapeHasAString", file(one_tensor("[\"1\"]", "[0,4]"), 4), {"\"w\"", "shape"}},
        {"ShapeHasAnExtentBeyond64Bits", file(one_tensor("[99999999999999999999999]", "[0,4]"), 4), {"\"w\"", "shape"}},
        {"ShapeProductOverflows", file(one_tensor("[4294967296,4294967296]", "[0,0]"), 0), {"\"w\"", "shape"}},
        {"ShapeProductOverflowsToFour", file(one_tensor("[4611686018427387905,4]", "[0,16]"), 16), {"\"w\"", "shape"}},
        {"ShapeTimesTypeOverflows", file(one_tensor("[2305843009213693952,2]", "[0,0]"), 0), {"\"w\"", "shape"}},
        {"ShapeTimesTypeIsLessThanTheBytes", file(one_tensor("[1]", "[0,8]"), 8), {"\"w\"", "4", "8"}},
        {"ShapeTimesTypeIsMoreThanTheBytes", file(one_tensor("[3]", "[0,8]"), 8), {"\"w\"", "12", "8"}},
        {"ScalarWithoutBytes", file(one_tensor("[]", "[0,0]"), 0), {"\"w\"", "4", "0"}},
        {"EmptyShapeWithBytes", file(one_tensor("[0]", "[0,4]"), 4), {"\"w\"", "0", "4"}},
        {"NoOffsets", file(R"({"w":{"dtype":"F32","shape":[1]}})", 4), {"\"w\"", "data_offsets"}},
        {"OneOffset", file(one_tensor("[1]", "[4]"), 4), {"\"w\"", "data_offsets"}},
        {"ThreeOffsets", file(one_tensor("[1]", "[0,4,8]"), 8), {"\"w\"", "data_offsets"}},
        {"NegativeOffset", file(one_tensor("[1]", "[-4,0]"), 4), {"\"w\"", "data_offsets"}},
        {"ReversedOffsets", file(one_tensor("[1]", "[4,0]"), 4), {"\"w\"", "data_offsets"}},
        {"OffsetBeyondTheFile", file(one_tensor("[2]", "[0,8]"), 4), {"\"w\"", "data_offsets", "4"}},
        {"OffsetBeyond63Bits", file(one_tensor("[1]", "[18446744073709551612,18446744073709551615]"), 4), {"\"w\""}},
        {"TensorsOverlap", file(two_tensors("[0,4]", "[2,6]"), 6), {"overlap", "2"}},
        {"TensorsShareTheirBytes", file(two_tensors("[0,4]", "[0,4]"), 4), {"overlap", "0"}},
        {"HoleBetweenTensors", file(two_tensors("[0,4]", "[5,9]"), 9), {"hole", "4"}},
        {"HoleBeforeTheFirst", file(one_tensor("[1]", "[4,8]"), 8), {"hole", "0"}},
        {"BytesAfterTheLast", file(one_tensor("[1]", "[0,4]"), 8), {"8", "4"}},
        {"BytesWithoutAnyTensor", file("{}", 8), {"8", "0"}},
        {"TensorGivenTwice",
         file(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
              R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
              8),
         {"\"w\"", "twice"}},
    };
}

INSTANTIATE_TEST_SUITE_P(All, BadSafetensors, testing::ValuesIn(bad_files()),
                         [](const testing::TestParamInfo<BadFile>& info) { return std::string(info.param.name); });

TEST(ReadSafetensors, EveryCutOfAGoodFileIsAnError) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    write_safetensors(path, {float_tensor("a", {2}, {1, 2}), float_tensor("b", {1, 1}, {3})});
    const std::string whole = read_bytes(path);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        write_bytes(path, whole.substr(0, size));
        expect_error(ErrorKind::format, {path.string()}, [&] { (void)bert::read_safetensors(path); });
    }
}

TEST(ReadSafetensors, AnyFlippedByteOfTheHeaderIsAnErrorOrStaysInBounds) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    write_safetensors(path, {float_tensor("a", {2}, {1, 2}), float_tensor("b", {1, 1}, {3})});
    const std::string whole = read_bytes(path);
    const std::size_t header_end = whole.size() - 12;
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < header_end; ++at) {
        for (const int flip : {0x01, 0x02, 0x10, 0x80, 0xff}) {
            std::string broken = whole;
            broken[at] = static_cast<char>(broken[at] ^ flip);
            write_bytes(path, broken);
            try {
                const auto file = bert::read_safetensors(path, false);
                for (const auto& tensor : file.tensors) {
                    std::string copy(tensor.bytes, '\0');  // a sanitizer sees a range that leaves the file
                    if (tensor.bytes > 0) std::memcpy(copy.data(), tensor.data, tensor.bytes);
                    ASSERT_LE(tensor.bytes, 12u);
                    ++accepted;
                }
            } catch (const bert::Error& error) {
                EXPECT_EQ(error.kind(), ErrorKind::format) << error.what();
            }
        }
    }
    EXPECT_GT(accepted, 0u);  // a renamed tensor is still a tensor
}

TEST(ReadSafetensors, MissingFileFolderAndLinkLoopAreFileErrors) {
    const TempFolder folder;
    const auto loop = folder.path() / "loop.safetensors";
    fs::create_symlink("loop.safetensors", loop);
    for (const bool map : {true, false}) {
        for (const auto& path : {folder.path() / "absent.safetensors", folder.path(), loop}) {
            expect_error(ErrorKind::file, {path.string()}, [&] { (void)bert::read_safetensors(path, map); });
        }
    }
}

// ---------------------------------------------------------------------------------------------------------- Checkpoint

TEST(Checkpoint, FindsTensorsOfOneFile) {
    const bert::Checkpoint checkpoint(bert_models() / "base");
    const bert::TensorView* const tensor = checkpoint.find("embeddings.word_embeddings.weight");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->shape, (std::vector<Index>{61, 32}));
    EXPECT_EQ(checkpoint.find("no.such.tensor"), nullptr);
}

TEST(Checkpoint, FindsTensorsOfAllShards) {
    const auto folder = bert_models() / "sharded";
    const bert::Checkpoint checkpoint(folder);
    const Json index = read_json(folder / "model.safetensors.index.json");
    EXPECT_GT(index["weight_map"].size(), 20u);
    for (const auto& [name, shard] : index["weight_map"].items()) {
        const bert::TensorView* const tensor = checkpoint.find(name);
        ASSERT_NE(tensor, nullptr) << name;
        EXPECT_EQ(tensor->path, folder / shard.get<std::string>()) << name;
    }
}

class BadShards : public testing::Test {
protected:
    BadShards() { copy_into(bert_models() / "sharded", folder_.path()); }

    fs::path index() const { return folder_.path() / "model.safetensors.index.json"; }
    fs::path first_shard() const { return folder_.path() / "model-00001-of-00003.safetensors"; }

    void map_tensor(const std::string& name, const Json& shard) const {
        Json json = read_json(index());
        json["weight_map"][name] = shard;
        write_json(index(), json);
    }

    void expect(ErrorKind kind, const std::vector<std::string>& message) const {
        expect_error(kind, message, [&] { const bert::Checkpoint checkpoint(folder_.path()); });
    }

    TempFolder folder_;
};

TEST_F(BadShards, MissingShard) {
    fs::remove(first_shard());
    expect(ErrorKind::file, {first_shard().string()});
}

TEST_F(BadShards, ShardIsALinkToItself) {
    fs::remove(first_shard());
    fs::create_symlink(first_shard().filename(), first_shard());
    expect(ErrorKind::file, {first_shard().string()});
}

TEST_F(BadShards, ShardIsAFolder) {
    fs::remove(first_shard());
    fs::create_directory(first_shard());
    expect(ErrorKind::file, {first_shard().string()});
}

TEST_F(BadShards, ShardPathsThatLeaveTheFolder) {
    // The files exist and are well formed: only the way they are named is wrong.
    const TempFolder outside;
    write_safetensors(outside.path() / "x.safetensors", {float_tensor("extra", {1}, {1})});
    const std::string absolute = (outside.path() / "x.safetensors").string();
    const std::string relative = (fs::path("..") / outside.path().filename() / "x.safetensors").string();
    for (const std::string& path : {absolute, relative, "sub/../../" + relative, std::string("..")}) {
        map_tensor("extra", path);
        expect(ErrorKind::format, {index().string(), path, "leaves"});
    }
}

TEST_F(BadShards, ShardPathsThatNameNoFile) {
    map_tensor("extra", "");
    expect(ErrorKind::file, {});
    map_tensor("extra", ".");
    expect(ErrorKind::file, {});
    map_tensor("extra", std::string(5000, 'x'));
    expect(ErrorKind::format, {"5000 bytes"});
}

TEST_F(BadShards, ShardNameWithAZeroByteIsRefused) {
    map_tensor("extra", std::string("model-00001-of-00003.safetensors\0.txt", 37));
    expect(ErrorKind::format, {index().string()});
}

TEST_F(BadShards, IndexNamesATensorItsShardLacks) {
    map_tensor("ghost", "model-00002-of-00003.safetensors");
    expect(ErrorKind::format, {index().string(), "ghost", "model-00002-of-00003.safetensors"});
}

TEST_F(BadShards, IndexNamesTheWrongShard) {
    map_tensor("embeddings.LayerNorm.bias", "model-00002-of-00003.safetensors");
    expect(ErrorKind::format, {index().string(), "embeddings.LayerNorm.bias"});
}

TEST_F(BadShards, TensorInTwoShards) {
    edit_tensors(first_shard(), [](auto& tensors) { tensors.push_back(float_tensor("pooler.dense.bias", {1}, {1})); });
    expect(ErrorKind::format, {"pooler.dense.bias", "00001-of-00003", "model-0000"});
}

TEST_F(BadShards, BrokenIndex) {
    write_bytes(index(), "{\"weight_map\": {");
    expect(ErrorKind::format, {index().string()});
    write_bytes(index(), "[]");
    expect(ErrorKind::format, {index().string(), "object"});
    write_bytes(index(), "{}");
    expect(ErrorKind::format, {index().string(), "weight_map"});
    write_bytes(index(), R"({"weight_map": ["a"]})");
    expect(ErrorKind::format, {index().string(), "weight_map"});
    write_bytes(index(), R"({"weight_map": {"w": 3}})");
    expect(ErrorKind::format, {index().string(), "\"w\""});
}

TEST(Checkpoint, WithoutSafetensorsSaysWhatIsThere) {
    const TempFolder folder;
    expect_error(ErrorKind::file, {folder.path().string(), "model.safetensors"},
                 [&] { const bert::Checkpoint checkpoint(folder.path()); });
    write_bytes(folder.path() / "pytorch_model.bin", "PK");
    expect_error(ErrorKind::unsupported, {folder.path().string(), "pytorch_model.bin", "safetensors"},
                 [&] { const bert::Checkpoint checkpoint(folder.path()); });
}

}  // namespace
