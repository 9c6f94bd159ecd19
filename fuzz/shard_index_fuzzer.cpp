// model.safetensors.index.json beside two good shards. Whatever it says, nothing outside of the folder is read, and
// what opens holds the tensors that it names.
#include "fuzz.hpp"

#include <bert/io/checkpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace {

/// A file of one tensor of two bytes.
std::string shard(const std::string& tensor) {
    const std::string header = "{\"" + tensor + R"(":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})";
    std::uint64_t length = header.size();
    std::string file(sizeof length, '\0');
    std::memcpy(file.data(), &length, sizeof length);
    return file + header + "\0\0";
}

}  // namespace

BERT_FUZZ_TARGET(shard_index) {
    static const bert_fuzz::Folder parent;
    static const bool prepared = [] {
        parent.write("outside.safetensors", shard("outside"));
        parent.write("model/a.safetensors", shard("first"));
        parent.write("model/sub/b.safetensors", shard("second"));
        return true;
    }();
    (void)prepared;
    parent.write("model/model.safetensors.index.json", {reinterpret_cast<const char*>(data), size});
    bert_fuzz::succeeds([&] {
        const bert::Checkpoint checkpoint(parent.path() / "model");
        for (const auto& [name, tensor] : checkpoint.tensors()) {
            bert_fuzz::require(name == "first" || name == "second", "tensors of the folder's own shards");
            bert_fuzz::require(tensor.bytes == 2 && tensor.data != nullptr, "the tensors as they are");
        }
    });
}
