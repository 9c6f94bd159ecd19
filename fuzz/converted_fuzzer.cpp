// Models in one file: converted ones and GGUF. An input is a whole file, or changes to one of three good ones; whatever
// opens, mapped and copied alike, embeds a text and is verified.
#include "fuzz.hpp"

#include <bert/bert.hpp>
#include <bert/io/verification.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace {

using bert_fuzz::Input;
using bert_fuzz::require;

const bert_fuzz::Folder& folder() {
    static const bert_fuzz::Folder shared;
    return shared;
}

/// A good file, and how much of it is header.
struct Good {
    std::string bytes;
    std::size_t header;
};

Good converted(bert::StorageType storage) {
    const auto source = bert_fuzz::fs::path(BERT_TEST_DATA_DIR) / "models" / "sentence" / "transformer";
    const auto path = folder().path() / "good.bert";
    bert::convert_model(source, path, storage);
    Good good{bert_fuzz::read_file(path), 0};
    std::uint64_t length;
    std::memcpy(&length, good.bytes.data(), sizeof length);
    good.header = sizeof length + static_cast<std::size_t>(length);
    return good;
}

const std::array<Good, 3>& good_files() {
    static const std::array<Good, 3> files = [] {
        const std::string gguf = bert_fuzz::read_file(bert_fuzz::fs::path(BERT_TEST_DATA_DIR) / "gguf" / "q8_0.gguf");
        // A tensor's name is followed by some 50 bytes, and the last name by the data.
        return std::array<Good, 3>{converted(bert::StorageType::int8), converted(bert::StorageType::float32),
                                   Good{gguf, gguf.rfind("blk.0.") + 80}};
    }();
    return files;
}

std::string make_file(Input& input) {
    const std::size_t kind = input.below(4);
    if (kind == 3) return std::string(input.rest());
    const Good& good = good_files()[kind];
    std::string file = good.bytes;
    while (!input.rest().empty()) {
        // Headers are where the structure is; the rest gets a change now and then.
        const bool anywhere = input.byte() % 8 == 0;
        const std::size_t at = (input.below(1 << 16) << 8 | input.byte()) % (anywhere ? file.size() : good.header);
        const std::string change = input.text(1 + input.below(16));
        const std::size_t replaced = input.flag() ? change.size() : input.below(16);
        file.replace(at, std::min(replaced, file.size() - at), change);
        if (file.empty()) break;
    }
    return file;
}

bool opens(const bert_fuzz::fs::path& path, bool map) {
    return bert_fuzz::succeeds([&] {
        bert::SentenceEncoderOptions options;
        options.threads = 1;
        options.load.memory_map = map;
        const bert::SentenceEncoder encoder(path, options);
        const bert::Matrix embedding = encoder.encode({"the cat sat"});
        require(embedding.rows() == 1 && embedding.cols() == encoder.dimension(), "embeddings have their dimension");
    });
}

}  // namespace

BERT_FUZZ_TARGET(converted) {
    Input input(data, size);
    const auto path = folder().write("model.bert", make_file(input));
    const bool mapped = opens(path, true);
    require(mapped == opens(path, false), "mapped and copied files are the same");
    bert_fuzz::succeeds([&] { bert::load_tokenizer_config(path); });
    bert_fuzz::succeeds([&] {
        const bert::ModelPath model(path);
        require(model.archive() != nullptr, "files that hold models are opened as such");
        (void)bert::load_verification(*model.archive());
        (void)bert::AnyBertModel::load(model, bert::WeightType::int8);
        (void)bert::BertModel<double>::load(model);
    });
}
