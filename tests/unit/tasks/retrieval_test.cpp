// Search, paraphrases, communities and quantised embeddings, compared with sentence-transformers.
#include "../test_support.hpp"

#include <bert/tasks/community_detection.hpp>
#include <bert/tasks/embedding_quantization.hpp>
#include <bert/tasks/paraphrase_mining.hpp>
#include <bert/tasks/semantic_search.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::Index;
using bert::Matrix;
using bert::SearchHit;
using bert::Similarity;
using Hits = std::vector<std::vector<SearchHit>>;

const Golden& retrieval_golden() {
    static const Golden data(data_dir() / "retrieval" / "expected.safetensors");
    return data;
}

void expect_hits(const Hits& hits, const std::string& name, double tolerance = 1e-6) {
    const auto ids = retrieval_golden().values<Index>(name + ".ids");
    const auto scores = retrieval_golden().values<double>(name + ".scores");
    const auto columns = static_cast<std::size_t>(retrieval_golden().shape(name + ".ids")[1]);
    ASSERT_EQ(hits.size(), static_cast<std::size_t>(retrieval_golden().shape(name + ".ids")[0]));
    double worst = 0;
    for (std::size_t query = 0; query < hits.size(); ++query) {
        ASSERT_EQ(hits[query].size(), columns);
        for (std::size_t i = 0; i < columns; ++i) {
            EXPECT_EQ(hits[query][i].corpus_id, ids[query * columns + i]) << name << " query " << query << " hit " << i;
            worst = std::max(worst, std::abs(static_cast<double>(hits[query][i].score) - scores[query * columns + i]));
        }
    }
    report_worst(name, worst);
    EXPECT_LE(worst, tolerance);
}

Matrix random_rows(Index rows, Index columns, std::uint32_t seed) {
    Random random(seed);
    const auto values = random.reals(static_cast<std::size_t>(rows * columns), 1.0f);
    return Eigen::Map<const Matrix>(values.data(), rows, columns);
}

TEST(SemanticSearch, EqualsSentenceTransformers) {
    const auto queries = retrieval_golden().matrix<float>("search.queries");
    const auto corpus = retrieval_golden().matrix<float>("search.corpus");
    expect_hits(bert::semantic_search(queries, corpus), "search.cosine");
    expect_hits(bert::semantic_search(queries, corpus, {10, Similarity::dot}), "search.dot", 1e-5);
    expect_hits(bert::semantic_search(queries, corpus, {10, Similarity::euclidean}), "search.euclidean", 1e-5);
    expect_hits(bert::semantic_search(queries, corpus, {10, Similarity::manhattan}), "search.manhattan", 2e-5);
    expect_hits(bert::semantic_search(queries, corpus, {1000, Similarity::cosine}), "search.all");
}

TEST(SemanticSearch, BlocksAndThreadsDoNotChangeResults) {
    const Matrix queries = random_rows(300, 20, 1);
    const Matrix corpus = random_rows(9000, 20, 2);
    bert::ThreadPool threads(3);
    const Hits hits = bert::semantic_search(queries, corpus, {5, Similarity::cosine}, &threads);
    const Hits alone = bert::semantic_search(queries.bottomRows(1), corpus, {5, Similarity::cosine});
    const Matrix cosines = bert::similarity(queries.bottomRows(1), corpus);
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(hits.back()[i].corpus_id, alone[0][i].corpus_id);
        EXPECT_EQ(hits.back()[i].score, alone[0][i].score);
        EXPECT_EQ(hits.back()[i].score, cosines(0, hits.back()[i].corpus_id));
    }
    EXPECT_EQ(alone[0][0].score, cosines.maxCoeff());
}

TEST(SemanticSearch, EqualScoresStandInTheOrderOfTheCorpus) {
    Matrix corpus = Matrix::Ones(5000, 8);
    corpus.row(4500) *= -1;
    const Hits hits = bert::semantic_search(Matrix::Ones(1, 8), corpus, {4, Similarity::cosine});
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(hits[0][i].corpus_id, static_cast<Index>(i));
    const Hits all = bert::semantic_search(Matrix::Ones(1, 8), corpus, {6000, Similarity::dot});
    ASSERT_EQ(all[0].size(), 5000u);
    EXPECT_EQ(all[0][4500].corpus_id, 4501);
    EXPECT_EQ(all[0].back().corpus_id, 4500);
}

TEST(SemanticSearch, OfNothing) {
    EXPECT_TRUE(bert::semantic_search(Matrix(0, 4), random_rows(3, 4, 1)).empty());
    const Hits hits = bert::semantic_search(random_rows(2, 4, 1), Matrix(0, 4));
    ASSERT_EQ(hits.size(), 2u);
    EXPECT_TRUE(hits[0].empty());
    EXPECT_TRUE(bert::semantic_search(random_rows(1, 4, 1), random_rows(3, 4, 1), {0, Similarity::cosine})[0].empty());
}

TEST(SemanticSearch, RefusesBadEmbeddings) {
    Matrix rows = random_rows(4, 6, 3);
    expect_error(ErrorKind::shape, {"6", "5"}, [&] { (void)bert::semantic_search(rows, random_rows(2, 5, 1)); });
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        Matrix broken = rows;
        broken(2, 3) = bad;
        expect_error(ErrorKind::input, {"queries", "row 2"}, [&] { (void)bert::semantic_search(broken, rows); });
        expect_error(ErrorKind::input, {"corpus", "row 2"}, [&] { (void)bert::semantic_search(rows, broken); });
        expect_error(ErrorKind::input, {"row 2"}, [&] { (void)bert::paraphrase_mining(broken); });
        expect_error(ErrorKind::input, {"row 2"}, [&] { (void)bert::community_detection(broken); });
        expect_error(ErrorKind::input, {"row 2"}, [&] { (void)bert::quantize_int8(broken); });
        expect_error(ErrorKind::input, {"row 2"}, [&] { (void)bert::quantize_binary(broken); });
        expect_error(ErrorKind::input, {"row 2"}, [&] { (void)bert::quantization_ranges(broken); });
    }
}

TEST(ParaphraseMining, EqualsSentenceTransformers) {
    const auto rows = retrieval_golden().matrix<float>("paraphrases.embeddings");
    const auto check = [&](const std::string& name, const bert::ParaphraseMiningOptions& options) {
        const auto pairs = retrieval_golden().values<Index>("paraphrases." + name + ".pairs");
        const auto scores = retrieval_golden().values<double>("paraphrases." + name + ".scores");
        const auto found = bert::paraphrase_mining(rows, options);
        ASSERT_EQ(found.size(), scores.size()) << name;
        double worst = 0;
        std::set<std::pair<Index, Index>> mine;
        std::set<std::pair<Index, Index>> theirs;
        for (std::size_t i = 0; i < found.size(); ++i) {
            mine.emplace(found[i].first, found[i].second);
            theirs.emplace(pairs[2 * i], pairs[2 * i + 1]);
            worst = std::max(worst, std::abs(static_cast<double>(found[i].score) - scores[i]));
        }
        EXPECT_EQ(mine, theirs) << name;
        report_worst(name, worst);
        EXPECT_LE(worst, 1e-6) << name;
    };
    check("default", {});
    check("top_3", {3, 500000, Similarity::cosine});
    check("best_50", {100, 50, Similarity::cosine});
    check("both", {2, 20, Similarity::cosine});
}

TEST(ParaphraseMining, KeepsEachPairOnceInOrder) {
    Matrix rows = Matrix::Zero(4, 3);
    rows(0, 0) = rows(1, 0) = rows(2, 0) = rows(3, 1) = 1;
    const auto pairs = bert::paraphrase_mining(rows);
    ASSERT_EQ(pairs.size(), 6u);
    EXPECT_EQ(pairs[0].second, 1);
    EXPECT_EQ(pairs[1].second, 2);
    EXPECT_EQ(pairs[2].first, 1);
    EXPECT_EQ(pairs[2].score, 1.0f);
    EXPECT_EQ(pairs[5].score, 0.0f);
    EXPECT_TRUE(bert::paraphrase_mining(Matrix(0, 3)).empty());
    EXPECT_TRUE(bert::paraphrase_mining(rows, {100, 0, Similarity::cosine}).empty());
    EXPECT_TRUE(bert::paraphrase_mining(rows, {0, 10, Similarity::cosine}).empty());
    EXPECT_TRUE(bert::paraphrase_mining(rows.topRows(1)).empty());
}

TEST(CommunityDetection, EqualsSentenceTransformers) {
    const auto rows = retrieval_golden().matrix<float>("communities.embeddings");
    bert::ThreadPool threads(2);
    const auto check = [&](const std::string& name, const bert::CommunityOptions& options) {
        const auto sizes = retrieval_golden().values<std::size_t>("communities." + name + ".sizes");
        const auto members = retrieval_golden().values<Index>("communities." + name + ".rows");
        const auto found = bert::community_detection(rows, options, &threads);
        ASSERT_EQ(found.size(), sizes.size()) << name;
        std::size_t at = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
            ASSERT_EQ(found[i].size(), sizes[i]) << name << " community " << i;
            for (const Index row : found[i]) EXPECT_EQ(row, members[at++]) << name << " community " << i;
        }
    };
    check("default", {});
    check("small", {0.8f, 2});
    check("one", {0.75f, 1});
    check("loose", {0.3f, 5});
    check("none", {0.75f, 200});
}

TEST(CommunityDetection, OfNothingAndOfOneKind) {
    EXPECT_TRUE(bert::community_detection(Matrix(0, 3)).empty());
    const auto one = bert::community_detection(Matrix::Ones(700, 3));
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one[0].size(), 700u);
    EXPECT_EQ(one[0][0], 0);
    expect_error(ErrorKind::input, {"min_community_size"}, [] {
        (void)bert::community_detection(Matrix::Ones(3, 3), {0.5f, 0});
    });
    expect_error(ErrorKind::input, {"threshold"}, [] {
        (void)bert::community_detection(Matrix::Ones(3, 3), {std::numeric_limits<float>::quiet_NaN(), 1});
    });
}

template <class Code>
void expect_codes(const bert::RowMatrix<Code>& codes, const std::string& name) {
    const auto expected = retrieval_golden().matrix<std::int64_t>(name);
    ASSERT_EQ(codes.rows(), expected.rows()) << name;
    ASSERT_EQ(codes.cols(), expected.cols()) << name;
    EXPECT_EQ((codes.template cast<std::int64_t>() - expected).cwiseAbs().maxCoeff(), 0) << name;
}

TEST(EmbeddingQuantization, EqualsSentenceTransformers) {
    const auto rows = retrieval_golden().matrix<float>("quantized.rows");
    const auto queries = retrieval_golden().matrix<float>("quantized.queries");
    const Matrix ranges = bert::quantization_ranges(rows);
    EXPECT_TRUE(same_bits(ranges, retrieval_golden().matrix<float>("quantized.ranges")));
    expect_codes(bert::quantize_int8(rows), "quantized.int8");
    expect_codes(bert::quantize_uint8(rows), "quantized.uint8");
    expect_codes(bert::quantize_binary(rows), "quantized.binary");
    expect_codes(bert::quantize_ubinary(rows), "quantized.ubinary");
    expect_codes(bert::quantize_int8(queries, ranges), "quantized.int8.queries");
    expect_codes(bert::quantize_uint8(queries, ranges), "quantized.uint8.queries");
    expect_codes(bert::quantize_binary(queries), "quantized.binary.queries");
    expect_codes(bert::quantize_ubinary(queries), "quantized.ubinary.queries");
}

TEST(EmbeddingQuantization, SearchesAndRescores) {
    const auto rows = retrieval_golden().matrix<float>("quantized.rows");
    const auto queries = retrieval_golden().matrix<float>("quantized.queries");
    const Matrix ranges = bert::quantization_ranges(rows);
    bert::ThreadPool threads(2);
    for (const bool rescore : {true, false}) {
        const bert::QuantizedSearchOptions options{5, rescore, 3};
        const std::string end = rescore ? ".rescored" : ".coarse";
        const double tolerance = rescore ? 1e-5 : 0;
        expect_hits(bert::semantic_search_int8(queries, bert::quantize_int8(rows), ranges, options),
                    "quantized.int8" + end, tolerance);
        expect_hits(bert::semantic_search_uint8(queries, bert::quantize_uint8(rows), ranges, options, &threads),
                    "quantized.uint8" + end, tolerance);
        expect_hits(bert::semantic_search_binary(queries, bert::quantize_binary(rows), options),
                    "quantized.binary" + end, tolerance);
        expect_hits(bert::semantic_search_ubinary(queries, bert::quantize_ubinary(rows), options, &threads),
                    "quantized.ubinary" + end, tolerance);
    }
    EXPECT_EQ(bert::semantic_search_binary(queries, bert::quantize_binary(rows.topRows(3)))[0].size(), 3u);
}

TEST(EmbeddingQuantization, RefusesWhatHasNoRange) {
    const Matrix one = random_rows(1, 6, 5);
    expect_error(ErrorKind::input, {"single"}, [&] { (void)bert::quantize_int8(one); });
    expect_error(ErrorKind::input, {"single"}, [&] { (void)bert::quantize_uint8(one); });
    expect_error(ErrorKind::shape, {"2 x 6", "2 x 5"},
                 [&] { (void)bert::quantize_int8(one, bert::quantization_ranges(random_rows(3, 5, 1))); });
    Matrix ranges = bert::quantization_ranges(random_rows(3, 6, 1));
    ranges(1, 4) = std::numeric_limits<float>::quiet_NaN();
    expect_error(ErrorKind::input, {"dimension 4"}, [&] { (void)bert::quantize_int8(one, ranges); });
    expect_error(ErrorKind::input, {"calibrate"}, [] { (void)bert::quantization_ranges(Matrix(0, 4)); });
    EXPECT_EQ(bert::quantize_int8(Matrix(0, 6)).cols(), 6);
    EXPECT_EQ(bert::quantize_binary(Matrix(0, 9)).cols(), 2);
    expect_error(ErrorKind::shape, {"6", "1", "2"},
                 [&] { (void)bert::semantic_search_ubinary(one, bert::quantize_ubinary(random_rows(3, 9, 1))); });
    expect_error(ErrorKind::input, {"rescore_multiplier"}, [&] {
        (void)bert::semantic_search_ubinary(one, bert::quantize_ubinary(random_rows(3, 6, 1)), {5, true, 0});
    });
}

}  // namespace
