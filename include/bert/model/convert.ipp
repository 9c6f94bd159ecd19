// Definitions of model/convert.hpp.
#pragma once

#include <bert/core/float16.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/json.hpp>
#include <bert/io/packed_vocabulary.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/io/tensor_values.hpp>
#include <bert/io/tokenizer_folder.hpp>
#include <bert/kernels/dispatch.hpp>
#include <bert/model/convert.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>

BERT_NAMESPACE_BEGIN

namespace detail {

/// Whether a tensor, by its published name, is a matrix that models keep in their type of weights (Linear<W>, and
/// embeddings rounded to W). Everything else is small and kept as float.
BERT_INLINE bool is_weight_matrix(std::string_view name) {
    constexpr std::string_view ends[] = {"embeddings.word_embeddings.weight",
                                         "embeddings.position_embeddings.weight",
                                         "embeddings.token_type_embeddings.weight",
                                         "attention.self.query.weight",
                                         "attention.self.key.weight",
                                         "attention.self.value.weight",
                                         "output.dense.weight",
                                         "intermediate.dense.weight",
                                         "pooler.dense.weight",
                                         "cls.predictions.transform.dense.weight",
                                         "cls.predictions.decoder.weight",
                                         "lm_head.decoder.weight"};
    return std::any_of(std::begin(ends), std::end(ends), [&](std::string_view end) {
        return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
    });
}

BERT_INLINE std::vector<float> finite_values(const TensorView& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    read_values(tensor, values.data());
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        fail(ErrorKind::format, tensor.path, ": tensor \"", tensor.name, "\" holds infinities or NaNs");
    }
    return values;
}

/// A matrix as 8-bit values and scales, which are those that Linear<std::int8_t> would make of it.
BERT_INLINE void add_int8(const std::string& name, const TensorView& tensor, std::vector<NewTensor>& out) {
    const Index rows = tensor.shape[0];
    const Index cols = tensor.shape[1];
    const TensorView* const view = &tensor;
    // Values are computed twice, to be written at two places: that takes less memory than to keep them.
    const auto quantized = [=] {
        std::vector<std::int8_t> values(static_cast<std::size_t>(rows * cols));
        std::vector<float> scales(static_cast<std::size_t>(rows * int8_blocks(cols)));
        if (view->dtype == DType::i8 && view->scale_block == int8_block) {  // they would change if rounded again
            std::copy_n(view->data, values.size(), reinterpret_cast<std::byte*>(values.data()));
            std::copy_n(view->scales, scales.size() * sizeof(float), reinterpret_cast<std::byte*>(scales.data()));
        } else {
            quantize_int8(finite_values(*view).data(), rows, cols, values.data(), scales.data());
        }
        return std::pair(values, scales);
    };
    const auto fill_values = [=](std::byte* bytes) {
        const auto values = quantized().first;
        std::copy_n(reinterpret_cast<const std::byte*>(values.data()), values.size(), bytes);
    };
    const auto fill_scales = [=](std::byte* bytes) {
        const auto scales = quantized().second;
        std::copy_n(reinterpret_cast<const std::byte*>(scales.data()), scales.size() * sizeof(float), bytes);
    };
    out.push_back({name, DType::i8, tensor.shape, fill_values});
    out.push_back({name + ConvertedNames::scale, DType::f32, {rows, int8_blocks(cols)}, fill_scales});
}

/// Adds the tensors of a checkpoint, which must outlive them. Buffers of whole numbers are left out: models compute
/// them. Errors: unsupported (a name that could be taken for a module's).
BERT_INLINE void add_tensors(const Checkpoint& checkpoint, const std::string& prefix, StorageType storage,
                             std::vector<NewTensor>& out) {
    for (const auto& [own_name, tensor] : checkpoint.tensors()) {
        if (own_name.find('/') != std::string::npos) {
            fail(ErrorKind::unsupported, tensor.path, ": tensor \"", own_name, "\" has a \"/\" in its name");
        }
        const bool integer = tensor.dtype == DType::i64 || tensor.dtype == DType::i32 || tensor.dtype == DType::boolean;
        if (integer) continue;
        const std::string name = prefix + own_name;
        const bool is_matrix = is_weight_matrix(own_name) && tensor.shape.size() == 2;
        if (is_matrix && storage == StorageType::int8) {
            add_int8(name, tensor, out);
        } else if (is_matrix && storage == StorageType::float16) {
            out.push_back(rounded_tensor<float16>(name, DType::f16, tensor));
        } else if (is_matrix && storage == StorageType::bfloat16) {
            out.push_back(rounded_tensor<bfloat16>(name, DType::bf16, tensor));
        } else {
            out.push_back(float_tensor(name, tensor.shape, [view = &tensor](float* values) {
                const std::vector<float> read = finite_values(*view);
                std::copy(read.begin(), read.end(), values);
            }));
        }
    }
}

/// Adds the files of a folder, all of them JSON, without blanks. Vocabularies are left out, as they are stored apart;
/// an empty vocab.txt stays where it is the tokenizer. Errors: file, format.
BERT_INLINE void add_files(const ModelPath& folder, const std::string& prefix,
                           std::map<std::string, std::string>& out) {
    const auto add = [&](const char* name) {
        const ModelPath path = folder / name;
        if (!is_there(path)) return;
        if (std::string_view(name) == "vocab.txt") {
            if (!is_there(folder / "tokenizer.json")) out.emplace(prefix + name, "");
            return;
        }
        JsonDocument json = parse_json(read_model_file(path, json_limit), path);
        if (std::string_view(name) == "tokenizer.json" && json.is_object() && json["model"].is_object()) {
            erase(json["model"], "vocab");
        }
        out.emplace(prefix + name, json.dump());
    };
    for (const char* name : model_files) add(name);
    for (const char* name : limit_files) add(name);
}

/// Adds the tokens of a model's tokenizer. The files of one of a kind that this library does not know are taken out:
/// models that generate text work without. Errors: file, format, vocabulary (two tokens of one id).
BERT_INLINE void add_vocabulary(const ModelPath& folder, std::vector<NewTensor>& tensors,
                                std::map<std::string, std::string>& files) {
    TokenizerConfig config;
    try {
        config = load_tokenizer_config(folder);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::unsupported) throw;
        for (const char* name : {"tokenizer.json", "vocab.txt"}) files.erase((folder / name).inside());
        return;
    }
    std::vector<std::int32_t> ids;
    for (const auto& entry : config.vocabulary) ids.push_back(entry.id);
    std::sort(ids.begin(), ids.end());
    const auto twice = std::adjacent_find(ids.begin(), ids.end());
    if (twice != ids.end()) fail(ErrorKind::vocabulary, config.source, ": two tokens have the id ", *twice);
    const std::string packed = pack_vocabulary(std::move(config.vocabulary), config.source);
    tensors.push_back(
        {ConvertedNames::vocabulary, DType::u8, {static_cast<Index>(packed.size())}, [packed](std::byte* out) {
             std::memcpy(out, packed.data(), packed.size());
         }});
}

}  // namespace detail

BERT_INLINE void write_converted_model(const ModelPath& source, const std::filesystem::path& target,
                                       StorageType storage, const std::map<std::string, std::string>& verified) {
    detail::check_folder(source);
    std::map<std::string, ModelPath> parts{{"", source}};
    ModelPath transformer = source;
    if (detail::is_there(source / "modules.json")) {
        const auto modules = detail::read_module_list(source);
        transformer = modules.front().folder;
        for (const auto& module : modules) parts.emplace(module.folder.inside(), module.folder);
    }
    std::map<std::string, std::string> metadata = verified;
    std::vector<Checkpoint> checkpoints;
    checkpoints.reserve(parts.size());
    std::vector<NewTensor> tensors;
    for (const auto& [inside, part] : parts) {
        const std::string prefix = inside.empty() ? "" : inside + "/";
        detail::add_files(part, prefix, metadata);
        if (!detail::has_weights(part) && inside != transformer.inside()) continue;
        detail::add_tensors(checkpoints.emplace_back(part), prefix, storage, tensors);
    }
    if (detail::is_there(transformer / "tokenizer.json") || detail::is_there(transformer / "vocab.txt")) {
        detail::add_vocabulary(transformer, tensors, metadata);
    }

    metadata[detail::ConvertedNames::version] = detail::converted_version;
    for (const auto& [type, name] : detail::storage_names) {
        if (type == storage) metadata[detail::ConvertedNames::weights] = name;
    }
    if (storage == StorageType::int8) metadata[detail::ConvertedNames::int8_block] = std::to_string(int8_block);
    write_safetensors(target, std::move(tensors), std::move(metadata));
}

BERT_NAMESPACE_END
