// What an encoder gives a head to work with: one row per text, or per word. Depends on tasks/task_model and
// io/training_file.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/training_file.hpp>
#include <bert/tasks/task_model.hpp>
#include <bert/text/encode_options.hpp>
#include <bert/text/encoding.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Features of examples: the input of a head.
struct HeadFeatures {
    Matrix rows;                        ///< rows x hidden
    std::vector<std::size_t> examples;  ///< for each row, the example it belongs to
    std::vector<std::size_t> words;     ///< for each row of a token head, the word of that example; else empty
    std::size_t truncated = 0;          ///< examples of which tokens were cut off
};

/// The features of frozen encoders: the last hidden state of [CLS] of each text or pair. Texts are cut to
/// TaskModel::max_length(). Errors: as Tokenizer::encode().
inline HeadFeatures text_features(const TaskModel& model, const std::vector<TrainingExample>& examples) {
    HeadFeatures features;
    features.rows.resize(static_cast<Index>(examples.size()), model.config().hidden_size);
    TaskRun run(model, [&](const TaskStep& step) {
        for (Index i = 0; i < step.batch.texts(); ++i) {
            features.rows.row(static_cast<Index>(step.first) + i) = step.rows(i).row(0);
        }
    });
    EncodeOptions options;
    options.max_length = model.max_length();
    TokenIds ids;
    for (std::size_t i = 0; i < examples.size(); ++i) {
        const TrainingExample& example = examples[i];
        if (example.pair) model.tokenizer().encode_ids(example.text, *example.pair, options, ids);
        else model.tokenizer().encode_ids(example.text, options, ids);
        features.truncated += ids.truncated;
        features.examples.push_back(i);
        run.add(ids);
        if (run.full()) run.compute();
    }
    run.compute();
    return features;
}

/// The same for words: the last hidden state of the first token of each word, the words of an example being joined by
/// spaces. Words without tokens of their own, or behind the cut, have no row.
inline HeadFeatures word_features(const TaskModel& model, const std::vector<TrainingExample>& examples) {
    HeadFeatures features;
    std::vector<std::pair<std::size_t, Index>> places;        // of every row: input, token
    std::vector<std::pair<std::size_t, std::size_t>> inputs;  // the rows that each input has: [first, second)
    features.rows.resize(0, model.config().hidden_size);
    TaskRun run(model, [&](const TaskStep& step) {
        for (Index i = 0; i < step.batch.texts(); ++i) {
            const auto [begin, end] = inputs[step.first + static_cast<std::size_t>(i)];
            if (features.rows.rows() < static_cast<Index>(end)) {
                // Doubled, so that growing costs no more than the rows themselves.
                features.rows.conservativeResize(static_cast<Index>(2 * end), Eigen::NoChange);
            }
            for (std::size_t row = begin; row < end; ++row) {
                features.rows.row(static_cast<Index>(row)) = step.rows(i).row(places[row].second);
            }
        }
    });
    EncodeOptions options;
    options.max_length = model.max_length();
    for (std::size_t i = 0; i < examples.size(); ++i) {
        std::string text;
        std::vector<Span> spans;
        for (const std::string& word : examples[i].words) {
            if (!text.empty()) text += ' ';
            spans.push_back({text.size(), text.size() + word.size()});
            text += word;
        }
        const Encoding encoding = model.tokenizer().encode(text, options);
        features.truncated += encoding.truncated;
        const std::size_t first = places.size();
        std::size_t word = 0;
        for (std::size_t token = 0; token < encoding.size(); ++token) {
            if (encoding.special_tokens_mask[token] != 0) continue;
            const std::size_t begin = encoding.offsets[token].begin;
            while (word < spans.size() && begin >= spans[word].end) ++word;
            if (word == spans.size() || begin < spans[word].begin) continue;
            places.emplace_back(i, static_cast<Index>(token));
            features.examples.push_back(i);
            features.words.push_back(word++);
        }
        inputs.emplace_back(first, places.size());
        run.add(encoding);
        if (run.full()) run.compute();
    }
    run.compute();
    features.rows.conservativeResize(static_cast<Index>(places.size()), Eigen::NoChange);
    return features;
}

BERT_NAMESPACE_END
