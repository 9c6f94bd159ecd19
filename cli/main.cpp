// The command line tool: parses, runs a command, and turns errors into one line and exit code 2.
#include "commands.hpp"

#include <bert/version.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace {

int report(const std::string& message) {
    std::string line = message.substr(0, message.find('\n'));
    std::fprintf(stderr, "bert: %s\n", line.c_str());
    return 2;
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app(
        "BERT on a CPU: embeds, compares, classifies and searches texts with a model folder as Hugging Face publishes "
        "it.",
        "bert");
    app.set_version_flag("--version", std::to_string(BERT_VERSION_MAJOR) + "." + std::to_string(BERT_VERSION_MINOR) +
                                          "." + std::to_string(BERT_VERSION_PATCH));
    app.require_subcommand(1);
    app.footer(R"(Each command has a --help of its own. Errors are one line on standard error and exit code 2.

  bert embed all-MiniLM-L6-v2 texts.txt -o vectors.npy
  bert similarity all-MiniLM-L6-v2 'A cat sat down.' 'Dogs bark.')");
    add_embed(app);
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
    add_summarize(app);
    add_keywords(app);
    add_train_head(app);
    add_explain(app);
    add_plot(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& request) {
        return app.exit(request);  // --help, --version
    } catch (const CLI::ParseError& error) {
        return report(error.what());
    }
    return 0;
} catch (const std::exception& error) {
    return report(error.what());
}
