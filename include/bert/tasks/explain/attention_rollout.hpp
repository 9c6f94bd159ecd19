// How far each token's output depends on each input token, through all layers. Depends on model/bert_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/model/bert_model.hpp>

#include <cstddef>

BERT_NAMESPACE_BEGIN

/// Attention rollout (Abnar and Zuidema 2020, https://arxiv.org/abs/2005.00928): the product over layers of half the
/// mean of the heads' attention and half the identity, which stands for the residual connection. n x n for text `text`
/// of the pass, rows being outputs and columns inputs; rows sum to 1. `layers` stops after so many, 0 takes all of
/// them. Errors: input (`output` was computed without ForwardOptions::attentions, no such text, more layers than there
/// are).
Matrix attention_rollout(const ModelOutput<float>& output, Index heads, Index text = 0, std::size_t layers = 0);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/explain/attention_rollout.ipp>
#endif
