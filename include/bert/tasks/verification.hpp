// How far embeddings may be from those that a model should make. Depends on core, io and model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/verification.hpp>
#include <bert/model/any_bert_model.hpp>

#include <optional>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The largest relative distance of a row from the row it should be.
double deviation_of(const ConstRows<float>& given, const ConstRows<float>& expected);

/// What may lie between embeddings that were computed with `given` and with `expected` weights: other instruction sets
/// round sums otherwise, which moves narrow numbers by a whole step of theirs now and then; other weights are a step
/// away by themselves.
double tolerance_of(WeightType given, WeightType expected);

/// Fails unless `encoder` makes the embeddings that the file of its model carries. Errors: unsupported (it carries
/// none), format (it makes others).
template <class Encoder>
void check_verification(const Encoder& encoder, const ModelPath& model) {
    const auto carried = model.archive() ? load_verification(*model.archive()) : std::nullopt;
    if (!carried) fail(ErrorKind::unsupported, model, " carries no embeddings to verify it with");
    const double deviation = deviation_of(encoder.encode(carried->texts), carried->expected);
    const double tolerance = tolerance_of(encoder.model().weights(), choose_weights(std::nullopt, model));
    if (!(deviation <= tolerance)) {
        fail(ErrorKind::format, model.archive()->path, ": embeddings deviate from those that the model carries by ",
             deviation, " of their length; at most ", tolerance, " is let pass");
    }
}

}  // namespace detail

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/verification.ipp>
#endif
