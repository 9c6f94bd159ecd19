// Definitions of io/checkpoint.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_json.hpp>

#include <algorithm>
#include <set>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE bool has_weights(const ModelPath& folder) {
    if (!folder.archive()) {
        return is_there(folder / "model.safetensors") || is_there(folder / "model.safetensors.index.json");
    }
    const auto& tensors = folder.archive()->tensors;
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
        return std::filesystem::path(entry.first).parent_path() == folder.inside();
    });
}

}  // namespace detail

BERT_INLINE Checkpoint::Checkpoint(const ModelPath& folder, bool map) : folder_(folder) {
    if (folder.archive()) {
        const ModelArchive& mapped = *folder.archive();
        if (map) add_part(mapped, folder.inside());
        else add_part(*detail::read_model_archive(mapped.path, false), folder.inside());
        return;
    }
    const auto single = folder / "model.safetensors";
    const auto index = folder / "model.safetensors.index.json";
    if (detail::is_there(single)) {
        detail::check_links(single);
        add(read_safetensors(single, map).tensors);
    } else if (detail::is_there(index)) {
        add_shards(index, map);
    } else {
        for (const char* other :
             {"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"}) {
            if (detail::is_there(folder / other)) {
                detail::fail(ErrorKind::unsupported, folder, " holds its weights as ", other,
                             " only: save the model as safetensors (save_pretrained does so)");
            }
        }
        detail::fail(ErrorKind::file, "cannot find ", single);
    }
}

BERT_INLINE const TensorView* Checkpoint::find(const std::string& name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? nullptr : &it->second;
}

BERT_INLINE std::size_t Checkpoint::bytes() const noexcept {
    std::size_t sum = 0;
    for (const auto& [name, tensor] : tensors_) sum += tensor.bytes;
    return sum;
}

BERT_INLINE void Checkpoint::add(std::vector<TensorView> tensors) {
    for (auto& tensor : tensors) {
        const auto known = tensors_.find(tensor.name);
        if (known != tensors_.end()) {
            detail::fail(ErrorKind::format, "tensor \"", tensor.name, "\" is both in ", known->second.path, " and in ",
                         tensor.path);
        }
        const std::string name = tensor.name;
        tensors_.emplace(name, std::move(tensor));
    }
}

BERT_INLINE void Checkpoint::add_part(const ModelArchive& archive, const std::string& inside) {
    for (const auto& [name, tensor] : archive.tensors) {
        const std::filesystem::path path(name);
        if (path.parent_path() != inside) continue;
        TensorView& own = tensors_.emplace(path.filename().string(), tensor).first->second;
        own.name = path.filename().string();
    }
    if (tensors_.empty()) detail::fail(ErrorKind::file, folder_, " holds no weights");
}

BERT_INLINE void Checkpoint::add_shards(const std::filesystem::path& index, bool map) {
    const detail::JsonDocument json = detail::read_json_object(index);
    const detail::Json* const weight_map = detail::find(json, "weight_map");
    if (!weight_map || !weight_map->is_object()) {
        detail::fail(ErrorKind::format, index, ": \"weight_map\" should map tensor names to files");
    }
    std::set<std::string> shards;
    for (const auto& [name, shard] : weight_map->items()) {
        if (!shard.is_string()) detail::wrong_type(index, name.c_str(), "a file name", shard);
        shards.insert(shard.get<std::string>());
    }
    for (const auto& shard : shards) add(read_safetensors(detail::inside_folder(folder_, shard, index), map).tensors);
    for (const auto& [name, shard] : weight_map->items()) {
        const TensorView* const tensor = find(name);
        if (!tensor || tensor->path.filename() != std::filesystem::path(shard.get<std::string>()).filename()) {
            detail::fail(ErrorKind::format, index, ": tensor \"", name, "\" should be in ", shard.get<std::string>(),
                         ", which does not hold it");
        }
    }
}

BERT_NAMESPACE_END
