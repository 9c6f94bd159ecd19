// bert generate: continuations of prompts, or texts for source texts, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

struct GenerateOptions {
    std::string folder;
    bert::Seq2SeqOptions model;
    std::vector<std::string> texts;
    InputOptions input;
    bert::GenerationOptions generation;
    bool ids = false;
    bool no_special_tokens = false;
};

std::vector<std::int32_t> parse_ids(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::int32_t> ids;
    for (std::string word; stream >> word;) {
        std::int32_t id = 0;
        const char* const end = word.data() + word.size();
        const auto result = std::from_chars(word.data(), end, id);
        if (result.ec != std::errc() || result.ptr != end) {
            throw bert::Error(bert::ErrorKind::input,
                              "--ids: expected token ids separated by spaces, given \"" + text + "\"");
        }
        ids.push_back(id);
    }
    return ids;
}

std::vector<std::vector<bert::GeneratedSequence>> generate(const GenerateOptions& options, const Input& input) {
    std::vector<std::vector<std::int32_t>> ids;
    if (options.ids) {
        for (const std::string& text : input.texts) ids.push_back(parse_ids(text));
    }
    if (bert::is_encoder_decoder(options.folder)) {
        const bert::Seq2Seq model(options.folder, options.model);
        if (options.ids) return model.generate_ids(ids, options.generation);
        return model.generate(input.texts, options.generation).sequences;
    }
    const bert::CausalLM model(options.folder, options.model);
    if (options.ids) return model.generate_ids(ids, options.generation);
    return model.generate(input.texts, options.generation, !options.no_special_tokens);
}

void run_generate(GenerateOptions& options) {
    Input input;
    if (options.texts.empty()) {
        input = read_input(options.input);
    } else {
        for (const std::string& text : options.texts) input.records.push_back({{"text", text}});
        input.texts = options.texts;
    }
    const auto results = generate(options, input);
    Output output("");
    for (std::size_t i = 0; i < results.size(); ++i) {
        Record record = input.records[i];
        record["generated"] = Record::array();
        for (const bert::GeneratedSequence& sequence : results[i]) {
            Record one;
            if (!options.ids) one["text"] = sequence.text;
            one["tokens"] = sequence.tokens;
            one["score"] = score_of(sequence.score);
            one["finish"] = sequence.finish == bert::FinishReason::end_token ? "end_token" : "length";
            record["generated"].push_back(std::move(one));
        }
        output.write_line(record);
    }
    output.commit();
}

void add_generation_options(CLI::App& command, bert::GenerationOptions& options) {
    command.add_option("--max-new-tokens", options.max_new_tokens,
                       "Most tokens to generate (default: the folder's, or 20)");
    command.add_option("--max-length", options.max_length, "Most tokens, the prompt's included");
    command.add_option("--min-new-tokens", options.min_new_tokens, "No end before so many tokens");
    command.add_option("--beams", options.num_beams, "Beams to search with; 1: take the likeliest token each time");
    command.add_option("--return", options.num_return_sequences, "Sequences to return for each text");
    command.add_option("--length-penalty", options.length_penalty, "Above 0 prefers long sequences among beams");
    command
        .add_option("--early-stopping", options.early_stopping,
                    "When beams end: no (no better one is likely), yes (enough are finished), never (no better one is "
                    "possible)")
        ->option_text("RULE")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, bert::EarlyStopping>{{"no", bert::EarlyStopping::no},
                                                                               {"yes", bert::EarlyStopping::yes},
                                                                               {"never", bert::EarlyStopping::never}})
                .description(""));
    command.add_option("--no-repeat", options.no_repeat_ngram_size, "Let no so many tokens come up twice in one order");
    command.add_option("--repetition-penalty", options.repetition_penalty,
                       "Above 1 makes tokens that came up unlikelier");
    command.add_flag_callback(
        "--sample", [&options] { options.do_sample = true; }, "Draw tokens at random");
    command.add_option("--temperature", options.temperature, "Below 1 prefers likely tokens, with --sample");
    command.add_option("--top-k", options.top_k, "Draw from so many likeliest tokens; 0: from all");
    command.add_option("--top-p", options.top_p, "Draw from the likeliest tokens of so much probability");
    command.add_option("--seed", options.seed, "Draws repeat with the same seed")->capture_default_str();
}

}  // namespace

void add_generate(CLI::App& app) {
    const auto options = std::make_shared<GenerateOptions>();
    CLI::App& command = *app.add_subcommand("generate", "Continue prompts, or translate and summarise with a Seq2Seq");
    add_model(command, "folder", options->folder, model_text)->required();
    command.add_option("texts", options->texts, "Prompts or source texts; none: those of --file");
    command.add_option("--file", options->input.files, "Files of texts; none, or -, for standard input");
    add_format_options(command, options->input);
    command.add_flag("--ids", options->ids, "Texts are token ids separated by spaces");
    command.add_flag("--no-special-tokens", options->no_special_tokens, "Add no [CLS] and [SEP] to prompts");
    command.add_flag("--truncate", options->model.truncate, "Leave out the end of sources that are too long");
    add_generation_options(command, options->generation);
    add_model_options(command, options->model.weights, options->model.threads, options->model.load);
    command.footer(
        R"(Each text becomes {"text": ..., "generated": [{"text", "tokens", "score", "finish"}, ...]}; JSON objects keep
their fields.

  bert generate bert2bert 'A long article.' --beams 4 --max-new-tokens 60 --no-repeat 3
  bert generate bert-decoder 'Once upon a time' --no-special-tokens --sample --top-p 0.9 --seed 7)");
    command.callback([options] { run_generate(*options); });
}
