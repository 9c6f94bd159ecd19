// The options with which several commands open a SentenceEncoder.
#pragma once

#include "task_options.hpp"

#include <CLI/CLI.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>

inline const std::map<std::string, bert::PoolingMode>& pooling_names() {
    static const std::map<std::string, bert::PoolingMode> names{{"cls", bert::PoolingMode::cls},
                                                                {"mean", bert::PoolingMode::mean},
                                                                {"max", bert::PoolingMode::max},
                                                                {"mean_sqrt_len", bert::PoolingMode::mean_sqrt_len},
                                                                {"weighted_mean", bert::PoolingMode::weighted_mean},
                                                                {"last_token", bert::PoolingMode::last_token}};
    return names;
}

inline const std::map<std::string, bert::Similarity>& measure_names() {
    static const std::map<std::string, bert::Similarity> names{{"cosine", bert::Similarity::cosine},
                                                               {"dot", bert::Similarity::dot},
                                                               {"euclidean", bert::Similarity::euclidean},
                                                               {"manhattan", bert::Similarity::manhattan}};
    return names;
}

/// Fails where one of the options named was given. `why` ends the message. Errors: input.
inline void refuse_given(const CLI::App& command, std::initializer_list<const char*> names, const std::string& why) {
    for (const char* const name : names) {
        if (command.get_option(name)->count() == 0) continue;
        throw bert::Error(bert::ErrorKind::input, std::string(name) + " " + why);
    }
}

/// Adds the options of a SentenceEncoder; `options` must live until the parse.
inline void add_encoder_settings(CLI::App& command, bert::SentenceEncoderOptions& options) {
    command.add_option("--max-length", options.max_seq_length,
                       "Most tokens of a text, special tokens included (default: what the folder says)");
    auto* const normalize = command.add_flag_callback(
        "--normalize", [&options] { options.normalize = true; }, "Scale embeddings to unit length");
    command
        .add_flag_callback(
            "--no-normalize", [&options] { options.normalize = false; }, "Leave out the folder's own scaling")
        ->excludes(normalize);
    command
        .add_option("--pooling", options.pooling,
                    "Pooling instead of the folder's: cls, mean, max, mean_sqrt_len, "
                    "weighted_mean or last_token")
        ->option_text("NAME")
        ->transform(CLI::Transformer(pooling_names()));
    command.add_option("--truncate-dim", options.truncate_dim, "Keep the first dimensions only");
    add_model_options(command, options.weights, options.threads, options.load);
}

/// Adds the model folder and the options of a SentenceEncoder; `folder` and `options` must live until the parse.
inline void add_encoder_options(CLI::App& command, std::string& folder, bert::SentenceEncoderOptions& options) {
    add_model(command, "folder", folder, model_text)->required();
    add_encoder_settings(command, options);
}

/// Adds --measure; `measure` must live until the parse.
inline void add_measure_option(CLI::App& command, std::optional<bert::Similarity>& measure) {
    command.add_option("--measure", measure, "cosine, dot, euclidean or manhattan (default: the folder's)")
        ->option_text("NAME")
        ->transform(CLI::CheckedTransformer(measure_names()).description(""));
}
