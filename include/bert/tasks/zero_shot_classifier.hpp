// Classes that are named only when asked, through a model of entailment. Depends on tasks/pooled_classifier.
#pragma once

#include <bert/io/model_path.hpp>
#include <bert/tasks/pooled_classifier.hpp>

#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of one call of ZeroShotClassifier.
struct ZeroShotOptions {
    std::string hypothesis = "This example is {}.";  ///< "{}" stands for a label
    bool multi_label = false;  ///< each label for itself, by entailment against contradiction; else they share one sum
};

/// A candidate label with its score.
struct ZeroShotLabel {
    std::string label;  ///< as it was given
    float score = 0;    ///< from 0 to 1
};

/// What became of a text.
struct ZeroShotResult {
    std::vector<ZeroShotLabel> labels;  ///< best first
    bool truncated = false;             ///< whether the text lost tokens beside the longest label
};

/// Zero-shot classification (Yin et al. 2019, https://arxiv.org/abs/1909.00161) as `transformers`' pipeline does it:
/// the text is the premise, each label makes a hypothesis, and a BertForSequenceClassification trained on
/// natural-language inference says how far the one entails the other. Const calls may be made from several threads.
class ZeroShotClassifier {
public:
    /// `entailment`: the label that stands for entailment; where not given, the one that begins so ("entailment",
    /// "ENTAILMENT", ...). Errors: as TextClassifier; input (no such label); unsupported (no label of entailment, fewer
    /// than two labels).
    explicit ZeroShotClassifier(const ModelPath& folder, const TaskOptions& options = {},
                                const std::optional<std::string>& entailment = std::nullopt);

    /// Scores every label for a text. Errors: input (no labels, a hypothesis without "{}", one too long).
    ZeroShotResult classify(const std::string& text, const std::vector<std::string>& labels,
                            const ZeroShotOptions& options = {}) const;

    /// classify() of each text, in order. Errors: those of classify().
    std::vector<ZeroShotResult> classify_batch(const std::vector<std::string>& texts,
                                               const std::vector<std::string>& labels,
                                               const ZeroShotOptions& options = {}) const;

    const TaskModel& task() const noexcept { return classifier_.task(); }  ///< model and tokenizer

private:
    void choose_labels(const ModelPath& folder, const std::optional<std::string>& entailment);

    static bool begins_entail(std::string name);

    /// logits: labels x outputs of the model.
    std::vector<float> scores(const Matrix& logits, bool multi_label) const;

    /// Best first; of equal scores the later comes first, as in the pipeline.
    static std::vector<ZeroShotLabel> rank(const std::vector<std::string>& labels, const std::vector<float>& scores);

    PooledClassifier classifier_;
    Index entailment_ = 0;
    Index contradiction_ = 0;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/zero_shot_classifier.ipp>
#endif
