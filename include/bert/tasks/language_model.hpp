// How CausalLM and Seq2Seq are opened, and what they do alike. Depends on core, text, model and
// tasks/generation_options.
#pragma once

#include <bert/core/thread_pool.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/generation_options.hpp>
#include <bert/text/tokenizer.hpp>

#include <optional>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a CausalLM is opened, and what Seq2Seq shares with it.
struct LanguageModelOptions {
    std::optional<WeightType> weights;  ///< what the models compute with; see choose_weights()
    unsigned threads = 0;               ///< 0: as many as the process may use
    std::optional<Executor> executor;   ///< the caller's own threads, instead of `threads` of the library's
    LoadOptions load;                   ///< how the model's files are opened
    InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;  ///< what to do with text that is not UTF-8
};

namespace detail {

/// The folder, if it is for `task`, one of the two that generate text. Errors: file, format, unsupported.
const ModelPath& generator_folder(const ModelPath& folder, Task task);

/// The tokenizer of a folder that has one of the kind this library knows. Errors: those of Tokenizer::load(), but none
/// where the files are another kind's, such as SentencePiece's.
std::optional<Tokenizer> load_optional_tokenizer(const ModelPath& folder, const LanguageModelOptions& options);

/// Errors: vocabulary, where the tokenizer makes ids that the model has no embedding for.
void check_generator_vocabulary(const ModelPath& folder, const std::optional<Tokenizer>& tokenizer,
                                const ModelConfig& config);

const Tokenizer& require_tokenizer(const std::optional<Tokenizer>& tokenizer);

void add_texts(const Tokenizer& tokenizer, std::vector<std::vector<GeneratedSequence>>& results);

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/language_model.ipp>
#endif
