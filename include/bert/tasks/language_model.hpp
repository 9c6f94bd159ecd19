// How CausalLM and Seq2Seq are opened, and what they do alike. Depends on core, text, model and
// tasks/generation_options.
#pragma once

#include <bert/core/thread_pool.hpp>
#include <bert/error.hpp>
#include <bert/io/model_config.hpp>
#include <bert/io/model_path.hpp>
#include <bert/io/paths.hpp>
#include <bert/model/any_bert_model.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/generation_options.hpp>
#include <bert/text/tokenizer.hpp>

#include <algorithm>
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
inline const ModelPath& generator_folder(const ModelPath& folder, Task task) {
    const auto tasks = served_tasks(folder);
    if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) {
        fail_without(folder, task == Task::text_generation
                                 ? "config.json is of no decoder by itself (\"is_decoder\")"
                                 : "config.json is of no encoder with a decoder (\"model_type\")");
    }
    return folder;
}

/// The tokenizer of a folder that has one of the kind this library knows. Errors: those of Tokenizer::load(), but none
/// where the files are another kind's, such as SentencePiece's.
inline std::optional<Tokenizer> load_optional_tokenizer(const ModelPath& folder, const LanguageModelOptions& options) {
    if (!is_there(folder / "tokenizer.json") && !is_there(folder / "vocab.txt")) return std::nullopt;
    try {
        return Tokenizer::load(folder, {options.invalid_utf8, false});
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::unsupported) return std::nullopt;
        throw;
    }
}

/// Errors: vocabulary, where the tokenizer makes ids that the model has no embedding for.
inline void check_generator_vocabulary(const ModelPath& folder, const std::optional<Tokenizer>& tokenizer,
                                       const ModelConfig& config) {
    if (tokenizer && static_cast<Index>(tokenizer->vocab_size()) > config.vocab_size) {
        fail(ErrorKind::vocabulary, folder, ": the vocabulary has ", tokenizer->vocab_size(), " ids, but the model ",
             config.vocab_size, " word embeddings");
    }
}

inline const Tokenizer& require_tokenizer(const std::optional<Tokenizer>& tokenizer) {
    if (!tokenizer) {
        fail(ErrorKind::input, "the folder has no tokenizer of the WordPiece kind: give token ids (generate_ids)");
    }
    return *tokenizer;
}

inline void add_texts(const Tokenizer& tokenizer, std::vector<std::vector<GeneratedSequence>>& results) {
    for (auto& sequences : results) {
        for (GeneratedSequence& sequence : sequences) sequence.text = tokenizer.decode(sequence.tokens);
    }
}

}  // namespace detail

BERT_NAMESPACE_END
