// Definitions of tasks/convert.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/converted_model.hpp>
#include <bert/io/decoder_config.hpp>
#include <bert/io/verification.hpp>
#include <bert/model/convert.hpp>
#include <bert/tasks/causal_lm.hpp>
#include <bert/tasks/convert.hpp>
#include <bert/tasks/sentence_encoder.hpp>
#include <bert/tasks/seq2seq.hpp>
#include <bert/tasks/verification.hpp>
#include <bert/tasks/verify.hpp>

#include <random>
#include <string>
#include <system_error>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE TemporaryFile::~TemporaryFile() {
    std::error_code ec;
    std::filesystem::remove(path, ec);
}

/// Opens a model that cannot embed texts, to see whether it can be opened: one that generates text, or one without a
/// tokenizer. False for others. Errors: those of opening it.
BERT_INLINE bool open_without_embeddings(const ModelPath& model) {
    const auto path = model / "config.json";
    if (is_there(path) && is_encoder_decoder(model)) {
        (void)Seq2Seq(model);
    } else if (is_there(path) && is_decoder(model)) {
        (void)CausalLM(model);
    } else if (is_there(path) && !is_there(model / "tokenizer.json") && !is_there(model / "vocab.txt")) {
        (void)AnyBertModel::load(model);
    } else {
        return false;
    }
    return true;
}

/// Embeddings of the file's own and of the model it was made from, which have to agree. Errors: those of
/// SentenceEncoder; format (they do not).
BERT_INLINE Verification make_verification(const ModelPath& source, const ModelPath& file) {
    Verification verification;
    verification.texts = verification_texts();
    SentenceEncoderOptions options;
    options.weights = choose_weights(std::nullopt, file);
    verification.expected = open_for_verification(file, options).encode(verification.texts);
    const Matrix same_weights = open_for_verification(source, options).encode(verification.texts);
    const auto carried = source.archive() ? load_verification(*source.archive()) : std::nullopt;
    if (carried && carried->texts == verification.texts) {
        verification.original = carried->original;
    } else {
        options.weights = WeightType::float32;
        verification.original = open_for_verification(source, options).encode(verification.texts);
    }
    // 16-bit floats are the one format that the source is not computed with.
    const double limit = file.archive()->storage == StorageType::float16 ? 0.01 : 1e-6;
    const double deviation = deviation_of(verification.expected, same_weights);
    if (!(deviation <= limit)) {
        fail(ErrorKind::format, file, ": the file that was written gives other embeddings than ", source,
             ": they differ by ", deviation, " of their length");
    }
    return verification;
}

}  // namespace detail

BERT_INLINE void convert_model(const ModelPath& source, const std::filesystem::path& target, StorageType storage) {
    if (target.extension() == ".json" || target.extension() == ".txt") {
        detail::fail(ErrorKind::input, target, ": names ending in .json and .txt are those of tokenizers");
    }
    std::error_code ec;
    if (std::filesystem::equivalent(source, target, ec)) {
        detail::fail(ErrorKind::input, target, ": a model cannot be written over the one it is made from");
    }
    if (detail::open_without_embeddings(source)) {
        write_converted_model(source, target, storage);
        return;
    }
    // A name of its own: of two conversions to one file, neither may verify the draft of the other.
    const detail::TemporaryFile draft(target.string() + ".draft" + std::to_string(std::random_device{}()));
    write_converted_model(source, draft.path, storage);
    const Verification verification = detail::make_verification(source, draft.path);
    write_converted_model(source, target, storage,
                          {{detail::ConvertedNames::verification, detail::to_text(verification)},
                           {detail::ConvertedNames::checksum, detail::checksum_of_tensors(draft.path)}});
}

BERT_NAMESPACE_END
