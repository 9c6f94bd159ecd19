// How far each token's output depends on each input token, through all layers. Depends on model/bert_model.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/model/bert_model.hpp>

#include <cstddef>

BERT_NAMESPACE_BEGIN

/// Attention rollout (Abnar and Zuidema 2020, https://arxiv.org/abs/2005.00928): the product over layers of half the
/// mean of the heads' attention and half the identity, which stands for the residual connection. n x n for text `text`
/// of the pass, rows being outputs and columns inputs; rows sum to 1. `layers` stops after so many, 0 takes all of
/// them. Errors: input (`output` was computed without ForwardOptions::attentions, no such text, more layers than there
/// are).
inline Matrix attention_rollout(const ModelOutput<float>& output, Index heads, Index text = 0, std::size_t layers = 0) {
    const auto& attentions = output.attentions;
    if (attentions.empty()) {
        detail::fail(ErrorKind::input, "attention_rollout: ForwardOptions::attentions was not asked for");
    }
    if (layers > attentions.size()) {
        detail::fail(ErrorKind::input, "attention_rollout: ", layers, " layers of a model with ", attentions.size());
    }
    const auto texts = heads < 1 ? 0 : static_cast<Index>(attentions.front().size()) / heads;
    if (text < 0 || text >= texts) {
        detail::fail(ErrorKind::input, "attention_rollout: text ", text, " of a pass over ", texts);
    }
    RowMatrix<double> rollout;
    for (std::size_t layer = 0; layer < (layers == 0 ? attentions.size() : layers); ++layer) {
        const auto first = static_cast<std::size_t>(text * heads);
        const Index n = attentions[layer][first].rows();
        RowMatrix<double> mixed = RowMatrix<double>::Zero(n, n);
        for (Index head = 0; head < heads; ++head) {
            mixed += attentions[layer][first + static_cast<std::size_t>(head)].cast<double>();
        }
        mixed *= 0.5 / static_cast<double>(heads);
        mixed.diagonal().array() += 0.5;
        rollout = layer == 0 ? mixed : RowMatrix<double>(mixed * rollout);
    }
    return rollout.cast<float>();
}

BERT_NAMESPACE_END
