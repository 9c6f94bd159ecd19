// Labels of tokens and of the words and names made of them. Depends on model, text and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/scores.hpp>
#include <bert/tasks/task_model.hpp>
#include <bert/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How labels of tokens become labels of words and names; the strategies of `transformers`' pipeline.
enum class Aggregation {
    none,     ///< one entity per token, with its label as it is
    simple,   ///< neighbouring tokens of one tag are one entity; B- begins a new one
    first,    ///< as simple, but a word has the label of its first token
    average,  ///< as simple, but a word has the label that is best on average over its tokens
    max,      ///< as simple, but a word has the label of its surest token
};

/// Options of one call of TokenClassifier.
struct EntityOptions {
    Aggregation aggregation = Aggregation::none;
    std::vector<std::string> ignore_labels{"O"};  ///< labels (none) or tags (the others) to leave out
    /// Take a long text in windows that share this many tokens; of entities that overlap the longer stays, and of equal
    /// ones the surer. Where it is not set the text is cut to the model's limit.
    std::optional<std::size_t> stride;
};

/// A token, word or name with its label.
struct Entity {
    std::string label;      ///< as id2label names it; without "B-" and "I-" where tokens were aggregated
    float score = 0;        ///< its probability; the mean over the tokens or words of an aggregated entity
    Span span;              ///< bytes of the text
    std::string word;       ///< its tokens as the tokenizer writes them
    std::size_t index = 0;  ///< of the token in its window; of aggregated entities, of the first token
};

/// What became of a text.
struct EntityResult {
    std::vector<Entity> entities;  ///< in the text's order
    std::size_t windows = 1;       ///< into which the text was cut
    bool truncated = false;        ///< whether the end of the text was left out
};

/// Token classification (BertForTokenClassification: named entities, parts of speech) as `transformers`'
/// token-classification pipeline does it. Const calls may be made from several threads at once.
class TokenClassifier {
public:
    /// Errors: file, format, shape (weights and labels disagree), vocabulary, unsupported (no such head in the folder).
    explicit TokenClassifier(const ModelPath& folder, const TaskOptions& options = {})
        : TokenClassifier(folder, HeadFolder(folder, Task::token_classification, options.load), options) {}

    /// Errors: input (a stride that leaves no room).
    EntityResult classify(const std::string& text, const EntityOptions& options = {}) const {
        return classify_batch({text}, options).front();
    }

    std::vector<EntityResult> classify_batch(const std::vector<std::string>& texts,
                                             const EntityOptions& options = {}) const {
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
                add_entities(texts[window.text], window.encoding, scores.middleRows(begin, step.batch.length(i)),
                             options, results[window.text].entities);
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

    /// The name of each output.
    std::vector<std::string> labels() const {
        std::vector<std::string> names;
        for (Index id = 0; id < head_.out_features(); ++id) names.push_back(label_name(task_.config(), id));
        return names;
    }

    const TaskModel& task() const noexcept { return task_; }

private:
    struct Window {
        std::size_t text;
        Encoding encoding;
    };

    /// A token of the text.
    struct Piece {
        std::string word;
        Index row;  // of its scores
        Span span;
        bool continues;  // the word of the piece before it
    };

    TokenClassifier(const ModelPath& folder, const HeadFolder& heads, const TaskOptions& options)
        : head_(heads.linear("classifier", heads.config().num_labels)), task_(folder, options) {}

    /// scores: tokens x labels.
    void add_entities(const std::string& text, const Encoding& window, const ConstRows<float>& scores,
                      const EntityOptions& options, std::vector<Entity>& entities) const {
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

    /// As the reference has it, a token continues a word where it is longer or shorter than the text it stands for: it
    /// then carries the prefix "##". An unknown token is shown as the text itself.
    Piece piece_of(const std::string& text, const Encoding& window, std::size_t i) const {
        const Span span = window.offsets[i];
        const auto written = std::string_view(text).substr(span.begin, span.end - span.begin);
        const std::int32_t id = window.ids[i];
        if (id == task_.tokenizer().unk_id()) return {std::string(written), static_cast<Index>(i), span, false};
        std::string token = task_.tokenizer().id_to_token(id).value_or("");
        const bool continues = detail::count_characters(token) != detail::count_characters(written);
        return {std::move(token), static_cast<Index>(i), span, continues};
    }

    /// The label of a word's pieces (or of the one piece).
    Entity entity_of(const std::vector<Piece>& word, const ConstRows<float>& scores, Aggregation aggregation) const {
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
            for (const Piece& piece : word) tokens.push_back(piece.word);
            entity.word = task_.tokenizer().decode_tokens(std::move(tokens));
        }
        return entity;
    }

    /// Whether a label begins an entity, and what it tags. Labels without prefix continue.
    static std::pair<bool, std::string_view> tag_of(std::string_view label) {
        const bool begins = label.substr(0, 2) == "B-";
        return {begins, begins || label.substr(0, 2) == "I-" ? label.substr(2) : label};
    }

    /// Neighbours of one tag become one entity.
    std::vector<Entity> grouped(const std::vector<Entity>& parts) const {
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

    /// Of entities of neighbouring windows that begin within each other the longer stays, of equal ones the surer.
    /// Lengths count characters, as in the reference.
    static std::vector<Entity> without_overlaps(std::string_view text, std::vector<Entity> entities) {
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
            if (length > other || (length == other && entity.score > kept.back().score))
                kept.back() = std::move(entity);
        }
        return kept;
    }

    Linear<float> head_;
    TaskModel task_;
};

BERT_NAMESPACE_END
