// bert inspect: what a folder holds and what this machine can do, as text or JSON.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <algorithm>
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

Record describe_model(const bert::ModelConfig& config) {
    return {
        {"architectures", config.architectures},         {"hidden_size", config.hidden_size},
        {"num_hidden_layers", config.num_hidden_layers}, {"num_attention_heads", config.num_attention_heads},
        {"intermediate_size", config.intermediate_size}, {"hidden_act", config.hidden_act_name},
        {"layer_norm_eps", config.layer_norm_eps},       {"vocab_size", config.vocab_size},
        {"type_vocab_size", config.type_vocab_size},     {"max_position_embeddings", config.max_position_embeddings}};
}

/// What sentence-transformers writes about the texts of several kinds of models.
template <class Config>
Record describe_texts(const Config& config) {
    return {{"max_seq_length", or_null(config.max_seq_length)},
            {"prompts", config.prompts},
            {"default_prompt_name", or_null(config.default_prompt_name)}};
}

Record describe_sentence_embeddings(const std::string& folder) {
    const bert::SentenceConfig sentence = bert::load_sentence_config(folder);
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
    Record record = {{"pooling", pooling},
                     {"modules", modules},
                     {"truncate_dim", or_null(sentence.truncate_dim)},
                     {"similarity", to_text(sentence.similarity)}};
    record.update(describe_texts(sentence));
    return record;
}

Record describe_sparse_embeddings(const std::string& folder) {
    const bert::SpladeConfig config = bert::load_splade_config(folder);
    Record record = {{"pooling", config.sum ? "sum" : "max"}, {"max_active_dims", or_null(config.max_active_dims)}};
    record.update(describe_texts(config));
    return record;
}

Record describe_late_interaction(const std::string& folder) {
    const bert::ColbertConfig config = bert::load_colbert_config(folder);
    Record record = {{"query_prompt", config.query_prompt}, {"document_prompt", config.document_prompt}};
    record["query_expansion"] = config.expand_queries ? Record(config.expansion_length) : Record();
    record["document_length"] = or_null(config.document_length);
    record["max_seq_length"] = or_null(config.max_seq_length);
    return record;
}

Record describe_folder(const std::string& folder, bool tensors) {
    const auto tasks = bert::served_tasks(folder);
    const auto serves = [&](bert::Task task) { return std::find(tasks.begin(), tasks.end(), task) != tasks.end(); };
    const auto transformer = bert::transformer_folder(folder);
    const bert::Checkpoint checkpoint(transformer);

    Record record;
    if (serves(bert::Task::text2text_generation)) {
        const auto config = bert::load_encoder_decoder_config(folder);
        record["encoder"] = describe_model(config.encoder);
        record["decoder"] = describe_model(config.decoder);
    } else if (serves(bert::Task::text_generation)) {
        record["model"] = describe_model(bert::load_decoder_config(folder));
    } else {
        record["model"] = describe_model(bert::load_model_config(transformer));
    }
    record["tasks"] = Record::array();
    for (const bert::Task task : tasks) record["tasks"].push_back(bert::to_string(task));
    record["weights"] = describe_weights(checkpoint);
    const bool generates = serves(bert::Task::text_generation) || serves(bert::Task::text2text_generation);
    const auto tokenizer = generates ? bert::detail::load_optional_tokenizer(transformer, {})
                                     : std::optional(bert::Tokenizer::load(transformer));
    record["tokenizer"] = Record();
    if (tokenizer) {
        record["tokenizer"] = {{"vocab_size", tokenizer->vocab_size()},
                               {"model_max_length", or_null(tokenizer->model_max_length())}};
    }

    if (serves(bert::Task::text_classification) || serves(bert::Task::token_classification)) {
        record["labels"] = Record::array();
        for (const auto& label : bert::load_model_config(transformer).id2label)
            record["labels"].push_back(label.second);
    }
    if (serves(bert::Task::reranking)) record["reranking"] = describe_texts(bert::load_cross_encoder_config(folder));
    if (serves(bert::Task::sparse_embedding)) record["sparse_embeddings"] = describe_sparse_embeddings(folder);
    if (serves(bert::Task::late_interaction)) record["late_interaction"] = describe_late_interaction(folder);
    if (serves(bert::Task::sentence_embedding)) record["sentence_embeddings"] = describe_sentence_embeddings(folder);
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
    add_model(command, "folder", options->folder, model_text);
    command.add_flag("--tensors", options->tensors, "List all tensors");
    command.add_flag("--cpu", options->cpu, "Show which kernels can run here and which are chosen");
    command.add_flag("--json", options->json, "Write JSON");
    command.footer("  bert inspect all-MiniLM-L6-v2 --tensors\n  bert inspect --cpu");
    command.callback([options] { run_inspect(*options); });
}
