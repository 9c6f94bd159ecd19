// bert convert, bert verify: a model as one file, and whether it computes what it should.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace {

struct ConvertOptions {
    std::string folder;
    std::string output;
    bert::StorageType weights = bert::StorageType::float32;
    bool force = false;
    bool json = false;
};

struct VerifyOptions {
    std::string model;
    bert::VerifyOptions verify;
    bool json = false;
};

const char* name_of(bert::WeightType weights) {
    switch (weights) {
        case bert::WeightType::float32: return "f32";
        case bert::WeightType::bfloat16: return "bf16";
        case bert::WeightType::int8: return "int8";
    }
    return "";
}

Record describe(const bert::VerificationReport& report) {
    const bool carried = report.reference == bert::VerificationReport::Reference::carried;
    Record record;
    record["passed"] = report.passed;
    record["compared_with"] = carried ? "the embeddings that the model carries"
                                      : "what plain C++ code computes here, as the model carries no embeddings";
    record["deviation"] = report.deviation;
    record["tolerance"] = report.tolerance;
    if (report.original_cosine) record["cosine_to_original"] = *report.original_cosine;
    record["texts"] = report.texts;
    record["tokens"] = report.tokens;
    record["weights"] = name_of(report.weights);
    record["kernels"] = report.kernels;
    record["threads"] = report.threads;
    record["milliseconds_to_first_vector"] = 1000 * report.seconds_to_first_vector;
    record["tokens_per_second"] = report.tokens_per_second;
    return record;
}

void write_record(const Record& record, bool json) {
    Output output("");
    if (json) {
        output.write_line(record);
    } else {
        for (const auto& [key, value] : record.items()) {
            output.write(key + ": " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n");
        }
    }
    output.commit();
}

void run_convert(const ConvertOptions& options) {
    if (!options.force && std::filesystem::exists(options.output)) {
        throw CLI::ValidationError(options.output + " exists; --force overwrites it");
    }
    if (std::filesystem::exists(options.output) && !std::filesystem::is_regular_file(options.output)) {
        throw CLI::ValidationError(options.output + " is no regular file: a model is written to one");
    }
    bert::convert_model(options.folder, options.output, options.weights);
    Record record;
    record["file"] = options.output;
    record["bytes"] = std::filesystem::file_size(options.output);
    write_record(record, options.json);
}

void run_verify(const VerifyOptions& options) {
    const bert::VerificationReport report = bert::verify(options.model, options.verify);
    write_record(describe(report), options.json);
    if (!report.passed) {
        throw bert::Error(bert::ErrorKind::format, options.model + " computes something else here");
    }
}

}  // namespace

void add_convert(CLI::App& app) {
    const auto options = std::make_shared<ConvertOptions>();
    CLI::App& command = *app.add_subcommand("convert", "Write a model as one file that is quick to open");
    add_model(command, "model", options->folder, model_text)->required();
    command.add_option("output", options->output, "File to write, by custom named *.bert")->required();
    command.add_option("--weights", options->weights, "Store weight matrices as f32, f16, bf16 or int8 (default: f32)")
        ->option_text("TYPE")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::StorageType>{{"f32", bert::StorageType::float32},
                                                                             {"f16", bert::StorageType::float16},
                                                                             {"bf16", bert::StorageType::bfloat16},
                                                                             {"int8", bert::StorageType::int8}})
                .description(""));
    command.add_flag("--force", options->force, "Overwrite a file that is there");
    command.add_flag("--json", options->json, "Write JSON");
    command.footer(R"(The file is a safetensors file, and opens wherever a model folder does.

  bert convert all-MiniLM-L6-v2 minilm.bert --weights int8
  bert embed minilm.bert texts.txt -o vectors.npy)");
    command.callback([options] { run_convert(*options); });
}

void add_verify(CLI::App& app) {
    const auto options = std::make_shared<VerifyOptions>();
    CLI::App& command = *app.add_subcommand("verify", "Check that a model computes here what it should");
    add_model(command, "model", options->model, model_text)->required();
    add_model_options(command, options->verify.weights, options->verify.threads, options->verify.load);
    command.add_flag("--json", options->json, "Write JSON");
    command.footer(
        R"(A converted model carries texts and the embeddings they should get, and a checksum of its weights. Other
models are compared with plain C++ code, in double precision unless --weights asks for narrower weights.

  bert verify minilm.bert --json)");
    command.callback([options] { run_verify(*options); });
}
