// The weights of a model: one safetensors file, several, or a model file's part. Depends on core and io.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether a folder, or a part of a model file, holds weights of the kind that Checkpoint opens.
inline bool has_weights(const ModelPath& folder) {
    if (!folder.archive()) {
        return is_there(folder / "model.safetensors") || is_there(folder / "model.safetensors.index.json");
    }
    const auto& tensors = folder.archive()->tensors;
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
        return std::filesystem::path(entry.first).parent_path() == folder.inside();
    });
}

}  // namespace detail

/// All tensors of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names; or
/// those of a model file.
class Checkpoint {
public:
    /// Opens the weights of `folder`. `map` false copies files instead of mapping them. Errors: file (none there),
    /// format, unsupported (only another format is there).
    explicit Checkpoint(const ModelPath& folder, bool map = true) : folder_(folder) {
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

    /// The tensor of that name, or null.
    const TensorView* find(const std::string& name) const {
        const auto it = tensors_.find(name);
        return it == tensors_.end() ? nullptr : &it->second;
    }

    const std::map<std::string, TensorView>& tensors() const noexcept { return tensors_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }

    /// Bytes of all tensors together.
    std::size_t bytes() const noexcept {
        std::size_t sum = 0;
        for (const auto& [name, tensor] : tensors_) sum += tensor.bytes;
        return sum;
    }

private:
    void add(std::vector<TensorView> tensors) {
        for (auto& tensor : tensors) {
            const auto known = tensors_.find(tensor.name);
            if (known != tensors_.end()) {
                detail::fail(ErrorKind::format, "tensor \"", tensor.name, "\" is both in ", known->second.path,
                             " and in ", tensor.path);
            }
            const std::string name = tensor.name;
            tensors_.emplace(name, std::move(tensor));
        }
    }

    /// The tensors of an archive in the folder `inside`.
    void add_part(const ModelArchive& archive, const std::string& inside) {
        for (const auto& [name, tensor] : archive.tensors) {
            const std::filesystem::path path(name);
            if (path.parent_path() != inside) continue;
            TensorView& own = tensors_.emplace(path.filename().string(), tensor).first->second;
            own.name = path.filename().string();
        }
        if (tensors_.empty()) detail::fail(ErrorKind::file, folder_, " holds no weights");
    }

    void add_shards(const std::filesystem::path& index, bool map) {
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
        for (const auto& shard : shards)
            add(read_safetensors(detail::inside_folder(folder_, shard, index), map).tensors);
        for (const auto& [name, shard] : weight_map->items()) {
            const TensorView* const tensor = find(name);
            if (!tensor || tensor->path.filename() != std::filesystem::path(shard.get<std::string>()).filename()) {
                detail::fail(ErrorKind::format, index, ": tensor \"", name, "\" should be in ",
                             shard.get<std::string>(), ", which does not hold it");
            }
        }
    }

    std::filesystem::path folder_;
    std::map<std::string, TensorView> tensors_;
};

BERT_NAMESPACE_END
