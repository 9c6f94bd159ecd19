// Definitions of tasks/explain/attention_rollout.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/explain/attention_rollout.hpp>

BERT_NAMESPACE_BEGIN

BERT_INLINE Matrix attention_rollout(const ModelOutput<float>& output, Index heads, Index text, std::size_t layers) {
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
