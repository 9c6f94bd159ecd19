// Definitions of tasks/verify.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/sentence_config.hpp>
#include <bert/io/verification.hpp>
#include <bert/model/task_heads.hpp>
#include <bert/tasks/verification.hpp>
#include <bert/tasks/verify.hpp>

#include <chrono>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE const std::vector<std::string>& verification_texts() {
    static const std::vector<std::string> texts{
        "A cat sat down.", "How much did its shares lose in 2023? About 12.5%, says the report (page 7).",
        "\xC3\x9C"
        "ber na\xC3\xAFve caf\xC3\xA9s: \xE6\x9D\xB1\xE4\xBA\xAC is the capital of Japan, isn't it?",
        "The bank of the river was flooded after three days of rain, and the bank in the village stayed closed. Words "
        "take their meaning from the words around them, on both sides: that is what a bidirectional encoder reads off "
        "a sentence, layer by layer, until every token stands for itself and for the company it keeps."};
    return texts;
}

BERT_INLINE SentenceEncoder open_for_verification(const ModelPath& model, const SentenceEncoderOptions& options) {
    check_folder(model);
    if (!fits_modules(model, Task::sentence_embedding)) {
        SentenceConfig config;
        config.transformer_folder = transformer_folder(model);
        return SentenceEncoder(std::move(config), options);
    }
    return SentenceEncoder(model, options);
}

}  // namespace detail

BERT_INLINE VerificationReport verify(const ModelPath& model, const VerifyOptions& options) {
    using Clock = std::chrono::steady_clock;
    const auto seconds_since = [](Clock::time_point start) {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    std::optional<Verification> carried;
    if (model.archive()) {
        const ModelArchive& archive = *model.archive();
        carried = load_verification(archive);
        if (!archive.checksum.empty() && archive.checksum != detail::checksum_of_tensors(archive.path)) {
            detail::fail(ErrorKind::format, archive.path, ": the weights are not those that were written: checksum ",
                         archive.checksum, " expected");
        }
    }
    const auto& texts = carried ? carried->texts : detail::verification_texts();

    SentenceEncoderOptions encoder_options;
    encoder_options.weights = options.weights;
    encoder_options.threads = options.threads;
    encoder_options.load = options.load;
    const auto start = Clock::now();
    const ModelPath opened = model.archive() ? ModelPath(model.archive()->path) : model;
    const SentenceEncoder encoder = detail::open_for_verification(opened, encoder_options);
    (void)encoder.encode({texts.front()});
    VerificationReport report;
    report.seconds_to_first_vector = seconds_since(start);
    report.texts = texts.size();
    report.weights = encoder.model().weights();
    report.kernels = choose_kernels<float>(options.load.kernels).name;
    report.threads = encoder.threads();
    report.tolerance =
        detail::tolerance_of(report.weights, carried ? choose_weights(std::nullopt, model) : report.weights);

    if (carried) {
        const SentenceEmbeddings given = encoder.embed(texts);
        report.deviation = detail::deviation_of(given.embeddings, carried->expected);
        if (carried->original.cols() == given.embeddings.cols()) {
            report.original_cosine =
                similarity(given.embeddings, carried->original, Similarity::cosine).diagonal().minCoeff();
        }
    } else {
        report.reference = VerificationReport::Reference::plain;
        EncodeOptions limit;
        limit.max_length = encoder.max_seq_length();
        const auto encodings = encoder.tokenizer().encode_batch(texts, limit);
        const ModelPath& folder = encoder.config().transformer_folder;
        LoadOptions plain = options.load;
        plain.kernels = "scalar";
        const Matrix expected =
            report.weights == WeightType::float32
                ? detail::mean_hidden_states(BertModel<double>::load(folder, options.load), encodings)
                : detail::mean_hidden_states(AnyBertModel::load(folder, report.weights, plain), encodings);
        report.deviation = detail::deviation_of(detail::mean_hidden_states(encoder.model(), encodings), expected);
    }
    report.passed = report.deviation <= report.tolerance;

    constexpr double measured_seconds = 0.3;
    std::size_t tokens = 0;
    const auto begin = Clock::now();
    do {
        report.tokens = 0;
        for (const TextInfo& text : encoder.embed(texts).texts) report.tokens += text.tokens;
        tokens += report.tokens;
    } while (seconds_since(begin) < measured_seconds);
    report.tokens_per_second = static_cast<double>(tokens) / seconds_since(begin);
    return report;
}

BERT_NAMESPACE_END
