// Whole tiny models, one for each type of weights, on batches of any ids, types, masks and offsets: a named error, or
// finite numbers that are the same bits for each text alone and on several threads.
#include "fuzz.hpp"

#include <bert/core/buffer.hpp>
#include <bert/core/thread_pool.hpp>
#include <bert/model/any_bert_model.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using bert::Index;
using bert_fuzz::Input;
using bert_fuzz::require;

const std::vector<bert::AnyBertModel>& models() {
    static const std::vector<bert::AnyBertModel> all = [] {
        const auto folder = bert_fuzz::fs::path(BERT_TEST_DATA_DIR) / "models" / "bert" / "base";
        std::vector<bert::AnyBertModel> result;
        for (const auto type : {bert::WeightType::float32, bert::WeightType::bfloat16, bert::WeightType::int8}) {
            result.push_back(bert::AnyBertModel::load(folder, type));
        }
        return result;
    }();
    return all;
}

/// Mostly batches that a model can take; now and then anything at all.
bert::Batch read_batch(Input& input, const bert::ModelConfig& config) {
    bert::Batch batch;
    const bool masked = input.flag();
    for (std::size_t texts = input.below(5); texts > 0; --texts) {
        std::vector<std::int32_t> ids, types;
        for (std::size_t tokens = input.below(45); tokens > 0; --tokens) {
            ids.push_back(static_cast<std::int32_t>(input.below(static_cast<std::size_t>(config.vocab_size))));
            types.push_back(static_cast<std::int32_t>(input.below(static_cast<std::size_t>(config.type_vocab_size))));
        }
        batch.add(ids.data(), types.data(), ids.size());
    }
    if (masked) {
        for (std::size_t i = 0; i < batch.ids.size(); ++i) batch.attention_mask.push_back(input.byte() % 3);
    }
    for (std::size_t changes = input.below(4); changes > 0 && !batch.ids.empty(); --changes) {
        const auto anything = static_cast<std::int32_t>(static_cast<std::uint32_t>(input.byte()) << 24 |
                                                        static_cast<std::uint32_t>(input.byte()));
        const std::size_t at = input.below(batch.ids.size());
        switch (input.below(6)) {
            case 0: batch.ids[at] = anything; break;
            case 1: batch.type_ids[at] = anything; break;
            case 2: batch.offsets[at % batch.offsets.size()] = anything; break;
            case 3: batch.offsets.push_back(anything); break;
            case 4: batch.type_ids.pop_back(); return batch;
            default: batch.attention_mask.resize(at); break;
        }
    }
    return batch;
}

bool same_bits(const bert::Matrix& a, const bert::Matrix& b) {
    return a.rows() == b.rows() && a.cols() == b.cols() &&
           std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

void check(const bert::AnyBertModel& model, const bert::Batch& batch) {
    static bert::ThreadPool threads(3);
    static bert::Workspace workspace(&threads);
    bert::ForwardOptions options;
    options.pooler_output = true;
    const auto output = model.forward(batch, workspace, options);
    require(output.last_hidden_state.allFinite() && output.pooler_output.allFinite(), "results are finite");
    for (Index text = 0; text < batch.texts(); ++text) {
        const Index begin = batch.offsets[static_cast<std::size_t>(text)];
        const Index length = batch.length(text);
        bert::Batch alone;
        alone.add(batch.ids.data() + begin, batch.type_ids.data() + begin, static_cast<std::size_t>(length));
        if (!batch.attention_mask.empty()) {
            alone.attention_mask.assign(batch.attention_mask.begin() + begin,
                                        batch.attention_mask.begin() + begin + length);
        }
        const bert::Matrix expected = output.last_hidden_state.middleRows(begin, length);
        require(same_bits(model.forward(alone).last_hidden_state, expected), "a text alone gives the same bits");
    }
}

}  // namespace

BERT_FUZZ_TARGET(model) {
    Input input(data, size);
    const bert::AnyBertModel& model = models()[input.below(models().size())];
    const bert::Batch batch = read_batch(input, model.config());
    bert_fuzz::succeeds([&] { check(model, batch); });
}
