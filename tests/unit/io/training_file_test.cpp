// Training files in every format, and what is written: atomic files and safetensors.
#include "../test_support.hpp"

#include <bert/io/atomic_file.hpp>
#include <bert/io/safetensors.hpp>
#include <bert/io/safetensors_writer.hpp>
#include <bert/io/training_file.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;

class TrainingFile : public ::testing::Test {
protected:
    std::vector<bert::TrainingExample> read(const std::string& name, const std::string& content,
                                            const bert::TrainingFileOptions& options = {}) {
        write_bytes(folder_.path() / name, content);
        return bert::read_training_file(folder_.path() / name, options);
    }

    void fails(ErrorKind kind, const std::vector<std::string>& parts, const std::string& name,
               const std::string& content) {
        expect_error(kind, parts, [&] { (void)read(name, content); });
    }

    TempFolder folder_;
};

TEST_F(TrainingFile, ReadsTabs) {
    const auto examples =
        read("a.tsv", "\xEF\xBB\xBFsplit\tlabel\ttext\ntrain\tgood\tA \"b\" c\r\n\n\t2.5\t\ntest\tbad\tlast");
    ASSERT_EQ(examples.size(), 3u);
    EXPECT_EQ(examples[0].text, "A \"b\" c");
    EXPECT_EQ(examples[0].labels, std::vector<std::string>{"good"});
    EXPECT_FALSE(examples[0].value);
    EXPECT_EQ(examples[1].text, "");
    EXPECT_EQ(examples[1].value, 2.5);
    EXPECT_EQ(examples[2].split, "test");
    EXPECT_FALSE(examples[2].pair);
}

TEST_F(TrainingFile, ReadsCommas) {
    bert::TrainingFileOptions options;
    options.text = "a";
    options.pair = "b";
    options.label_separator = "|";
    const auto examples = read("a.csv", "a,b,label\r\n\"x, \"\"y\"\"\nz\",,one|two\r\n\"\",q,\n", options);
    ASSERT_EQ(examples.size(), 2u);
    EXPECT_EQ(examples[0].text, "x, \"y\"\nz");
    EXPECT_EQ(examples[0].pair, "");
    EXPECT_EQ(examples[0].labels, (std::vector<std::string>{"one", "two"}));
    EXPECT_TRUE(examples[1].labels.empty());
    EXPECT_EQ(examples[1].pair, "q");
}

TEST_F(TrainingFile, ReadsJsonLines) {
    const auto examples = read("a.jsonl",
                               "{\"text\": \"x\", \"label\": 1}\n \n{\"text\": \"\", \"label\": [\"a\", \"b\"], "
                               "\"text_pair\": \"y\"}\n{\"tokens\": [\"New\", \"York\"], \"tags\": [\"B\", \"I\"], "
                               "\"split\": \"dev\"}\n{\"text\": \"z\", \"label\": -0.5}");
    ASSERT_EQ(examples.size(), 4u);
    EXPECT_EQ(examples[0].labels, std::vector<std::string>{"1"});
    EXPECT_EQ(examples[0].value, 1.0);
    EXPECT_EQ(examples[1].labels.size(), 2u);
    EXPECT_EQ(examples[1].pair, "y");
    EXPECT_EQ(examples[2].words, (std::vector<std::string>{"New", "York"}));
    EXPECT_EQ(examples[2].tags, (std::vector<std::string>{"B", "I"}));
    EXPECT_EQ(examples[2].split, "dev");
    EXPECT_EQ(examples[3].value, -0.5);
}

TEST_F(TrainingFile, NamesWhatIsWrong) {
    fails(ErrorKind::format, {"a.tsv", "empty"}, "a.tsv", "");
    fails(ErrorKind::format, {"\"label\"", "\"text\", \"class\""}, "a.tsv", "text\tclass\nx\ty\n");
    fails(ErrorKind::format, {"a.tsv:3", "2 columns, given 3"}, "a.tsv", "text\tlabel\na\tb\na\tb\tc\n");
    fails(ErrorKind::format, {"a.tsv:3", "label is empty"}, "a.tsv", "text\tlabel\na\tb\nc\t\n");
    fails(ErrorKind::format, {"a.jsonl:1", "label is empty"}, "a.jsonl", "{\"text\": \"a\", \"label\": \"\"}\n");
    fails(ErrorKind::format, {"a.csv:2", "quote"}, "a.csv", "text,label\n\"a,b\n");
    fails(ErrorKind::format, {"a.csv:4", "given 1"}, "a.csv", "text,label\n\"a\nb\",c\nd\n");
    fails(ErrorKind::format, {"a.jsonl:2", "object"}, "a.jsonl", "{\"text\": \"a\", \"label\": \"b\"}\n{\"text\": \n");
    fails(ErrorKind::format, {"a.jsonl:1", "\"label\""}, "a.jsonl", "{\"text\": \"a\"}\n");
    fails(ErrorKind::format, {"a.jsonl:1", "\"text\""}, "a.jsonl", "{\"label\": \"a\"}\n");
    fails(ErrorKind::format, {"a.jsonl:1", "label"}, "a.jsonl", "{\"text\": \"a\", \"label\": {}}\n");
    fails(ErrorKind::format, {"a.jsonl:1", "same length"}, "a.jsonl", "{\"tokens\": [\"a\"], \"tags\": []}\n");
    fails(ErrorKind::format, {"nests"}, "a.jsonl", std::string(100, '[') + "\n");
    fails(ErrorKind::unsupported, {"a.xml", ".tsv"}, "a.xml", "x");
    expect_error(ErrorKind::file, {"absent.tsv"},
                 [&] { (void)bert::read_training_file(folder_.path() / "absent.tsv"); });
}

TEST_F(TrainingFile, TablesOfNoRowsAreEmpty) {
    EXPECT_TRUE(read("a.tsv", "text\tlabel\n").empty());
    EXPECT_TRUE(read("a.jsonl", "\n").empty());
}

TEST(Numbers, AreReadWholeAndFinite) {
    using bert::detail::parse_number;
    EXPECT_EQ(parse_number("1"), 1.0);
    EXPECT_EQ(parse_number("-2.5"), -2.5);
    EXPECT_EQ(parse_number("1e3"), 1000.0);
    EXPECT_EQ(parse_number(".5"), 0.5);
    for (const char* text : {"", " 1", "1 ", "1e", "1,5", "1_0", "one", "1e999", "nan", "inf"}) {
        EXPECT_FALSE(parse_number(text).has_value()) << text;
    }
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
    const TempFolder folder;
    const auto path = folder.path() / "model.safetensors";
    const auto fill = [](float first) {
        return [first](float* out) {
            for (int i = 0; i < 6; ++i) out[i] = first + static_cast<float>(i);
        };
    };
    const auto tensor = [&](const char* name, std::vector<bert::Index> shape, float first) {
        return bert::float_tensor(name, std::move(shape), fill(first));
    };
    const auto nothing = [](float*) {};
    const bert::NewTensor bytes{"b", bert::DType::u8, {3}, [](std::byte* out) { std::memcpy(out, "xyz", 3); }};
    bert::write_safetensors(
        path, {bytes, tensor("z", {2, 3}, 0.5f), tensor("a", {6}, -3), bert::float_tensor("none", {0, 4}, nothing)},
        {{"key", "text"}});
    const auto file = bert::read_safetensors(path);
    EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"key", "text"}}));
    const auto& tensors = file.tensors;
    ASSERT_EQ(tensors.size(), 4u);
    EXPECT_EQ(tensors[0].name, "a");
    const Golden values(path);
    EXPECT_EQ(values.matrix<float>("z")(1, 2), 5.5f);
    EXPECT_EQ(values.values<float>("a")[5], 2.0f);
    EXPECT_EQ(std::memcmp(tensors[1].data, "xyz", 3), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensors[0].data) % 64, 0u);
    expect_error(ErrorKind::input, {"\"a\"", "twice"}, [&] {
        bert::write_safetensors(path, {tensor("a", {6}, 0), tensor("a", {6}, 0)});
    });
}

TEST(AtomicFile, LeavesWhatWasThereUntilItIsComplete) {
    const TempFolder folder;
    const auto path = folder.path() / "file";
    write_bytes(path, "old");
    try {
        bert::write_safetensors(path, {bert::float_tensor("a", {1}, [](float*) { throw std::runtime_error("stop"); })});
        FAIL() << "expected the tensor's error";
    } catch (const std::runtime_error&) {
    }
    EXPECT_EQ(read_bytes(path), "old");
    {
        bert::detail::AtomicFile file(path);
        file.write("new");
        EXPECT_EQ(read_bytes(path), "old");
        file.commit();
    }
    EXPECT_EQ(read_bytes(path), "new");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
    expect_error(ErrorKind::file, {"no folder"}, [&] { bert::detail::AtomicFile(folder.path() / "no folder" / "x"); });
    fs::create_directory(folder.path() / "a folder");
    write_bytes(folder.path() / "a folder" / "x", "");
    bert::detail::AtomicFile blocked(folder.path() / "a folder");
    expect_error(ErrorKind::file, {"a folder"}, [&] { blocked.commit(); });
}

}  // namespace
