// The texts that a converted model carries, with the embeddings it should make of them. Depends on core and io.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/model_archive.hpp>

#include <optional>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// What a model computed where it was converted.
struct Verification {
    std::vector<std::string> texts;  ///< as they are encoded, without a prompt
    Matrix expected;                 ///< embeddings: texts x dimension
    Matrix original;  ///< those of the model it was made from, with weights of float32; texts x dimension
};

namespace detail {

/// As ModelArchive::verification holds it.
std::string to_text(const Verification& verification);

}  // namespace detail

/// The verification that a model file carries, if it does. Errors: format.
std::optional<Verification> load_verification(const ModelArchive& archive);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/verification.ipp>
#endif
