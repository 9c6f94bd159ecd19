// The commands of the tool: each adds its own subcommand, with options and what to run. They throw on errors.
#pragma once

#include <CLI/CLI.hpp>

void add_embed(CLI::App& app);
void add_inspect(CLI::App& app);
void add_similarity(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_explain(CLI::App& app);
void add_keywords(CLI::App& app);
void add_search(CLI::App& app);
void add_summarize(CLI::App& app);
void add_train_head(CLI::App& app);
