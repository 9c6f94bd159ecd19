// bert tokenize: the tokens of texts as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <memory>
#include <string>

namespace {

struct TokenizeOptions {
    std::string folder;
    InputOptions input;
    bert::EncodeOptions encode;
    std::string pair;
    bool has_pair = false;
    bool ids_only = false;
    bool code_points = false;
    bool no_special_tokens = false;
};

Record to_record(const bert::Encoding& encoding, bool ids_only) {
    if (ids_only) return encoding.ids;
    Record record;
    record["ids"] = encoding.ids;
    record["tokens"] = encoding.tokens;
    record["type_ids"] = encoding.type_ids;
    record["special_tokens_mask"] = encoding.special_tokens_mask;
    record["offsets"] = Record::array();
    for (const bert::Span& span : encoding.offsets) record["offsets"].push_back({span.begin, span.end});
    if (encoding.truncated) record["truncated"] = true;
    for (const bert::Encoding& window : encoding.overflowing) {
        record["overflowing"].push_back(to_record(window, ids_only));
    }
    return record;
}

void run_tokenize(TokenizeOptions& options) {
    const bert::Tokenizer tokenizer = bert::Tokenizer::load(options.folder);
    options.encode.add_special_tokens = !options.no_special_tokens;
    if (options.code_points) options.encode.offset_unit = bert::OffsetUnit::code_point;
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        for (const std::string& text : input.texts) {
            output.write_line(to_record(options.has_pair ? tokenizer.encode(text, options.pair, options.encode)
                                                         : tokenizer.encode(text, options.encode),
                                        options.ids_only));
        }
    });
}

}  // namespace

void add_tokenize(CLI::App& app) {
    const auto options = std::make_shared<TokenizeOptions>();
    CLI::App& command = *app.add_subcommand("tokenize", "Show the tokens of texts: one JSON object a text");
    add_model(command, "folder", options->folder, model_text)->required();
    add_input_options(command, options->input);
    command.add_option_function<std::string>(
        "--pair",
        [options](const std::string& text) {
            options->pair = text;
            options->has_pair = true;
        },
        "Second text, paired with each text");
    command.add_option("--max-length", options->encode.max_length, "Cut to this many tokens, special tokens included");
    auto* const windows =
        command.add_flag("--windows", options->encode.overflowing, "Return what is cut off as further windows");
    command.add_option("--stride", options->encode.stride, "Tokens that neighbouring windows share")->needs(windows);
    command.add_flag("--no-special-tokens", options->no_special_tokens, "Leave out [CLS] and [SEP]");
    command.add_flag("--code-points", options->code_points, "Count offsets in characters instead of bytes");
    command.add_flag("--ids-only", options->ids_only, "Only a list of ids a text");
    command.footer("  echo 'the bank of the river' | bert tokenize all-MiniLM-L6-v2");
    command.callback([options] { run_tokenize(*options); });
}
