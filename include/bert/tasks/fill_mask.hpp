// Words for the masked places of a text, and how likely a text is, by BERT's first pre-training task. Depends on model
// and tasks/task_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/task_model.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Options of one call of FillMask.
struct FillMaskOptions {
    std::size_t top_k = 5;  ///< candidates per mask; no more than there are targets, where some are given
    /// The only words to choose from. Of one that is no token of the vocabulary its first token stands in, as in
    /// `transformers`; FillMaskResult::substituted names it.
    std::vector<std::string> targets;
};

/// A word for a masked place.
struct MaskCandidate {
    float score = 0;       ///< its probability at this place, among all words of the vocabulary
    std::int32_t id = 0;   ///< of the token
    std::string token;     ///< its text
    std::string sequence;  ///< the text with this token in its place (and other masks left)
};

/// A masked place.
struct MaskedPlace {
    Span span;                              ///< bytes of the [MASK] in the text
    std::vector<MaskCandidate> candidates;  ///< best first
};

/// What became of a text.
struct FillMaskResult {
    std::vector<MaskedPlace> masks;        ///< in the text's order
    std::vector<std::string> substituted;  ///< targets of which only the first token was looked at
    bool truncated = false;                ///< whether tokens were left out to respect the model's limit
};

/// How likely a text is to the model.
struct PseudoLikelihood {
    double log_likelihood = 0;  ///< sum over the text's tokens of log P(token | all others), natural logarithm
    double perplexity = 1;      ///< exp(-log_likelihood / tokens); 1 for a text without tokens
    std::size_t tokens = 0;     ///< without special tokens
    std::size_t windows = 1;    ///< more than 1 where the text was longer than the model's limit
};

/// Masked language modelling with models of the classes BertForMaskedLM and BertForPreTraining, as `transformers`'
/// fill-mask pipeline. Const calls may be made from several threads at once.
class FillMask {
public:
    /// Errors: file, format, shape, vocabulary (no mask token), unsupported (no such head in the folder).
    explicit FillMask(const ModelPath& folder, const TaskOptions& options = {});

    /// The candidates of every [MASK] of a text, each computed with the other masks in place. Errors: input (no mask
    /// within the model's limit, top_k of 0 or above the vocabulary, no usable target).
    FillMaskResult fill(const std::string& text, const FillMaskOptions& options = {}) const;

    /// fill() of each text, in order. Errors: those of fill().
    std::vector<FillMaskResult> fill_batch(const std::vector<std::string>& texts,
                                           const FillMaskOptions& options = {}) const;

    /// Pseudo-log-likelihood and pseudo-perplexity (Salazar et al. 2020, https://arxiv.org/abs/1910.14659): each token
    /// is masked in its turn. A text beyond the model's limit is taken in windows, each token counting once.
    PseudoLikelihood perplexity(const std::string& text) const;

    const TaskModel& task() const noexcept { return task_; }  ///< model and tokenizer

private:
    FillMask(const ModelPath& folder, const HeadFolder& heads, const TaskOptions& options);

    std::vector<std::int32_t> target_ids(const std::vector<std::string>& targets,
                                         std::vector<std::string>& substituted) const;

    void check_mask(std::size_t text, const Encoding& encoding) const;

    void fill_text(const Encoding& encoding, const ConstRows<float>& hidden, const std::vector<std::int32_t>& targets,
                   std::size_t top_k, Workspace& workspace, FillMaskResult& result) const;

    /// The ids of the highest logits, of targets where there are any.
    std::vector<std::int32_t> best(const float* logits, const std::vector<std::int32_t>& targets,
                                   std::size_t top_k) const;

    /// The text with `id` in its place. Special tokens are left out, unless other masks would disappear with them.
    std::string filled(const Encoding& encoding, std::size_t place, std::int32_t id, bool only_mask) const;

    void add_likelihood(const Encoding& window, PseudoLikelihood& result) const;

    AnyMaskedLmHead head_;
    TaskModel task_;
};

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/fill_mask.ipp>
#endif
