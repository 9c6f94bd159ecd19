// Definitions of io/checkpoint.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_json.hpp>

#include <algorithm>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The folder of a tensor of a model file ("" for the model's own), and its name there.
BERT_INLINE std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string_view::npos) return {{}, name};
    return {name.substr(0, slash), name.substr(slash + 1)};
}

BERT_INLINE bool has_weights(const ModelPath& folder) {
    if (!folder.archive()) {
        return is_there(folder / "model.safetensors") || is_there(folder / "model.safetensors.index.json");
    }
    const auto& tensors = folder.archive()->tensors;
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const auto& entry) { return split_name(entry.first).first == folder.inside(); });
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
        const auto [part, own_name] = detail::split_name(name);
        if (part != inside) continue;
        TensorView& own = tensors_.emplace(std::string(own_name), tensor).first->second;
        own.name = own_name;
    }
    if (tensors_.empty()) detail::fail(ErrorKind::file, folder_, " holds no weights");
}

BERT_INLINE void Checkpoint::add_shards(const std::filesystem::path& index, bool map) {
    const detail::JsonDocument json = detail::read_json_object(index);
    const detail::Json* const weight_map = detail::find(json, "weight_map");
    if (!weight_map || !weight_map->is_object()) {
        detail::fail(ErrorKind::format, index, ": \"weight_map\" should map tensor names to files");
    }
    std::map<std::filesystem::path, std::string> shards;  // by what a name leads to: a file has many names
    std::set<std::string> names;
    for (const auto& [name, shard] : weight_map->items()) {
        if (!shard.is_string()) detail::wrong_type(index, name.c_str(), "a file name", shard);
        const auto& text = shard.get_ref<const std::string&>();
        if (!names.insert(text).second) continue;
        const std::filesystem::path file = detail::inside_folder(folder_, text, index);
        std::error_code ec;
        const auto target = std::filesystem::canonical(file, ec);
        shards.emplace(ec ? file : target, text);
    }
    for (const auto& [file, text] : shards) add(read_safetensors(folder_ / text, map).tensors);
    for (const auto& [name, shard] : weight_map->items()) {
        const TensorView* const tensor = find(name);
        if (!tensor || tensor->path.filename() != std::filesystem::path(shard.get<std::string>()).filename()) {
            detail::fail(ErrorKind::format, index, ": tensor \"", name, "\" should be in ", shard.get<std::string>(),
                         ", which does not hold it");
        }
    }
}

BERT_NAMESPACE_END
