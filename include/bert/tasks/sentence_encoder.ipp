// Definitions of tasks/sentence_encoder.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/nn/pooling.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/tasks/verification.hpp>

#include <algorithm>
#include <utility>
#include <variant>

BERT_NAMESPACE_BEGIN

BERT_INLINE SentenceEncoder::SentenceEncoder(const ModelPath& folder, const SentenceEncoderOptions& options)
    : SentenceEncoder(load_sentence_config(folder), options) {}

BERT_INLINE SentenceEncoder::SentenceEncoder(SentenceConfig config, const SentenceEncoderOptions& options)
    : config_(std::move(config)),
      options_(options),
      task_(config_.transformer_folder, task_options(options), {config_.do_lower_case, {}}) {
    if (options.pooling) config_.pooling = {*options.pooling};
    if (options.truncate_dim) config_.truncate_dim = options.truncate_dim;
    choose_length();
    load_modules();
    if (config_.truncate_dim && *config_.truncate_dim < 1) {
        detail::fail(ErrorKind::input, "truncate_dim should be positive, given ", *config_.truncate_dim);
    }
    if (options.verify) verify();
}

BERT_INLINE Matrix SentenceEncoder::encode(const std::vector<std::string>& texts, const EmbedOptions& options) const {
    return embed(texts, options).embeddings;
}

BERT_INLINE Matrix SentenceEncoder::encode_query(const std::vector<std::string>& texts, EmbedOptions options) const {
    choose_prompt("query", options);
    return encode(texts, options);
}

BERT_INLINE Matrix SentenceEncoder::encode_document(const std::vector<std::string>& texts, EmbedOptions options) const {
    choose_prompt("document", options);
    return encode(texts, options);
}

BERT_INLINE SentenceEmbeddings SentenceEncoder::embed(const std::vector<std::string>& texts,
                                                      const EmbedOptions& options) const {
    const std::string prompt = prompt_of(options);
    SentenceEmbeddings result;
    result.texts.resize(texts.size());
    Matrix pooled = Matrix::Zero(static_cast<Index>(texts.size()), pooled_size());

    std::vector<Window> windows;  // of the texts that wait in `run`, after the first `computed` ones
    std::size_t computed = 0;
    TaskRun run(task_, options.token_budget,
                [&](const TaskStep& step) { pool_step(step, windows.data() + (step.first - computed), pooled); });
    const Index skip = prompt_tokens(prompt);
    std::string text;
    TokenIds encoded;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        text.assign(prompt).append(texts[i]);
        tokenize(i, text, options.long_text, encoded);
        result.texts[i] = describe(encoded, options.long_text);
        add_windows(i, encoded, skip, windows);
        run.add(encoded);
        if (!run.full() && i + 1 < texts.size()) continue;
        run.compute();
        computed += windows.size();
        windows.clear();
        if (options.progress) options.progress(i + 1, texts.size());
    }
    result.embeddings = finish(std::move(pooled), run.workspace());
    return result;
}

BERT_INLINE Matrix SentenceEncoder::similarity(const ConstRows<float>& a, const ConstRows<float>& b) const {
    return bert::similarity(a, b, config_.similarity);
}

BERT_INLINE Index SentenceEncoder::dimension() const noexcept {
    Index size = pooled_size();
    if (!dense_.empty()) size = dense_.back().out_features();
    return config_.truncate_dim ? std::min(size, *config_.truncate_dim) : size;
}

BERT_INLINE void SentenceEncoder::tokenize(std::size_t row, const std::string& text, LongText policy,
                                           TokenIds& encoded) const {
    EncodeOptions options;
    options.max_length = max_seq_length_;
    options.overflowing = policy == LongText::average_windows;
    tokenizer().encode_ids(text, options, encoded);
    if (policy == LongText::error && encoded.truncated) {
        detail::fail(ErrorKind::input, "text ", row, " has ", encoded.total_tokens, " tokens; at most ",
                     max_seq_length_, " fit");
    }
}

BERT_INLINE TextInfo SentenceEncoder::describe(const TokenIds& encoded, LongText policy) {
    return {encoded.ids.size(), encoded.window_ends.size(), encoded.truncated && policy != LongText::average_windows};
}

BERT_INLINE void SentenceEncoder::add_windows(std::size_t row, const TokenIds& encoded, Index skip,
                                              std::vector<Window>& windows) {
    std::size_t begin = 0;
    for (const std::size_t end : encoded.window_ends) {
        const double share = static_cast<double>(end - begin) / static_cast<double>(encoded.ids.size());
        // The prompt stands in the first window alone.
        windows.push_back({static_cast<Index>(row), begin == 0 ? skip : 0, static_cast<float>(share)});
        begin = end;
    }
}

BERT_INLINE void SentenceEncoder::pool_step(const TaskStep& step, const Window* windows, Matrix& pooled) const {
    const Workspace::Frame frame(step.workspace);
    const Index size = step.hidden.cols();
    double* const sums = step.workspace.take<double>(static_cast<std::size_t>(size));
    float* const vector = step.workspace.take<float>(static_cast<std::size_t>(size));
    for (Index i = 0; i < step.batch.texts(); ++i) {
        Index column = 0;
        for (const PoolingMode mode : config_.pooling) {
            pool(mode, step.rows(i), windows[i].skip, sums, vector);
            pooled.row(windows[i].row).segment(column, size) +=
                windows[i].share * Eigen::Map<Eigen::RowVectorXf>(vector, size);
            column += size;
        }
    }
}

BERT_INLINE TaskOptions SentenceEncoder::task_options(const SentenceEncoderOptions& options) {
    TaskOptions task;
    task.weights = options.weights;
    task.threads = options.threads;
    task.executor = options.executor;
    task.load = options.load;
    task.allow_unused_embeddings = options.allow_unused_embeddings;
    task.invalid_utf8 = options.invalid_utf8;
    return task;
}

BERT_INLINE void SentenceEncoder::verify() const {
    if (options_.max_seq_length || options_.normalize || options_.pooling || options_.truncate_dim) {
        detail::fail(ErrorKind::input,
                     "only embeddings by the model's own settings can be verified: leave out "
                     "max_seq_length, normalize, pooling and truncate_dim");
    }
    detail::check_verification(*this, config_.transformer_folder);
}

BERT_INLINE Index SentenceEncoder::pooled_size() const noexcept {
    return static_cast<Index>(config_.pooling.size()) * model().config().hidden_size;
}

BERT_INLINE void SentenceEncoder::choose_length() {
    const auto model_limit = static_cast<std::size_t>(model().config().max_position_embeddings);
    if (options_.max_seq_length && *options_.max_seq_length > model_limit) {
        detail::fail(ErrorKind::input, "max_seq_length should be at most ", model_limit, ", given ",
                     *options_.max_seq_length);
    }
    max_seq_length_ = task_.max_length();
    if (options_.max_seq_length) max_seq_length_ = *options_.max_seq_length;
    else if (config_.max_seq_length) max_seq_length_ = std::min(*config_.max_seq_length, model_limit);
    if (max_seq_length_ <= tokenizer().num_special_tokens(false)) {
        detail::fail(ErrorKind::input, "max_seq_length should leave room beside ",
                     tokenizer().num_special_tokens(false), " special tokens, given ", max_seq_length_);
    }
}

BERT_INLINE void SentenceEncoder::load_modules() {
    if (config_.pooling_dimension && *config_.pooling_dimension != model().config().hidden_size) {
        detail::fail(ErrorKind::shape, config_.transformer_folder, ": pooling was made for ",
                     *config_.pooling_dimension, " dimensions, but the model has ", model().config().hidden_size);
    }
    Index size = pooled_size();
    for (const auto& module : config_.modules) {
        const auto* const config = std::get_if<DenseConfig>(&module);
        if (!config) continue;
        if (config->in_features != size) {
            detail::fail(ErrorKind::shape, config->folder, ": \"in_features\" should be ", size, ", given ",
                         config->in_features);
        }
        dense_.push_back(load_dense(*config, options_.load));
        size = config->out_features;
    }
}

BERT_INLINE void SentenceEncoder::choose_prompt(const char* name, EmbedOptions& options) const {
    if (options.prompt || options.prompt_name) return;
    const auto it = config_.prompts.find(name);
    options.prompt = it == config_.prompts.end() ? "" : it->second;
}

BERT_INLINE std::string SentenceEncoder::prompt_of(const EmbedOptions& options) const {
    if (options.prompt) return *options.prompt;
    const auto& name = options.prompt_name ? options.prompt_name : config_.default_prompt_name;
    if (!name) return {};
    const auto it = config_.prompts.find(*name);
    if (it != config_.prompts.end()) return it->second;
    std::string known;
    for (const auto& prompt : config_.prompts) known += (known.empty() ? "" : ", ") + prompt.first;
    detail::fail(ErrorKind::input, "there is no prompt \"", *name,
                 "\"; the folder names: ", known.empty() ? "none" : known);
}

BERT_INLINE Index SentenceEncoder::prompt_tokens(const std::string& prompt) const {
    if (config_.include_prompt || prompt.empty()) return 0;
    EncodeOptions limit;
    limit.max_length = max_seq_length_;
    const Encoding encoding = tokenizer().encode(prompt, limit);
    const bool ends_special = !encoding.empty() && encoding.special_tokens_mask.back() != 0;
    return static_cast<Index>(encoding.size()) - (ends_special ? 1 : 0);
}

BERT_INLINE Matrix SentenceEncoder::finish(Matrix embeddings, Workspace& workspace) const {
    auto dense = dense_.begin();
    for (const auto& module : config_.modules) {
        if (std::holds_alternative<DenseConfig>(module)) embeddings = (dense++)->forward(embeddings, workspace);
        else if (options_.normalize.value_or(true)) normalize_rows(embeddings);
    }
    if (dimension() < embeddings.cols()) embeddings = embeddings.leftCols(dimension()).eval();
    if (options_.normalize.value_or(false)) normalize_rows(embeddings);
    return embeddings;
}

BERT_NAMESPACE_END
