// bert inspect: what a folder holds and what this machine can do, as text or JSON.
#include "commands.hpp"
#include "records.hpp"

#include <bert/bert.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace {

struct InspectOptions {
    std::string folder;
    bool tensors = false;
    bool cpu = false;
    bool json = false;
};

const char* to_text(bert::PoolingMode mode) {
    switch (mode) {
        case bert::PoolingMode::cls: return "cls";
        case bert::PoolingMode::max: return "max";
        case bert::PoolingMode::mean: return "mean";
        case bert::PoolingMode::mean_sqrt_len: return "mean_sqrt_len";
        case bert::PoolingMode::weighted_mean: return "weighted_mean";
        case bert::PoolingMode::last_token: return "last_token";
    }
    return "";
}

const char* to_text(bert::Similarity similarity) {
    switch (similarity) {
        case bert::Similarity::cosine: return "cosine";
        case bert::Similarity::dot: return "dot";
        case bert::Similarity::euclidean: return "euclidean";
        case bert::Similarity::manhattan: return "manhattan";
    }
    return "";
}

template <class T>
Record or_null(const std::optional<T>& value) {
    return value ? Record(*value) : Record();
}

Record describe_cpu() {
    Record record;
    record["kernels_available"] = Record::array();
    for (const auto* table : bert::available_kernels<float>()) record["kernels_available"].push_back(table->name);
    record["kernels_chosen"] = bert::choose_kernels<float>().name;
    record["processors"] = bert::available_processors();
    return record;
}

Record describe_weights(const bert::Checkpoint& checkpoint) {
    std::map<std::string, bert::Index> types;
    bert::Index parameters = 0;
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : checkpoint.tensors()) {
        types[tensor.dtype_name] += 1;
        if (tensor.dtype != bert::DType::other) parameters += tensor.elements();
        bytes += tensor.bytes;
    }
    Record record;
    record["tensors"] = checkpoint.tensors().size();
    record["tensor_types"] = types;
    record["parameters"] = parameters;
    record["bytes"] = bytes;
    return record;
}

Record describe_folder(const std::string& folder, bool tensors) {
    const bert::SentenceConfig sentence = bert::load_sentence_config(folder);
    const bert::ModelConfig config = bert::load_model_config(sentence.transformer_folder);
    const bert::Checkpoint checkpoint(sentence.transformer_folder);
    const bert::Tokenizer tokenizer = bert::Tokenizer::load(sentence.transformer_folder);

    Record record;
    record["model"] = {
        {"architectures", config.architectures},         {"hidden_size", config.hidden_size},
        {"num_hidden_layers", config.num_hidden_layers}, {"num_attention_heads", config.num_attention_heads},
        {"intermediate_size", config.intermediate_size}, {"hidden_act", config.hidden_act_name},
        {"layer_norm_eps", config.layer_norm_eps},       {"vocab_size", config.vocab_size},
        {"type_vocab_size", config.type_vocab_size},     {"max_position_embeddings", config.max_position_embeddings}};
    record["tasks"] = Record::array();
    for (const bert::Task task : bert::served_tasks(config, checkpoint))
        record["tasks"].push_back(bert::to_string(task));
    record["weights"] = describe_weights(checkpoint);
    record["tokenizer"] = {{"vocab_size", tokenizer.vocab_size()},
                           {"model_max_length", or_null(tokenizer.model_max_length())}};

    Record pooling = Record::array();
    for (const bert::PoolingMode mode : sentence.pooling) pooling.push_back(to_text(mode));
    Record modules = Record::array();
    for (const auto& module : sentence.modules) {
        if (const auto* const dense = std::get_if<bert::DenseConfig>(&module)) {
            modules.push_back("Dense " + std::to_string(dense->in_features) + " -> " +
                              std::to_string(dense->out_features));
        } else {
            modules.push_back("Normalize");
        }
    }
    record["sentence_embeddings"] = {{"pooling", pooling},
                                     {"modules", modules},
                                     {"max_seq_length", or_null(sentence.max_seq_length)},
                                     {"truncate_dim", or_null(sentence.truncate_dim)},
                                     {"similarity", to_text(sentence.similarity)},
                                     {"prompts", sentence.prompts},
                                     {"default_prompt_name", or_null(sentence.default_prompt_name)}};
    if (tensors) {
        Record list = Record::array();
        for (const auto& [name, tensor] : checkpoint.tensors()) {
            list.push_back({{"name", name}, {"type", tensor.dtype_name}, {"shape", tensor.shape}});
        }
        record["tensors"] = list;
    }
    return record;
}

/// Objects as indented lines "key: value", one object or tensor a line below that.
std::string to_lines(const Record& record, const std::string& indent = "") {
    std::string text;
    for (const auto& [key, value] : record.items()) {
        const bool nested = value.is_object() && !value.empty();
        const bool list_of_objects = value.is_array() && !value.empty() && value[0].is_object();
        text += indent + key + ":";
        if (nested) {
            text += "\n" + to_lines(value, indent + "  ");
        } else if (list_of_objects) {
            text += "\n";
            for (const Record& item : value) {
                text += indent + " ";
                for (const Record& field : item)
                    text += " " + (field.is_string() ? field.get<std::string>() : field.dump());
                text += "\n";
            }
        } else {
            text += " " +
                    (value.is_string() ? value.get<std::string>()
                                       : value.dump(-1, ' ', false, Record::error_handler_t::replace)) +
                    "\n";
        }
    }
    return text;
}

void run_inspect(const InspectOptions& options) {
    if (options.folder.empty() && !options.cpu) {
        throw bert::Error(bert::ErrorKind::input, "inspect needs a model folder, or --cpu");
    }
    Record record = Record::object();
    if (options.cpu) record["cpu"] = describe_cpu();
    if (!options.folder.empty()) record.update(describe_folder(options.folder, options.tensors));
    Output output("");
    if (options.json) output.write_line(record);
    else output.write(to_lines(record));
    output.commit();
}

}  // namespace

void add_inspect(CLI::App& app) {
    const auto options = std::make_shared<InspectOptions>();
    CLI::App& command = *app.add_subcommand("inspect", "Show what a model folder holds, or what this machine can do");
    command.add_option("folder", options->folder, "Model folder");
    command.add_flag("--tensors", options->tensors, "List all tensors");
    command.add_flag("--cpu", options->cpu, "Show which kernels can run here and which are chosen");
    command.add_flag("--json", options->json, "Write JSON");
    command.footer("  bert inspect all-MiniLM-L6-v2 --tensors\n  bert inspect --cpu");
    command.callback([options] { run_inspect(*options); });
}
