// The options with which commands open a model, and how tasks write scores and places. Depends on CLI11, bert and
// records.hpp.
#pragma once

#include "hub_cache.hpp"
#include "records.hpp"

#include <CLI/CLI.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

inline constexpr const char* model_text =
    "Model folder as Hugging Face publishes it, a model in one file, or a name that bert download knows";

/// Adds --weights, --threads and --kernels; what they set must live until the parse.
inline void add_model_options(CLI::App& command, std::optional<bert::WeightType>& weights, unsigned& threads,
                              bert::LoadOptions& load) {
    command
        .add_option("--weights", weights,
                    "Compute with weights of type f32, bf16 or int8 (default: what the model was "
                    "converted for, else f32)")
        ->option_text("TYPE")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::WeightType>{{"f32", bert::WeightType::float32},
                                                                            {"bf16", bert::WeightType::bfloat16},
                                                                            {"int8", bert::WeightType::int8}})
                .description(""));
    command.add_option("--threads", threads, "Threads to compute with (default: all)");
    command.add_option("--kernels", load.kernels, "Instruction set to compute with (see: bert inspect --cpu)");
}

/// Adds an argument or option that names a model: a folder, a file, or a name of the Hugging Face hub that is in the
/// cache.
inline CLI::Option* add_model(CLI::App& command, const std::string& name, std::string& model,
                              const std::string& description) {
    const auto find = [](std::string& text) {
        text = model_path(text);
        return std::string();
    };
    return command.add_option(name, model, description)->transform(CLI::Validator(find, ""));
}

/// Adds the model folder and the options of a task.
inline void add_task_options(CLI::App& command, std::string& folder, bert::TaskOptions& options) {
    add_model(command, "folder", folder, model_text)->required();
    command.add_option("--max-length", options.max_length,
                       "Most tokens of an input, special tokens included (default: what the model takes)");
    command.add_option("--token-budget", options.token_budget, "Tokens to compute at once: bounds memory")
        ->capture_default_str();
    add_model_options(command, options.weights, options.threads, options.load);
}

/// A score as JSON, in the fewest digits that read back as the same float.
inline Record score_of(float value) {
    return std::strtod(shortest(value).c_str(), nullptr);
}
