// The files sentence-transformers adds to a model folder (modules.json, pooling, dense, prompts, limits) as a plain
// struct. Depends on core and io. Semantics follow sentence-transformers 6.
#pragma once

#include <bert/core/activation.hpp>
#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How the hidden states of a text's tokens become one vector.
enum class PoolingMode {
    cls,            ///< the first token's
    max,            ///< largest value per dimension
    mean,           ///< average
    mean_sqrt_len,  ///< sum divided by the square root of the number of tokens
    weighted_mean,  ///< average with weights 1, 2, 3, ...: later tokens count more
    last_token,     ///< the last token's
};

/// How embeddings are compared; larger means more alike.
enum class Similarity { cosine, dot, euclidean, manhattan };

/// A Dense module: a linear layer over pooled embeddings. Its weights are `folder`/model.safetensors.
struct DenseConfig {
    ModelPath folder;        ///< of config.json and weights
    Index in_features = 0;   ///< columns that go in
    Index out_features = 0;  ///< columns that come out
    bool bias = true;        ///< whether one is added
    bool residual = false;   ///< adds the input to the output, through a matrix of its own where their sizes differ
    Activation activation = Activation::tanh;  ///< applied to what comes out
};

/// A Normalize module: embeddings scaled to unit length.
struct NormalizeConfig {};

/// What a folder says about making sentence embeddings. A plain transformers folder gives the defaults, as in
/// sentence-transformers: mean pooling, no normalisation.
struct SentenceConfig {
    ModelPath transformer_folder;                         ///< where config.json, weights and tokenizer are
    std::optional<std::size_t> max_seq_length;            ///< of sentence_bert_config.json, in tokens
    bool do_lower_case = false;                           ///< of sentence_bert_config.json
    std::vector<PoolingMode> pooling{PoolingMode::mean};  ///< several are concatenated
    std::optional<Index> pooling_dimension;               ///< hidden size the pooling was made for
    bool include_prompt = true;                           ///< whether the prompt's tokens take part in pooling
    std::vector<std::variant<DenseConfig, NormalizeConfig>> modules;  ///< applied in order after pooling
    std::map<std::string, std::string> prompts;                       ///< text put before each text, by name
    std::optional<std::string> default_prompt_name;                   ///< one of `prompts`, for calls that name none
    std::optional<Index> truncate_dim;                                ///< embeddings keep their first dimensions only
    Similarity similarity = Similarity::cosine;                       ///< how the model's embeddings are to be compared
};

namespace detail {

struct PoolingName {
    PoolingMode mode;
    std::string_view name;   // value of "pooling_mode"
    const char* legacy_key;  // boolean key of older folders
};

// In the order in which several modes are concatenated.
inline constexpr PoolingName pooling_names[] = {
    {PoolingMode::cls, "cls", "pooling_mode_cls_token"},
    {PoolingMode::max, "max", "pooling_mode_max_tokens"},
    {PoolingMode::mean, "mean", "pooling_mode_mean_tokens"},
    {PoolingMode::mean_sqrt_len, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
    {PoolingMode::weighted_mean, "weightedmean", "pooling_mode_weightedmean_tokens"},
    {PoolingMode::last_token, "lasttoken", "pooling_mode_lasttoken"},
};

PoolingMode pooling_mode(const std::string& name, const std::filesystem::path& path);

/// The activation a Dense module names by its PyTorch class, e.g. "torch.nn.modules.activation.Tanh".
Activation dense_activation(const std::string& class_name, const std::filesystem::path& path);

/// `features`: what the module should work on, by its name in sentence-transformers; also what it works on where it
/// does not say.
DenseConfig read_dense(const ModelPath& folder, const char* features = "sentence_embedding");

/// One module of a folder of sentence-transformers.
struct ModuleEntry {
    std::string type;  ///< its Python class with the packages, as modules.json writes it
    std::string name;  ///< the class alone
    ModelPath folder;
};

/// Reads modules.json. Errors: file, format.
std::vector<ModuleEntry> read_module_list(const ModelPath& folder);

/// What the modules of a folder of sentence-transformers make together, by its class there.
enum class ModuleLayout { sentence_encoder, cross_encoder, sparse_encoder, multi_vector_encoder, other };

ModuleLayout module_layout(const std::vector<ModuleEntry>& modules);

/// What to add to an error about modules that a task cannot use.
const char* served_by(const std::vector<ModuleEntry>& modules);

/// Fails where a module with weights has the folder of one before: a line of modules.json would then ask for the memory
/// of all its weights. `known` gets the folder. Errors: unsupported.
void check_once(const ModelPath& folder, std::set<std::filesystem::path>& known, const std::filesystem::path& named_by);

void read_sentence_settings(const ModelPath& folder, SentenceConfig& config);

/// Older folders name the file after the architecture; the first that exists counts.
inline constexpr const char* limit_files[] = {"sentence_bert_config.json",       "sentence_roberta_config.json",
                                              "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                              "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                                              "sentence_xlnet_config.json"};

void read_limits(SentenceConfig& config);

}  // namespace detail

/// Where config.json, weights and tokenizer of a folder are: what modules.json names first, or the folder itself.
/// Errors: file, format.
ModelPath transformer_folder(const ModelPath& folder);

/// Reads what `folder` says about sentence embeddings. Errors: file, format, unsupported (other modules).
SentenceConfig load_sentence_config(const ModelPath& folder);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/sentence_config.ipp>
#endif
