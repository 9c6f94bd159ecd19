// The JSON files of a model folder: config.json, modules.json and what sentence-transformers and generation add. The
// first byte of an input chooses which of them it is; the others are good.
#include "fuzz.hpp"

#include <bert/io/colbert_config.hpp>
#include <bert/io/cross_encoder_config.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/generation_config.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/io/splade_config.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <variant>

namespace {

using bert_fuzz::require;

struct File {
    const char* name;
    const char* good;
};

const File files[] = {
    {"config.json",
     R"({"model_type":"bert","hidden_size":24,"num_attention_heads":4,"id2label":{"0":"no","1":"yes"}})"},
    {"modules.json", R"([{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
        {"path":"2_Dense","type":"sentence_transformers.models.Dense"}])"},
    {"1_Pooling/config.json", R"({"pooling_mode_mean_tokens":true,"word_embedding_dimension":24})"},
    {"2_Dense/config.json", R"({"in_features":24,"out_features":10})"},
    {"config_sentence_transformers.json", R"({"prompts":{"query":"query: "},"similarity_fn_name":"cosine"})"},
    {"sentence_bert_config.json", R"({"max_seq_length":40,"do_lower_case":false})"},
    {"generation_config.json", R"({"max_length":40})"},
    {"artifact.metadata", R"({"query_maxlen":32})"},
};

void check(const bert::ModelConfig& config) {
    constexpr bert::Index limit = 1 << 28;
    for (const bert::Index size :
         {config.vocab_size, config.hidden_size, config.num_hidden_layers, config.num_attention_heads,
          config.intermediate_size, config.max_position_embeddings, config.num_labels}) {
        require(size <= limit, "sizes are small enough to be multiplied");
    }
    require(config.num_attention_heads > 0 && config.hidden_size % config.num_attention_heads == 0, "heads divide");
    for (const auto& [id, name] : config.id2label) require(id >= 0 && id <= limit, "ids of labels are in range");
}

void check(const bert_fuzz::fs::path& root, const bert_fuzz::fs::path& folder) {
    require(folder.string().rfind(root.string(), 0) == 0, "folders lie in the model's");
    for (const auto& part : folder) require(part != "..", "folders do not climb");
}

}  // namespace

BERT_FUZZ_TARGET(config) {
    static const bert_fuzz::Folder folder;
    static std::size_t previous = 0;
    static const bool prepared = [] {
        for (const File& file : files) folder.write(file.name, file.good);
        return true;
    }();
    (void)prepared;
    bert_fuzz::Input input(data, size);
    const std::size_t chosen = input.below(std::size(files));
    if (previous != chosen) folder.write(files[previous].name, files[previous].good);
    previous = chosen;
    folder.write(files[chosen].name, input.rest());

    const auto& path = folder.path();
    bert_fuzz::succeeds([&] { check(bert::load_model_config(path)); });
    bert_fuzz::succeeds([&] { check(bert::load_decoder_config(path)); });
    bert_fuzz::succeeds([&] {
        const auto config = bert::load_encoder_decoder_config(path);
        check(config.encoder);
        check(config.decoder);
    });
    bert_fuzz::succeeds([&] { bert::load_generation_config(path); });
    bert_fuzz::succeeds([&] {
        const auto config = bert::load_sentence_config(path);
        check(path, config.transformer_folder);
        require(!config.pooling.empty(), "there is a way to pool");
        for (const auto& module : config.modules) {
            if (const auto* dense = std::get_if<bert::DenseConfig>(&module)) check(path, dense->folder);
        }
    });
    bert_fuzz::succeeds([&] { check(path, bert::load_colbert_config(path).transformer_folder); });
    bert_fuzz::succeeds([&] { check(path, bert::load_splade_config(path).transformer_folder); });
    bert_fuzz::succeeds([&] { check(path, bert::load_cross_encoder_config(path).transformer_folder); });
}
