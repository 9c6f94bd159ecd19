// Whether a model computes here what it computed where it was converted, or what plain double precision makes of it.
// Depends on io, model and tasks/sentence_encoder.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_path.hpp>
#include <bert/model/bert_model.hpp>
#include <bert/tasks/sentence_encoder.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// How a model is opened to be verified.
struct VerifyOptions {
    std::optional<WeightType> weights;  ///< see choose_weights()
    unsigned threads = 0;               ///< 0: as many as the process may use
    LoadOptions load;                   ///< how the model is opened
};

/// What verify() found.
struct VerificationReport {
    /// What the vectors were compared with.
    enum class Reference {
        carried,  ///< the embeddings that a converted model carries
        /// For models that carry none: the mean hidden states that plain C++ code computes here, in double precision,
        /// or with narrow weights where these are asked for.
        plain,
    };
    Reference reference = Reference::carried;  ///< what was compared with
    std::size_t texts = 0;                     ///< that were embedded
    std::size_t tokens = 0;                    ///< of those texts
    double deviation = 0;                      ///< the largest of |given - expected| / |expected| over the vectors
    double tolerance = 0;                      ///< the largest deviation that passes
    bool passed = false;                       ///< deviation <= tolerance
    std::optional<double> original_cosine;     ///< lowest cosine to the embeddings of the model before conversion
    WeightType weights = WeightType::float32;  ///< the type that was computed with
    std::string kernels;                       ///< the table that computed
    std::size_t threads = 0;                   ///< that computed
    double seconds_to_first_vector = 0;        ///< from opening the model to the embedding of its first text
    double tokens_per_second = 0;              ///< of all texts together, over and over
};

namespace detail {

/// Texts of several lengths, scripts and kinds of words.
const std::vector<std::string>& verification_texts();

/// The mean of the last hidden states of each text, by `model`: texts x hidden.
template <class Model>
Matrix mean_hidden_states(const Model& model, const std::vector<Encoding>& encodings) {
    Matrix means(static_cast<Index>(encodings.size()), model.config().hidden_size);
    for (std::size_t i = 0; i < encodings.size(); ++i) {
        means.row(static_cast<Index>(i)) =
            model.forward(encodings[i]).last_hidden_state.colwise().mean().template cast<float>();
    }
    return means;
}

/// The model as an encoder of sentences: by its own settings, or, where it was made for something else, by the mean of
/// its last hidden states.
SentenceEncoder open_for_verification(const ModelPath& model, const SentenceEncoderOptions& options);

}  // namespace detail

/// Compares the embeddings that the model makes here with those it carries; see VerificationReport::Reference for
/// models that carry none. Errors: those of SentenceEncoder; format (the weights in the file are not those that were
/// written).
VerificationReport verify(const ModelPath& model, const VerifyOptions& options = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/verify.ipp>
#endif
