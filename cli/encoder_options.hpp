// The options with which several commands open a SentenceEncoder.
#pragma once

#include "task_options.hpp"

#include <CLI/CLI.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>

/// Adds the model folder and the options of a SentenceEncoder; `folder` and `options` must live until the parse.
inline void add_encoder_options(CLI::App& command, std::string& folder, bert::SentenceEncoderOptions& options) {
    command.add_option("folder", folder, "Model folder as Hugging Face publishes it")->required();
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
        ->transform(CLI::Transformer(
            std::map<std::string, bert::PoolingMode>{{"cls", bert::PoolingMode::cls},
                                                     {"mean", bert::PoolingMode::mean},
                                                     {"max", bert::PoolingMode::max},
                                                     {"mean_sqrt_len", bert::PoolingMode::mean_sqrt_len},
                                                     {"weighted_mean", bert::PoolingMode::weighted_mean},
                                                     {"last_token", bert::PoolingMode::last_token}}));
    command.add_option("--truncate-dim", options.truncate_dim, "Keep the first dimensions only");
    add_model_options(command, options.weights, options.threads, options.load);
}

/// Adds --measure; `measure` must live until the parse.
inline void add_measure_option(CLI::App& command, std::optional<bert::Similarity>& measure) {
    command.add_option("--measure", measure, "cosine, dot, euclidean or manhattan (default: the folder's)")
        ->option_text("NAME")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::Similarity>{{"cosine", bert::Similarity::cosine},
                                                                            {"dot", bert::Similarity::dot},
                                                                            {"euclidean", bert::Similarity::euclidean},
                                                                            {"manhattan", bert::Similarity::manhattan}})
                .description(""));
}
