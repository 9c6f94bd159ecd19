// Definitions of io/model_writer.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/atomic_file.hpp>
#include <bert/io/checkpoint.hpp>
#include <bert/io/model_json.hpp>
#include <bert/io/model_writer.hpp>
#include <bert/io/packed_vocabulary.hpp>
#include <bert/io/tensor_values.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE bool begins_with(const std::string& text, const std::string& start) {
    return text.compare(0, start.size(), start) == 0;
}

/// Replaces the end of a name where it has that end.
BERT_INLINE void replace_end(std::string& text, const std::string& end, const std::string& other) {
    if (text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0) {
        text.replace(text.size() - end.size(), end.size(), other);
    }
}

/// The encoder's tensors with the names they have in a model with a head: "bert." first, no pooler, no buffers, and
/// layer norms by their present names.
BERT_INLINE std::vector<NewTensor> encoder_tensors(const Checkpoint& checkpoint) {
    const std::string known = "embeddings.word_embeddings.weight";
    const std::string prefix = checkpoint.find(known) ? "" : "bert.";
    std::vector<NewTensor> tensors;
    for (const auto& [name, tensor] : checkpoint.tensors()) {
        if (!begins_with(name, prefix)) continue;
        std::string rest = name.substr(prefix.size());
        if (!begins_with(rest, "embeddings.") && !begins_with(rest, "encoder.")) continue;
        if (rest == "embeddings.position_ids" || rest == "embeddings.token_type_ids") continue;
        replace_end(rest, "LayerNorm.gamma", "LayerNorm.weight");
        replace_end(rest, "LayerNorm.beta", "LayerNorm.bias");
        const TensorView* const view = &tensor;
        tensors.push_back(float_tensor("bert." + rest, tensor.shape, [view](float* out) { read_values(*view, out); }));
    }
    return tensors;
}

/// config.json of the encoder, with the head's part replaced.
BERT_INLINE JsonDocument head_config_json(const ModelPath& source, const HeadConfig& head) {
    JsonDocument json = read_json_object(source / "config.json");
    for (const char* stale : {"_name_or_path", "torch_dtype", "problem_type", "num_labels", "finetuning_task"}) {
        erase(json, stale);
    }
    json["model_type"] = "bert";
    erase(json, "architectures");
    json["architectures"] = std::vector<std::string>{head.architecture};
    json["dtype"] = "float32";
    for (const char* map : {"id2label", "label2id"}) erase(json, map);
    Json& names = json["id2label"] = Json::object();
    Json& ids = json["label2id"] = Json::object();
    for (std::size_t i = 0; i < head.labels.size(); ++i) {
        names[std::to_string(i)] = head.labels[i];
        ids[head.labels[i]] = i;
    }
    json["num_labels"] = head.labels.size();
    if (head.problem_type) json["problem_type"] = *head.problem_type;
    return json;
}

/// A file of a tokenizer as it stands in a folder: with the vocabulary, which model files store apart. Errors: file,
/// format.
BERT_INLINE std::string tokenizer_file(const ModelPath& folder, const std::string& name) {
    std::string text = read_model_file(folder / name, json_limit);
    if (!folder.archive() || (name != "tokenizer.json" && name != "vocab.txt")) return text;
    const auto entries = unpack_vocabulary(folder.archive()->vocabulary, folder.archive()->path);
    if (name == "tokenizer.json") {
        JsonDocument json = parse_json_object(text, folder / name);
        erase(json["model"], "vocab");
        Json& vocabulary = json["model"]["vocab"] = Json::object();
        for (const auto& [token, id] : entries) vocabulary[token] = id;
        return json.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    text.clear();
    std::int32_t line = 0;
    for (const auto& [token, id] : entries) {
        // A line cannot stand for no token; but of equal lines the last counts.
        for (; line < id && text.size() <= json_limit; ++line) text += entries.back().token + '\n';
        if (text.size() > json_limit) {
            fail(ErrorKind::unsupported, folder / name, ": as a text file, the vocabulary has more than ", json_limit,
                 " bytes");
        }
        text += token + '\n';
        ++line;
    }
    return text;
}

BERT_INLINE void write_whole_file(const std::filesystem::path& path, std::string_view content) {
    AtomicFile file(path);
    file.write(content);
    file.commit();
}

}  // namespace detail

BERT_INLINE void write_head_folder(const ModelPath& source, const std::filesystem::path& target,
                                   const HeadConfig& config, std::vector<NewTensor> head) {
    detail::check_folder(source);
    std::error_code ec;
    std::filesystem::create_directories(target, ec);
    if (ec) detail::fail(ErrorKind::file, target, ": could not be created: ", ec.message());
    detail::check_folder(target);
    if (std::filesystem::equivalent(source, target, ec)) {
        detail::fail(ErrorKind::input, target, ": a model cannot be written over the encoder it is made from");
    }
    const Checkpoint checkpoint(source);
    std::vector<NewTensor> tensors = detail::encoder_tensors(checkpoint);
    for (NewTensor& tensor : head) tensors.push_back(std::move(tensor));

    for (const char* name :
         {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", "added_tokens.json"}) {
        if (!detail::is_there(source / name)) {
            std::filesystem::remove(target / name, ec);  // of a folder that is written anew
            continue;
        }
        detail::write_whole_file(target / name, detail::tokenizer_file(source, name));
    }
    const detail::JsonDocument json = detail::head_config_json(source, config);
    detail::write_whole_file(target / "config.json",
                             json.dump(2, ' ', false, detail::Json::error_handler_t::replace) + "\n");
    write_safetensors(target / "model.safetensors", std::move(tensors));
}

BERT_NAMESPACE_END
