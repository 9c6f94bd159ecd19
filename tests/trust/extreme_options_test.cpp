// Every number among the options of every call, at 0, 1 and the largest there is: the call works or throws a
// bert::Error, in usual time and memory, and leaves no other exception to the caller.
#include "models.hpp"

#include <bert/bert.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using bert_test::GoldenFolder;
using bert_test::TempFolder;

const std::string some_text = "The cat [MASK] on the mat. A dog runs fast. Who sat on it?";
const std::vector<std::string> some_texts = {some_text, "", "A dog runs."};

/// Calls call(value) with extreme values of type T.
template <class T, class Call>
void with_extremes(const char* option, const Call& call) {
    using Limits = std::numeric_limits<T>;
    std::vector<T> values = {0, 1, 2, 7, Limits::max() / 2, Limits::max() - 1, Limits::max()};
    if (Limits::is_signed) values.insert(values.end(), {static_cast<T>(-1), Limits::lowest()});
    for (const T value : values) {
        SCOPED_TRACE(std::string(option) + " " + std::to_string(value));
        try {
            call(value);
        } catch (const bert::Error&) {
        } catch (const std::exception& error) {
            ADD_FAILURE() << "no bert::Error: " << error.what();
        }
    }
}

template <class T>
T number_of(const std::optional<T>&) {
    return {};
}
template <class T>
T number_of(const T&) {
    return {};
}

/// call(options) with a member of the options at each extreme.
template <class Options, class Member, class Call>
void with_extremes_of(const char* name, Member Options::*member, const Call& call) {
    with_extremes<decltype(number_of(Options().*member))>(name, [&](auto value) {
        Options options;
        options.*member = value;
        call(options);
    });
}
#define EXTREMES(Options, member, call) \
    with_extremes_of(#Options "::" #member, &bert::Options::member, [&](const bert::Options& options) { (void)(call); })

TEST(ExtremeOptions, OfEncoding) {
    const GoldenFolder folder("models/sentence/transformer");
    const auto tokenizer = bert::Tokenizer::load(folder.path());
    for (const bool overflowing : {false, true}) {
        const auto encode = [&](bert::EncodeOptions options) {
            options.overflowing = overflowing;
            if (!options.max_length) options.max_length = 9;
            (void)tokenizer.encode(some_text, options);
            bert::TokenIds ids;
            tokenizer.encode_ids(some_text, options, ids);
            return tokenizer.encode(some_text, some_text, options).size();
        };
        EXTREMES(EncodeOptions, max_length, encode(options));
        EXTREMES(EncodeOptions, stride, encode(options));
        EXTREMES(EncodeOptions, pad_to, encode(options));
    }
}

TEST(ExtremeOptions, OfSentenceEncoders) {
    const TempFolder folder;
    bert_test::assemble_sentence_model("mean_normalize_without_folder", folder.path());
    EXTREMES(SentenceEncoderOptions, max_seq_length, bert::SentenceEncoder(folder.path(), options).encode(some_texts));
    EXTREMES(SentenceEncoderOptions, truncate_dim, bert::SentenceEncoder(folder.path(), options).encode(some_texts));
    const auto encoder = std::make_shared<const bert::SentenceEncoder>(folder.path());
    EXTREMES(EmbedOptions, token_budget, encoder->encode(some_texts, options));
    const bert::Summarizer summarizer(encoder);
    EXTREMES(SummaryOptions, sentences, summarizer.summarize(some_text, options));
    EXTREMES(SummaryOptions, min_tokens, summarizer.summarize(some_text, options));
    const bert::KeywordExtractor extractor(encoder);
    using bert::KeywordDiversity;
    for (const auto method : {KeywordDiversity::none, KeywordDiversity::mmr, KeywordDiversity::max_sum}) {
        const auto extract = [&](bert::KeywordOptions options) {
            options.method = method;
            return extractor.extract(some_text, options);
        };
        EXTREMES(KeywordOptions, top_n, extract(options));
        EXTREMES(KeywordOptions, min_ngram, extract(options));
        EXTREMES(KeywordOptions, max_ngram, extract(options));
        EXTREMES(KeywordOptions, candidates, extract(options));
    }
}

TEST(ExtremeOptions, OfRetrieval) {
    const bert::Matrix rows = bert::Matrix::Random(9, 16);
    EXTREMES(SemanticSearchOptions, top_k, bert::semantic_search(rows, rows, options));
    EXTREMES(ParaphraseMiningOptions, top_k, bert::paraphrase_mining(rows, options));
    EXTREMES(ParaphraseMiningOptions, max_pairs, bert::paraphrase_mining(rows, options));
    EXTREMES(CommunityOptions, min_community_size, bert::community_detection(rows, options));
    EXTREMES(LexRankOptions, max_iterations, bert::lexrank(rows, options));
    const bert::Matrix ranges = bert::quantization_ranges(rows);
    const auto codes = bert::quantize_int8(rows, ranges);
    const auto bits = bert::quantize_ubinary(rows);
    EXTREMES(QuantizedSearchOptions, top_k, bert::semantic_search_int8(rows, codes, ranges, options));
    EXTREMES(QuantizedSearchOptions, top_k, bert::semantic_search_ubinary(rows, bits, options));
    EXTREMES(QuantizedSearchOptions, rescore_multiplier, bert::semantic_search_int8(rows, codes, ranges, options));
    EXTREMES(QuantizedSearchOptions, rescore_multiplier, bert::semantic_search_ubinary(rows, bits, options));
    with_extremes<bert::Index>("components", [&](bert::Index value) { (void)bert::principal_components(rows, value); });
}

TEST(ExtremeOptions, OfHeads) {
    const GoldenFolder masked("heads/masked_lm");
    EXTREMES(TaskOptions, max_length, bert::FillMask(masked.path(), options).fill(some_text));
    EXTREMES(TaskOptions, token_budget, bert::FillMask(masked.path(), options).fill(some_text));
    const bert::FillMask fill_mask(masked.path());
    EXTREMES(FillMaskOptions, top_k, fill_mask.fill(some_text, options));
    const GoldenFolder answering("heads/question_answering");
    const bert::QuestionAnswering question_answering(answering.path());
    EXTREMES(AnswerOptions, top_k, question_answering.answer("Who?", some_text, options));
    EXTREMES(AnswerOptions, max_answer_len, question_answering.answer("Who?", some_text, options));
    EXTREMES(AnswerOptions, max_length, question_answering.answer("Who?", some_text, options));
    EXTREMES(AnswerOptions, doc_stride, question_answering.answer("Who?", some_text, options));
    const GoldenFolder classifier("heads/classifier");
    const bert::TextClassifier text_classifier(classifier.path());
    EXTREMES(ClassifyOptions, top_k, text_classifier.classify(some_text, options));
    const GoldenFolder tokens("heads/token_classifier");
    const bert::TokenClassifier token_classifier(tokens.path());
    EXTREMES(EntityOptions, stride, token_classifier.classify(some_text, options));
    const GoldenFolder cross("heads/single_label", "heads/cross_encoder");
    const bert::Reranker reranker(cross.path());
    EXTREMES(RerankOptions, top_k, reranker.rank(some_text, some_texts, options));
    const GoldenFolder sparse("heads/masked_lm", "heads/sparse_sum");
    const bert::Splade splade(sparse.path());
    EXTREMES(SpladeOptions, max_active_dims, splade.encode_document(some_texts, options));
}

TEST(ExtremeOptions, OfGeneration) {
    const GoldenFolder folder("decoders/causal_lm");
    const bert::CausalLM model(folder.path());
    const auto generate = [&](bert::GenerationOptions options, bool sample = false) {
        if (!options.max_length && !options.max_new_tokens) options.max_new_tokens = 4;
        options.do_sample = sample;
        return model.generate({"The cat"}, options).size();
    };
    using Options = bert::GenerationOptions;
    for (auto member : {&Options::max_length, &Options::max_new_tokens, &Options::min_length, &Options::min_new_tokens,
                        &Options::num_beams, &Options::num_return_sequences, &Options::no_repeat_ngram_size}) {
        with_extremes<bert::Index>("a length or number of generation", [&](bert::Index value) {
            Options options;
            options.*member = value;
            generate(options);
        });
    }
    with_extremes<bert::Index>("top_k", [&](bert::Index value) {
        Options options;
        options.top_k = value;
        generate(options, true);
    });
    with_extremes<std::size_t>("token_budget", [&](std::size_t value) {
        Options options;
        options.token_budget = value;
        generate(options);
    });
    for (auto member : {&Options::bos_token_id, &Options::pad_token_id, &Options::forced_bos_token_id}) {
        with_extremes<std::int32_t>("a token id", [&](std::int32_t value) {
            Options options;
            options.*member = value;
            generate(options);
        });
    }
    constexpr double infinite = std::numeric_limits<double>::infinity();
    for (const double value : {0.0, -1.0, 1e-300, 1e300, infinite, std::numeric_limits<double>::quiet_NaN()}) {
        for (auto member : {&Options::temperature, &Options::top_p, &Options::min_p, &Options::repetition_penalty,
                            &Options::length_penalty}) {
            SCOPED_TRACE(value);
            Options options;
            options.*member = value;
            for (const bert::Index beams : {1, 2}) {
                options.num_beams = beams;
                try {
                    generate(options, true);
                } catch (const bert::Error&) {
                } catch (const std::exception& error) {
                    ADD_FAILURE() << "no bert::Error: " << error.what();
                }
            }
        }
    }
}

}  // namespace
