// The commands of the tool: each adds its own subcommand, with options and what to run. They throw on errors.
#pragma once

#include <CLI/CLI.hpp>

void add_ask(CLI::App& app);
void add_classify(CLI::App& app);
void add_cluster(CLI::App& app);
void add_convert(CLI::App& app);
void add_download(CLI::App& app);
void add_embed(CLI::App& app);
void add_embed_sparse(CLI::App& app);
void add_entities(CLI::App& app);
void add_fill_mask(CLI::App& app);
void add_generate(CLI::App& app);
void add_index(CLI::App& app);
void add_inspect(CLI::App& app);
void add_next_sentence(CLI::App& app);
void add_rerank(CLI::App& app);
void add_similarity(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_verify(CLI::App& app);
void add_explain(CLI::App& app);
void add_plot(CLI::App& app);
void add_keywords(CLI::App& app);
void add_paraphrases(CLI::App& app);
void add_search(CLI::App& app);
void add_summarize(CLI::App& app);
void add_train_head(CLI::App& app);
