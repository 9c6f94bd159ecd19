// A decoder as generate() wants it: one step after another, with the caches of the sequences that go on. Depends on
// core, model and tasks/token_search.
#pragma once

#include <bert/core/buffer.hpp>
#include <bert/core/matrix.hpp>
#include <bert/model/any_decoder_model.hpp>
#include <bert/tasks/token_search.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The steps of one call of generate(). Not for several threads.
class DecoderSteps {
public:
    /// Makes what the cross attention of these prompts looks at, in their order.
    using ReadSources = std::function<std::vector<KeyValueCache<float>>(const std::vector<std::size_t>& prompts)>;

    /// read_sources: null for decoders by themselves. The other arguments must outlive this object.
    DecoderSteps(const AnyDecoderModel& model, Workspace& workspace, ReadSources read_sources = nullptr)
        : model_(model), workspace_(workspace), read_sources_(std::move(read_sources)) {}

    /// See generate().
    void step(const std::vector<Continuation>& rows, const Rows<float>& logits) {
        keep_caches_of(rows);
        if (read_sources_) keep_sources_of(rows);
        DecoderBatch<float> batch;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            batch.add(rows[i].tokens.data(), rows[i].tokens.size(), caches_[i],
                      read_sources_ ? &sources_.at(rows[i].prompt) : nullptr);
        }
        const Workspace::Frame frame(workspace_);
        const Index hidden = model_.config().hidden_size;
        const auto matrix = [&](Index height) {
            float* const memory = workspace_.take<float>(static_cast<std::size_t>(height * hidden));
            return Eigen::Map<Matrix>(memory, height, hidden);
        };
        Eigen::Map<Matrix> x = matrix(batch.texts.tokens());
        model_.forward(batch, x, workspace_);
        Eigen::Map<Matrix> last = matrix(batch.texts.texts());
        for (Index i = 0; i < last.rows(); ++i) {
            last.row(i) = x.row(batch.texts.offsets[static_cast<std::size_t>(i) + 1] - 1);
        }
        model_.logits(last, logits, workspace_);
    }

private:
    /// Gives every row the cache of its parent: the last child takes it over, others copy it.
    void keep_caches_of(const std::vector<Continuation>& rows) {
        std::vector<std::size_t> children(caches_.size());
        for (const Continuation& row : rows) {
            if (row.parent != Continuation::no_parent) ++children[row.parent];
        }
        std::vector<KeyValueCache<float>> next;
        next.reserve(rows.size());
        for (const Continuation& row : rows) {
            if (row.parent == Continuation::no_parent) next.push_back(model_.make_cache(row.max_tokens));
            else if (--children[row.parent] == 0) next.push_back(std::move(caches_[row.parent]));
            else next.push_back(caches_[row.parent]);
        }
        caches_ = std::move(next);
    }

    void keep_sources_of(const std::vector<Continuation>& rows) {
        std::map<std::size_t, KeyValueCache<float>> kept;
        std::vector<std::size_t> missing;
        for (const Continuation& row : rows) {
            const auto known = sources_.find(row.prompt);
            if (known != sources_.end()) kept.insert(sources_.extract(known));
            else if (kept.count(row.prompt) == 0 && (missing.empty() || missing.back() != row.prompt)) {
                missing.push_back(row.prompt);
            }
        }
        sources_ = std::move(kept);
        if (missing.empty()) return;
        std::vector<KeyValueCache<float>> made = read_sources_(missing);
        for (std::size_t i = 0; i < missing.size(); ++i) sources_.emplace(missing[i], std::move(made[i]));
    }

    const AnyDecoderModel& model_;
    Workspace& workspace_;
    ReadSources read_sources_;
    std::vector<KeyValueCache<float>> caches_;             // of the rows of the last step
    std::map<std::size_t, KeyValueCache<float>> sources_;  // by prompt
};

}  // namespace detail

BERT_NAMESPACE_END
