// Definitions of tasks/language_model.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/paths.hpp>
#include <bert/tasks/language_model.hpp>

#include <algorithm>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE const ModelPath& generator_folder(const ModelPath& folder, Task task) {
    const auto tasks = served_tasks(folder);
    if (std::find(tasks.begin(), tasks.end(), task) == tasks.end()) {
        fail_without(folder, task == Task::text_generation
                                 ? "config.json is of no decoder by itself (\"is_decoder\")"
                                 : "config.json is of no encoder with a decoder (\"model_type\")");
    }
    return folder;
}

BERT_INLINE std::optional<Tokenizer> load_optional_tokenizer(const ModelPath& folder,
                                                             const LanguageModelOptions& options) {
    if (!is_there(folder / "tokenizer.json") && !is_there(folder / "vocab.txt")) return std::nullopt;
    try {
        return Tokenizer::load(folder, {options.invalid_utf8, false});
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::unsupported) return std::nullopt;
        throw;
    }
}

BERT_INLINE void check_generator_vocabulary(const ModelPath& folder, const std::optional<Tokenizer>& tokenizer,
                                            const ModelConfig& config) {
    if (tokenizer && static_cast<Index>(tokenizer->vocab_size()) > config.vocab_size) {
        fail(ErrorKind::vocabulary, folder, ": the vocabulary has ", tokenizer->vocab_size(), " ids, but the model ",
             config.vocab_size, " word embeddings");
    }
}

BERT_INLINE const Tokenizer& require_tokenizer(const std::optional<Tokenizer>& tokenizer) {
    if (!tokenizer) {
        fail(ErrorKind::input, "the folder has no tokenizer of the WordPiece kind: give token ids (generate_ids)");
    }
    return *tokenizer;
}

BERT_INLINE void add_texts(const Tokenizer& tokenizer, std::vector<std::vector<GeneratedSequence>>& results) {
    for (auto& sequences : results) {
        for (GeneratedSequence& sequence : sequences) sequence.text = tokenizer.decode(sequence.tokens);
    }
}

}  // namespace detail

BERT_NAMESPACE_END
