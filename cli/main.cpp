// The command line tool: parses, runs a command, and turns errors into one line and an exit code.
#include "commands.hpp"
#include "completion.hpp"
#include "interrupt.hpp"
#include "man_page.hpp"

#include <bert/version.hpp>

#include <fcntl.h>

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
    std::string line = message;
    for (char& c : line) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';  // names may hold what a terminal would obey
    }
    std::fprintf(stderr, "bert: %s\n", line.c_str());
    return code;
}

/// Files must not get the numbers of standard streams that are closed: messages would be written into them. Opened the
/// wrong way round, these still fail when they are used.
void open_standard_streams() {
    for (const int stream : {0, 1, 2}) {
        if (fcntl(stream, F_GETFD) == -1) (void)open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
    }
}

/// Those whose output is JSON anyway take --json like the others.
void take_json_everywhere(CLI::App& app) {
    for (CLI::App* const command : app.get_subcommands(std::function<bool(CLI::App*)>())) {
        if (!command->get_option_no_throw("--json"))
            command->add_flag("--json", "Write JSON, as this command does anyway");
    }
}

/// Makes `name` write what `text` returns, and the program end.
void add_text_flag(CLI::App& app, const std::string& name, std::string (*text)(const CLI::App&),
                   const std::string& description) {
    const auto write = [&app, text] {
        std::cout << text(app);
        throw CLI::Success();
    };
    app.add_flag_callback(name, write, description)->trigger_on_parse();
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
    open_standard_streams();
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

Environment: BERT_KERNELS names the instruction set to compute with, as --kernels does. Nothing is ever coloured, and
progress is shown on terminals only.

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
    add_text_flag(app, "--completion", bash_completion,
                  "Write a completion script for bash: source <(bert --completion)");
    add_text_flag(app, "--man", man_page, "Write this as a manual page");
    take_json_everywhere(app);
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
