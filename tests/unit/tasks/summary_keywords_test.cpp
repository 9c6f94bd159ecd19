// Centrality, diversity, summaries and keywords: against networkx, scikit-learn and by hand.
#include "../test_support.hpp"

#include <bert/tasks/diversity.hpp>
#include <bert/tasks/keywords.hpp>
#include <bert/tasks/summarizer.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;
using bert::Matrix;
using bert::Vector;

const Golden& golden() {
    static const Golden data(data_dir() / "retrieval" / "expected.safetensors");
    return data;
}

TEST(LexRank, EqualsPageRankOfSimilarities) {
    const auto rows = golden().matrix<float>("lexrank.embeddings");
    const auto check = [&](const std::string& name, const bert::LexRankOptions& options) {
        const auto expected = golden().values<double>("lexrank." + name);
        const Vector<double> ranks = bert::lexrank(rows, options);
        const double worst = max_difference(ranks, Eigen::Map<const Vector<double>>(expected.data(), rows.rows()));
        report_worst(name, worst);
        EXPECT_LE(worst, 1e-8) << name;
    };
    check("default", {});
    check("threshold", {0.85, 0.2f, 1e-9, 1000});
    check("damping", {0.5, 0, 1e-9, 1000});
}

TEST(LexRank, OfFewTexts) {
    EXPECT_EQ(bert::lexrank(Matrix(0, 4)).size(), 0);
    EXPECT_DOUBLE_EQ(bert::lexrank(Matrix::Ones(1, 4))(0), 1.0);
    EXPECT_NEAR(bert::lexrank(Matrix::Zero(2, 4))(1), 0.5, 1e-12);
    expect_error(ErrorKind::input, {"damping"}, [] { (void)bert::lexrank(Matrix::Ones(2, 2), {1.0, 0, 1e-9, 10}); });
    expect_error(ErrorKind::input, {"tolerance"}, [] { (void)bert::lexrank(Matrix::Ones(2, 2), {0.5, 0, 0, 10}); });
    Matrix broken = Matrix::Ones(2, 2);
    broken(1, 0) = std::numeric_limits<float>::quiet_NaN();
    expect_error(ErrorKind::input, {"row 1"}, [&] { (void)bert::lexrank(broken); });
}

Vector<double> relevance() {
    return bert::similarity(golden().matrix<float>("diversity.text"), golden().matrix<float>("diversity.embeddings"))
        .row(0)
        .transpose()
        .cast<double>();
}

TEST(Diversity, ChoosesAsKeyBertDoes) {
    const auto rows = golden().matrix<float>("diversity.embeddings");
    for (const auto& [name, weight] : {std::pair{"0.0", 0.0}, {"0.3", 0.3}, {"0.7", 0.7}, {"1.0", 1.0}}) {
        EXPECT_EQ(bert::maximal_marginal_relevance(relevance(), rows, 6, weight),
                  golden().values<Index>(std::string("diversity.mmr.") + name));
    }
    EXPECT_EQ(bert::max_sum_distance(relevance(), rows, 4, 10), golden().values<Index>("diversity.max_sum"));
}

TEST(Diversity, OfFewAndBadItems) {
    const auto rows = golden().matrix<float>("diversity.embeddings");
    EXPECT_EQ(bert::maximal_marginal_relevance(relevance(), rows, 1000, 0.5).size(),
              static_cast<std::size_t>(rows.rows()));
    EXPECT_TRUE(bert::maximal_marginal_relevance(relevance(), rows, 0, 0.5).empty());
    EXPECT_TRUE(bert::maximal_marginal_relevance({}, Matrix(0, 3), 2, 0.5).empty());
    EXPECT_EQ(bert::max_sum_distance(relevance(), rows, 100, 100).size(), static_cast<std::size_t>(rows.rows()));
    EXPECT_TRUE(bert::max_sum_distance(relevance(), rows, 0, 5).empty());
    for (const double weight : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
        expect_error(ErrorKind::input, {"diversity"},
                     [&] { (void)bert::maximal_marginal_relevance(relevance(), rows, 2, weight); });
    }
    expect_error(ErrorKind::input, {"5", "4"}, [&] { (void)bert::max_sum_distance(relevance(), rows, 5, 4); });
    expect_error(ErrorKind::input, {"combinations"}, [&] { (void)bert::max_sum_distance(relevance(), rows, 16, 32); });
    expect_error(ErrorKind::shape, {"31", "32"},
                 [&] { (void)bert::maximal_marginal_relevance(relevance().head(31), rows, 2, 0.5); });
}

TEST(KeywordCandidates, EqualScikitLearn) {
    for (const auto& entry : read_json(data_dir() / "retrieval" / "keywords.json")) {
        bert::KeywordOptions options;
        options.min_ngram = entry["ngrams"][0].get<std::size_t>();
        options.max_ngram = entry["ngrams"][1].get<std::size_t>();
        options.stop_words = entry["stop_words"].get<std::vector<std::string>>();
        std::vector<std::string> names;
        for (const auto& candidate : bert::keyword_candidates(entry["text"].get<std::string>(), options)) {
            EXPECT_FALSE(candidate.spans.empty());
            names.push_back(candidate.text);
        }
        EXPECT_EQ(names, entry["candidates"].get<std::vector<std::string>>()) << entry["text"];
    }
}

TEST(KeywordCandidates, HaveOffsetsOfEveryOccurrence) {
    bert::KeywordOptions options;
    options.max_ngram = 2;
    const std::string text = "\xFF \u00c9t\u00e9 of the Sun, sun.";
    std::vector<std::string> found;
    for (const auto& candidate : bert::keyword_candidates(text, options)) {
        std::string line = candidate.text + ":";
        for (const bert::Span& span : candidate.spans) line += text.substr(span.begin, span.end - span.begin) + ";";
        found.push_back(line);
    }
    EXPECT_EQ(found, (std::vector<std::string>{"sun:Sun;sun;", "sun sun:Sun, sun;", "\u00e9t\u00e9:\u00c9t\u00e9;",
                                               "\u00e9t\u00e9 sun:\u00c9t\u00e9 of the Sun;"}));
    EXPECT_EQ(bert::keyword_candidates("\u039f\u0394\u039f\u03a3", {}).at(0).text, "\u03bf\u03b4\u03bf\u03c2");
    options.min_ngram = 3;
    expect_error(ErrorKind::input, {"3 to 2"}, [&] { (void)bert::keyword_candidates("a", options); });
    options.min_ngram = 0;
    expect_error(ErrorKind::input, {"0 to 2"}, [&] { (void)bert::keyword_candidates("a", options); });
}

TEST(Keywords, AreOrderedByTheirScore) {
    const auto rows = golden().matrix<float>("diversity.embeddings");
    const auto text = golden().matrix<float>("diversity.text");
    const Vector<double> scores = relevance();
    for (const auto method :
         {bert::KeywordDiversity::none, bert::KeywordDiversity::mmr, bert::KeywordDiversity::max_sum}) {
        bert::KeywordOptions options;
        options.method = method;
        const auto chosen = bert::choose_keywords(text, rows, options);
        ASSERT_EQ(chosen.size(), 5u);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(chosen[i].second), scores(chosen[i].first), 1e-6);
            EXPECT_GE(chosen[i == 0 ? 0 : i - 1].second, chosen[i].second);
        }
    }
    expect_error(ErrorKind::shape, {"2 embeddings of one"},
                 [&] { (void)bert::choose_keywords(rows.topRows(2), rows); });
}

/// A tiny sentence-transformers folder with random weights.
std::shared_ptr<const bert::SentenceEncoder> tiny_encoder() {
    static const TempFolder folder;
    assemble_sentence_model("mean_normalize_without_folder", folder.path());
    bert::SentenceEncoderOptions options;
    options.threads = 2;
    return std::make_shared<const bert::SentenceEncoder>(folder.path(), options);
}

const std::string story =
    "The dog sat on the mat. The cat ran to the dog.\n\nA bird sang. The dog sat on the mat! Then the sun set, and "
    "all was still.";

TEST(Summarizer, ReturnsSentencesInOrderWithOffsets) {
    const bert::Summary summary = bert::Summarizer(tiny_encoder()).summarize(story);
    EXPECT_EQ(summary.total_sentences, 5u);
    ASSERT_EQ(summary.sentences.size(), 3u);
    std::size_t end = 0;
    for (const auto& sentence : summary.sentences) {
        EXPECT_GE(sentence.span.begin, end);
        EXPECT_EQ(story.substr(sentence.span.begin, sentence.span.end - sentence.span.begin), sentence.text);
        EXPECT_GT(sentence.centrality, 0);
        end = sentence.span.end;
    }
    EXPECT_EQ(summary.text().find("  "), std::string::npos);
}

TEST(Summarizer, FollowsItsOptions) {
    const bert::Summarizer summarizer(tiny_encoder());
    bert::SummaryOptions options;
    options.sentences = 100;
    EXPECT_EQ(summarizer.summarize(story, options).sentences.size(), 5u);
    options.min_tokens = summarizer.encoder().embed({"A bird sang."}).texts[0].tokens + 1;
    for (const auto& sentence : summarizer.summarize(story, options).sentences) EXPECT_NE(sentence.index, 2u);
    options.min_tokens = 1000;
    EXPECT_TRUE(summarizer.summarize(story, options).sentences.empty());
    options = {};
    options.ratio = 0.4;
    EXPECT_EQ(summarizer.summarize(story, options).sentences.size(), 2u);
    options.ratio = 0.01;
    EXPECT_EQ(summarizer.summarize(story, options).sentences.size(), 1u);
    EXPECT_TRUE(summarizer.summarize(" \n ", options).sentences.empty());
    EXPECT_TRUE(summarizer.summarize("").sentences.empty());
    for (const double ratio : {0.0, -1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
        options.ratio = ratio;
        expect_error(ErrorKind::input, {"ratio"}, [&] { (void)summarizer.summarize(story, options); });
    }
    options = {};
    options.diversity = 2;
    expect_error(ErrorKind::input, {"diversity"}, [&] { (void)summarizer.summarize("", options); });
    expect_error(ErrorKind::input, {"null"}, [] { bert::Summarizer(std::shared_ptr<const bert::SentenceEncoder>()); });
    expect_error(ErrorKind::file, {"nowhere"}, [] { bert::Summarizer("nowhere"); });
}

TEST(Summarizer, ServesSeveralThreads) {
    const auto encoder = tiny_encoder();
    const bert::Summarizer summarizer(encoder);
    const bert::KeywordExtractor extractor(encoder);
    const std::string summary = summarizer.summarize(story).text();
    const std::string keyword = extractor.extract(story).keywords.at(0).text;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            EXPECT_EQ(summarizer.summarize(story).text(), summary);
            EXPECT_EQ(extractor.extract(story).keywords.at(0).text, keyword);
        });
    }
    for (auto& thread : threads) thread.join();
}

TEST(KeywordExtractor, ScoresPhrasesByTheirCosineWithTheText) {
    const auto encoder = tiny_encoder();
    const bert::KeywordExtractor extractor(encoder);
    bert::KeywordOptions options;
    options.max_ngram = 2;
    options.top_n = 1000;
    const auto result = extractor.extract(story, options);
    EXPECT_EQ(result.keywords.size(), bert::keyword_candidates(story, options).size());
    const Matrix text = encoder->encode({story});
    for (const auto& keyword : result.keywords) {
        EXPECT_EQ(keyword.score, bert::similarity(text, encoder->encode({keyword.text}))(0, 0)) << keyword.text;
    }
    EXPECT_TRUE(extractor.extract("").keywords.empty());
    EXPECT_TRUE(extractor.extract(" the of \n").keywords.empty());
    std::string many = story;
    for (int i = 0; i < 100; ++i) many += " " + story;
    EXPECT_TRUE(extractor.extract(many).truncated);
    EXPECT_FALSE(extractor.extract("the dog sat").truncated);
}

}  // namespace
