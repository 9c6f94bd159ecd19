// Definitions of tasks/task_model.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/tokenizer_folder.hpp>
#include <bert/tasks/task_model.hpp>

#include <algorithm>
#include <exception>

BERT_NAMESPACE_BEGIN

BERT_INLINE TaskOptions with_length_limit(TaskOptions options, const std::optional<std::size_t>& limit,
                                          const ModelPath& folder) {
    if (!options.max_length && limit) {
        const Index positions = load_model_config(folder).max_position_embeddings;
        options.max_length = std::min(*limit, static_cast<std::size_t>(positions));
    }
    return options;
}

BERT_INLINE ConstRows<float> TaskStep::rows(Index i) const {
    return hidden.middleRows(batch.offsets[static_cast<std::size_t>(i)], batch.length(i));
}

BERT_INLINE TaskModel::TaskModel(const ModelPath& folder, const TaskOptions& options, const TokenizerChanges& changes)
    : folder_(folder),
      token_budget_(options.token_budget),
      workspaces_(std::make_unique<WorkspacePool>(options.threads, options.executor)),
      parts_(open(folder, options, changes, workspaces_->threads())) {
    check_vocabulary(options.allow_unused_embeddings);
    choose_max_length(options.max_length);
}

BERT_INLINE auto TaskModel::open(const ModelPath& folder, const TaskOptions& options, const TokenizerChanges& changes,
                                 ThreadPool& pool) -> Parts {
    std::optional<Tokenizer> tokenizer;
    std::optional<AnyBertModel> model;
    std::exception_ptr tokenizer_error, model_error;
    const auto open_tokenizer = [&] {
        try {
            tokenizer.emplace(changed(load_tokenizer_config(folder), changes.special_tokens),
                              TokenizerOptions{options.invalid_utf8, changes.lowercase_first});
        } catch (...) {
            tokenizer_error = std::current_exception();
        }
    };
    LoadOptions load = options.load;
    if (!load.parallel_for) {
        // The tokenizer takes longer than a layer, so it comes first.
        load.parallel_for = [&](std::size_t count, const std::function<void(std::size_t)>& body) {
            pool.run(count + 1, [&](std::size_t task, std::size_t) {
                if (task == 0) open_tokenizer();
                else body(task - 1);
            });
        };
    }
    try {
        model.emplace(AnyBertModel::load(folder, options.weights, load));
    } catch (...) {
        model_error = std::current_exception();
    }
    if (!tokenizer && !tokenizer_error) open_tokenizer();
    if (tokenizer_error) std::rethrow_exception(tokenizer_error);
    if (model_error) std::rethrow_exception(model_error);
    return {*std::move(tokenizer), *std::move(model)};
}

BERT_INLINE TokenizerConfig TaskModel::changed(TokenizerConfig config, const std::vector<std::string>& special_tokens) {
    for (const std::string& token : special_tokens) {
        const auto added = std::find_if(config.added_tokens.begin(), config.added_tokens.end(),
                                        [&](const AddedToken& known) { return known.content == token; });
        const bool in_vocabulary = std::any_of(config.vocabulary.begin(), config.vocabulary.end(),
                                               [&](const auto& entry) { return entry.token == token; });
        AddedToken special;
        special.content = token;
        special.special = true;
        if (added != config.added_tokens.end()) *added = special;
        else if (in_vocabulary) config.added_tokens.push_back(special);
    }
    return config;
}

BERT_INLINE void TaskModel::check_vocabulary(bool allow_unused_embeddings) const {
    const auto tokens = static_cast<Index>(tokenizer().vocab_size());
    const Index rows = config().vocab_size;
    // Tables are often padded to a round number of rows.
    constexpr Index padding = 256;
    if (tokens > rows || (tokens + padding <= rows && !allow_unused_embeddings)) {
        detail::fail(ErrorKind::vocabulary, folder_, ": the vocabulary has ", tokens, " ids, but the model ", rows,
                     " word embeddings", tokens > rows ? "" : " (allow_unused_embeddings accepts that)");
    }
}

BERT_INLINE void TaskModel::choose_max_length(const std::optional<std::size_t>& wanted) {
    const auto positions = static_cast<std::size_t>(config().max_position_embeddings);
    if (wanted && *wanted > positions) {
        detail::fail(ErrorKind::input, "max_length should be at most ", positions, ", given ", *wanted);
    }
    max_length_ = wanted.value_or(std::min(positions, tokenizer().model_max_length().value_or(positions)));
    const std::size_t special = tokenizer().num_special_tokens(false);
    if (max_length_ <= special) {
        detail::fail(ErrorKind::input, "max_length should leave room beside ", special, " special tokens, given ",
                     max_length_);
    }
}

BERT_INLINE TaskRun::TaskRun(const TaskModel& model, std::size_t token_budget, Consume consume)
    : model_(model.model()),
      token_budget_(token_budget),
      consume_(std::move(consume)),
      loan_(model.borrow_workspace()) {}

BERT_INLINE void TaskRun::add(const std::int32_t* ids, const std::int32_t* type_ids, std::size_t count) {
    waiting_.add(ids, type_ids, count);
}

BERT_INLINE void TaskRun::add(const TokenIds& text) {
    std::size_t begin = 0;
    for (const std::size_t end : text.window_ends) {
        add(text.ids.data() + begin, text.type_ids.data() + begin, end - begin);
        begin = end;
    }
}

BERT_INLINE void TaskRun::compute() {
    const auto inputs = static_cast<std::size_t>(waiting_.texts());
    for (std::size_t begin = 0; begin < inputs;) {
        const auto tokens_to = [&](std::size_t end) {
            return static_cast<std::size_t>(waiting_.offsets[end] - waiting_.offsets[begin]);
        };
        std::size_t end = begin + 1;
        while (end < inputs && tokens_to(end + 1) <= token_budget_) ++end;
        compute_step(begin, end);
        begin = end;
    }
    done_ += inputs;
    waiting_.clear();
}

BERT_INLINE void TaskRun::compute_step(std::size_t first, std::size_t last) {
    step_.clear();
    const Index begin = waiting_.offsets[first];
    const Index end = waiting_.offsets[last];
    step_.ids.assign(waiting_.ids.begin() + begin, waiting_.ids.begin() + end);
    step_.type_ids.assign(waiting_.type_ids.begin() + begin, waiting_.type_ids.begin() + end);
    if (!waiting_.attention_mask.empty()) {
        step_.attention_mask.assign(waiting_.attention_mask.begin() + begin, waiting_.attention_mask.begin() + end);
    }
    for (std::size_t i = first; i < last; ++i) step_.offsets.push_back(waiting_.offsets[i + 1] - begin);
    const Workspace::Frame frame(*loan_);
    const Index hidden_size = model_.config().hidden_size;
    Eigen::Map<Matrix> hidden((*loan_).take<float>(static_cast<std::size_t>(step_.tokens() * hidden_size)),
                              step_.tokens(), hidden_size);
    model_.forward(step_, hidden, *loan_);
    consume_({done_ + first, step_, hidden, *loan_});
}

BERT_NAMESPACE_END
