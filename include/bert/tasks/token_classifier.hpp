// Labels of tokens and of the words and names made of them. Depends on model, text and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstddef>
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
    Aggregation aggregation = Aggregation::none;  ///< how tokens become entities
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
    explicit TokenClassifier(const ModelPath& folder, const TaskOptions& options = {});

    /// Errors: input (a stride that leaves no room).
    EntityResult classify(const std::string& text, const EntityOptions& options = {}) const;

    /// classify() of each text, in order. Errors: those of classify().
    std::vector<EntityResult> classify_batch(const std::vector<std::string>& texts,
                                             const EntityOptions& options = {}) const;

    /// The name of each output.
    std::vector<std::string> labels() const;

    const TaskModel& task() const noexcept { return task_; }  ///< model and tokenizer

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

    TokenClassifier(const ModelPath& folder, const HeadFolder& heads, const TaskOptions& options);

    /// scores: tokens x labels.
    void add_entities(const std::string& text, const Encoding& window, const ConstRows<float>& scores,
                      const EntityOptions& options, std::vector<Entity>& entities) const;

    /// As the reference has it, a token continues a word where it is longer or shorter than the text it stands for: it
    /// then carries the prefix "##". An unknown token is shown as the text itself.
    Piece piece_of(const std::string& text, const Encoding& window, std::size_t i) const;

    /// The label of a word's pieces (or of the one piece).
    Entity entity_of(const std::vector<Piece>& word, const ConstRows<float>& scores, Aggregation aggregation) const;

    /// Whether a label begins an entity, and what it tags. Labels without prefix continue.
    static std::pair<bool, std::string_view> tag_of(std::string_view label);

    /// Neighbours of one tag become one entity.
    std::vector<Entity> grouped(const std::vector<Entity>& parts) const;

    /// Of entities of neighbouring windows that begin within each other the longer stays, of equal ones the surer.
    /// Lengths count characters, as in the reference.
    static std::vector<Entity> without_overlaps(std::string_view text, std::vector<Entity> entities);

    Linear<float> head_;
    TaskModel task_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/token_classifier.ipp>
#endif
