// bert fill-mask: words for the [MASK]s of texts, or how likely texts are, as JSON lines.
#include "commands.hpp"
#include "records.hpp"
#include "task_options.hpp"

#include <bert/bert.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace {

struct FillMaskOptions {
    std::string folder;
    bert::TaskOptions task;
    bert::FillMaskOptions fill;
    InputOptions input;
    bool perplexity = false;
};

void run_fill_mask(const FillMaskOptions& options) {
    const bert::FillMask model(options.folder, options.task);
    answer_in_windows(options.input, [&](Input& input, Output& output) {
        if (options.perplexity) {
            for (std::size_t i = 0; i < input.texts.size(); ++i) {
                const bert::PseudoLikelihood likelihood = model.perplexity(input.texts[i]);
                Record& record = input.records[i];
                record["log_likelihood"] = likelihood.log_likelihood;
                record["perplexity"] = likelihood.perplexity;
                record["tokens"] = likelihood.tokens;
                output.write_line(record);
            }
        } else {
            const auto results = model.fill_batch(input.texts, options.fill);
            for (std::size_t i = 0; i < results.size(); ++i) {
                Record& record = input.records[i];
                record["masks"] = Record::array();
                for (const bert::MaskedPlace& place : results[i].masks) {
                    Record candidates = Record::array();
                    for (const bert::MaskCandidate& candidate : place.candidates) {
                        candidates.push_back({{"token", candidate.token},
                                              {"id", candidate.id},
                                              {"score", score_of(candidate.score)},
                                              {"sequence", candidate.sequence}});
                    }
                    record["masks"].push_back(
                        {{"start", place.span.begin}, {"end", place.span.end}, {"candidates", candidates}});
                }
                if (!results[i].substituted.empty()) record["substituted"] = results[i].substituted;
                if (results[i].truncated) record["truncated"] = true;
                output.write_line(record);
            }
        }
    });
}

}  // namespace

void add_fill_mask(CLI::App& app) {
    const auto options = std::make_shared<FillMaskOptions>();
    CLI::App& command = *app.add_subcommand("fill-mask", "Fill the [MASK]s of texts, or tell how likely texts are");
    add_task_options(command, options->folder, options->task);
    add_input_options(command, options->input);
    command.add_option("--top-k", options->fill.top_k, "Candidates per mask")->capture_default_str();
    command.add_option("--targets", options->fill.targets, "The only words to choose from, separated by commas")
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_flag("--perplexity", options->perplexity, "Tell the pseudo-perplexity of texts instead");
    command.footer(
        "  echo 'Paris is the [MASK] of France.' | bert fill-mask bert-base-uncased\n"
        "  bert fill-mask bert-base-uncased --perplexity texts.txt");
    command.callback([options] { run_fill_mask(*options); });
}
