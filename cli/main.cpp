// The command line tool: parses, runs a command, and turns errors into one line and an exit code.
#include "commands.hpp"
#include "completion.hpp"
#include "interrupt.hpp"

#include <bert/version.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <string>

namespace {

constexpr int failed = 1;
constexpr int misused = 2;
constexpr int interrupted = 130;  // 128 and the number of SIGINT, as shells have it

int report(const std::string& message, int code) {
    std::string line = message.substr(0, message.find('\n'));
    std::fprintf(stderr, "bert: %s\n", line.c_str());
    return code;
}

/// CLI11 takes -1 for the largest number of what counts something.
void refuse_negative_counts(CLI::App& app) {
    const auto check = [](const std::string& value) {
        return value.substr(0, 1) == "-" ? "a number of 0 or more is needed, given " + value : std::string();
    };
    for (CLI::App* const command : app.get_subcommands(std::function<bool(CLI::App*)>())) {
        for (CLI::Option* const option : command->get_options()) {
            if (option->get_type_name() == "UINT") option->check(check);
        }
    }
}

}  // namespace

int main(int argc, char** argv) try {
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of writing, as a full disk is
    CLI::App app(
        "BERT on a CPU: embeds, compares, classifies and searches texts with a model folder as Hugging Face publishes "
        "it.",
        "bert");
    app.set_version_flag("--version", std::to_string(BERT_VERSION_MAJOR) + "." + std::to_string(BERT_VERSION_MINOR) +
                                          "." + std::to_string(BERT_VERSION_PATCH));
    app.require_subcommand(1);
    app.footer(R"(Each command has a --help of its own. Errors are one line on standard error.

Exit codes: 0 all went well; 1 the work failed; 2 the command was not understood, or would overwrite a file without
--force; 130 interrupted (Ctrl-C).

  bert embed all-MiniLM-L6-v2 texts.txt -o vectors.npy
  bert similarity all-MiniLM-L6-v2 'A cat sat down.' 'Dogs bark.')");
    add_embed(app);
    add_embed_sparse(app);
    add_tokenize(app);
    add_similarity(app);
    add_inspect(app);
    add_generate(app);
    add_fill_mask(app);
    add_next_sentence(app);
    add_ask(app);
    add_classify(app);
    add_entities(app);
    add_rerank(app);
    add_index(app);
    add_search(app);
    add_paraphrases(app);
    add_cluster(app);
    add_summarize(app);
    add_keywords(app);
    add_train_head(app);
    add_explain(app);
    add_convert(app);
    add_verify(app);
    add_plot(app);
    add_download(app);
    app.add_flag_callback(
           "--completion",
           [&app] {
               std::cout << bash_completion(app);
               throw CLI::Success();
           },
           "Write a completion script for bash: source <(bert --completion)")
        ->trigger_on_parse();
    refuse_negative_counts(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& request) {
        app.exit(request);  // --help, --version
        std::cout.flush();
        return std::cout ? 0 : report("standard output: could not be written", failed);
    } catch (const CLI::ParseError& error) {
        return report(error.what(), misused);
    } catch (const Interrupted&) {
        return interrupted;
    }
    return 0;
} catch (const std::exception& error) {
    return report(error.what(), failed);
}
