// Definitions of tasks/token_classifier.hpp.
#pragma once

#include <bert/tasks/scores.hpp>
#include <bert/tasks/token_classifier.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstdint>

BERT_NAMESPACE_BEGIN

BERT_INLINE TokenClassifier::TokenClassifier(const ModelPath& folder, const TaskOptions& options)
    : TokenClassifier(folder, HeadFolder(folder, Task::token_classification, options.load), options) {}

BERT_INLINE EntityResult TokenClassifier::classify(const std::string& text, const EntityOptions& options) const {
    return classify_batch({text}, options).front();
}

BERT_INLINE std::vector<EntityResult> TokenClassifier::classify_batch(const std::vector<std::string>& texts,
                                                                      const EntityOptions& options) const {
    std::vector<EntityResult> results(texts.size());
    std::vector<Window> waiting;  // the inputs of `run` that are not computed yet
    std::size_t computed = 0;
    TaskRun run(task_, [&](const TaskStep& step) {
        Matrix scores(step.hidden.rows(), head_.out_features());
        head_.forward(step.hidden, scores, step.workspace);
        detail::check_outputs<float>(scores);
        softmax_rows(scores);
        for (Index i = 0; i < step.batch.texts(); ++i) {
            const Window& window = waiting[step.first - computed + static_cast<std::size_t>(i)];
            const Index begin = step.batch.offsets[static_cast<std::size_t>(i)];
            add_entities(texts[window.text], window.encoding, scores.middleRows(begin, step.batch.length(i)), options,
                         results[window.text].entities);
        }
    });
    EncodeOptions limits;
    limits.max_length = task_.max_length();
    limits.overflowing = options.stride.has_value();
    limits.stride = options.stride.value_or(0);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Encoding first = task_.tokenizer().encode(texts[i], limits);
        std::vector<Encoding> further = std::move(first.overflowing);
        results[i].windows = 1 + further.size();
        results[i].truncated = first.truncated && !options.stride;
        further.insert(further.begin(), std::move(first));
        for (Encoding& window : further) {
            run.add(window);
            waiting.push_back({i, std::move(window)});
        }
        if (!run.full() && i + 1 < texts.size()) continue;
        run.compute();
        computed += waiting.size();
        waiting.clear();
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (results[i].windows == 1) continue;
        results[i].entities = without_overlaps(texts[i], std::move(results[i].entities));
    }
    return results;
}

BERT_INLINE std::vector<std::string> TokenClassifier::labels() const {
    std::vector<std::string> names;
    for (Index id = 0; id < head_.out_features(); ++id) names.push_back(label_name(task_.config(), id));
    return names;
}

BERT_INLINE TokenClassifier::TokenClassifier(const ModelPath& folder, const HeadFolder& heads,
                                             const TaskOptions& options)
    : head_(heads.linear("classifier", heads.config().num_labels)), task_(folder, options) {}

BERT_INLINE void TokenClassifier::add_entities(const std::string& text, const Encoding& window,
                                               const ConstRows<float>& scores, const EntityOptions& options,
                                               std::vector<Entity>& entities) const {
    std::vector<Entity> found;
    std::vector<Piece> word;
    for (std::size_t i = 0; i < window.size(); ++i) {
        if (window.special_tokens_mask[i] != 0) continue;
        Piece piece = piece_of(text, window, i);
        const bool by_word = options.aggregation != Aggregation::none && options.aggregation != Aggregation::simple;
        if (!word.empty() && !(by_word && piece.continues)) {
            found.push_back(entity_of(word, scores, options.aggregation));
            word.clear();
        }
        word.push_back(std::move(piece));
    }
    if (!word.empty()) found.push_back(entity_of(word, scores, options.aggregation));
    if (options.aggregation != Aggregation::none) found = grouped(found);
    for (Entity& entity : found) {
        const auto& ignored = options.ignore_labels;
        if (std::find(ignored.begin(), ignored.end(), entity.label) == ignored.end()) {
            entities.push_back(std::move(entity));
        }
    }
}

BERT_INLINE auto TokenClassifier::piece_of(const std::string& text, const Encoding& window, std::size_t i) const
    -> Piece {
    const Span span = window.offsets[i];
    const auto written = std::string_view(text).substr(span.begin, span.end - span.begin);
    const std::int32_t id = window.ids[i];
    if (id == task_.tokenizer().unk_id()) return {std::string(written), static_cast<Index>(i), span, false};
    std::string token = task_.tokenizer().id_to_token(id).value_or("");
    const bool continues = detail::count_characters(token) != detail::count_characters(written);
    return {std::move(token), static_cast<Index>(i), span, continues};
}

BERT_INLINE Entity TokenClassifier::entity_of(const std::vector<Piece>& word, const ConstRows<float>& scores,
                                              Aggregation aggregation) const {
    Eigen::RowVectorXf own = scores.row(word.front().row);
    if (aggregation == Aggregation::max) {
        for (const Piece& piece : word) {
            if (scores.row(piece.row).maxCoeff() > own.maxCoeff()) own = scores.row(piece.row);
        }
    } else if (aggregation == Aggregation::average) {
        for (std::size_t i = 1; i < word.size(); ++i) own += scores.row(word[i].row);
        own /= static_cast<float>(word.size());
    }
    Entity entity;
    Index label = 0;
    entity.score = own.maxCoeff(&label);
    entity.label = label_name(task_.config(), label);
    entity.span = {word.front().span.begin, word.back().span.end};
    entity.index = static_cast<std::size_t>(word.front().row);
    if (aggregation == Aggregation::none || aggregation == Aggregation::simple) {
        entity.word = word.front().word;
    } else {
        std::vector<std::string> tokens;
        tokens.reserve(word.size());
        for (const Piece& piece : word) tokens.push_back(piece.word);
        entity.word = task_.tokenizer().decode_tokens(std::move(tokens));
    }
    return entity;
}

BERT_INLINE std::pair<bool, std::string_view> TokenClassifier::tag_of(std::string_view label) {
    const bool begins = label.substr(0, 2) == "B-";
    return {begins, begins || label.substr(0, 2) == "I-" ? label.substr(2) : label};
}

BERT_INLINE std::vector<Entity> TokenClassifier::grouped(const std::vector<Entity>& parts) const {
    std::vector<Entity> groups;
    for (std::size_t first = 0; first < parts.size();) {
        std::size_t last = first + 1;
        while (last < parts.size()) {
            const auto [begins, tag] = tag_of(parts[last].label);
            if (begins || tag != tag_of(parts[last - 1].label).second) break;
            ++last;
        }
        Entity group = parts[first];
        group.label.erase(0, group.label.find('-') + 1);
        double sum = 0;
        std::vector<std::string> words;
        for (std::size_t i = first; i < last; ++i) {
            sum += static_cast<double>(parts[i].score);
            words.push_back(parts[i].word);
        }
        group.score = static_cast<float>(sum / static_cast<double>(last - first));
        group.span.end = parts[last - 1].span.end;
        group.word = task_.tokenizer().decode_tokens(std::move(words));
        groups.push_back(std::move(group));
        first = last;
    }
    return groups;
}

BERT_INLINE std::vector<Entity> TokenClassifier::without_overlaps(std::string_view text, std::vector<Entity> entities) {
    const auto characters = [&](const Entity& entity) {
        return detail::count_characters(text.substr(entity.span.begin, entity.span.end - entity.span.begin));
    };
    std::stable_sort(entities.begin(), entities.end(),
                     [](const Entity& a, const Entity& b) { return a.span.begin < b.span.begin; });
    std::vector<Entity> kept;
    for (Entity& entity : entities) {
        if (kept.empty() || entity.span.begin >= kept.back().span.end) {
            kept.push_back(std::move(entity));
            continue;
        }
        const std::size_t length = characters(entity);
        const std::size_t other = characters(kept.back());
        if (length > other || (length == other && entity.score > kept.back().score)) kept.back() = std::move(entity);
    }
    return kept;
}

BERT_NAMESPACE_END
