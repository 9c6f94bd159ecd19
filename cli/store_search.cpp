// Searching stores.
#include "store_search.hpp"

#include "records.hpp"

#include <bert/io/training_file.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <utility>

namespace {

/// Whether a value of a document is what a filter asks for. A list is, where one of its values is.
bool value_equals(const Record& value, const std::string& wanted) {
    if (value.is_array()) {
        return std::any_of(value.begin(), value.end(), [&](const Record& v) { return value_equals(v, wanted); });
    }
    if (value.is_string()) return value.get_ref<const std::string&>() == wanted;
    if (value.is_boolean()) return wanted == (value.get<bool>() ? "true" : "false");
    if (value.is_null()) return wanted == "null";
    if (!value.is_number()) return false;
    const char* const end = wanted.data() + wanted.size();
    const auto parse = [&](auto& number) {
        const auto parsed = std::from_chars(wanted.data(), end, number);
        return parsed.ec == std::errc() && parsed.ptr == end;
    };
    // As doubles, large integers that differ would be equal.
    std::uint64_t count = 0;
    if (value.is_number_unsigned() && parse(count)) return value.get<std::uint64_t>() == count;
    std::int64_t integer = 0;
    if (value.is_number_integer() && parse(integer)) return value.get<std::int64_t>() == integer;
    const auto number = bert::detail::parse_number(wanted);
    return number && value.get<double>() == *number;
}

std::pair<std::string, std::string> parse_filter(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw bert::Error(bert::ErrorKind::input, "--where expects key=value, given \"" + text + "\"");
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009) of a list by meaning and one by words.
std::vector<StoreHit> fuse(const std::vector<StoreHit>& dense, const std::vector<StoreHit>& words, std::size_t k) {
    constexpr float rank_constant = 60;  // of the paper
    std::map<bert::Index, StoreHit> fused;
    const auto add = [&](const std::vector<StoreHit>& list, std::size_t StoreHit::*rank) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            StoreHit& hit = fused[list[i].row];
            hit.row = list[i].row;
            hit.*rank = i + 1;
            hit.score += 1 / (rank_constant + static_cast<float>(i + 1));
        }
    };
    add(dense, &StoreHit::dense_rank);
    add(words, &StoreHit::bm25_rank);
    std::vector<StoreHit> hits;
    for (const auto& entry : fused) hits.push_back(entry.second);
    std::stable_sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    hits.resize(std::min(k, hits.size()));
    return hits;
}

}  // namespace

StoreSearcher::StoreSearcher(const std::string& store, StoreSearchOptions options)
    : store_(store), options_(std::move(options)), threads_(options_.encoder.threads) {
    StoreManifest manifest = store_.manifest();
    const auto missing = [&](const char* what, const char* option) {
        throw bert::Error(bert::ErrorKind::unsupported, store + " has no " + what + ": it was made without " + option);
    };
    if (options_.mode != SearchMode::dense) {
        if (!manifest.bm25) missing("index of words", "--bm25");
        words_.emplace(store_.checked_file(store_files::bm25), TextIndex::Mode::read);
    }
    if (options_.approximate) {
        if (!manifest.graph) missing("graph", "--hnsw");
        if (!options_.where.empty()) {
            throw bert::Error(bert::ErrorKind::input, "--where is for exact search: leave out --approximate");
        }
        graph_.emplace(store_.checked_file(store_files::graph), manifest.dimension, manifest.measure);
    }
    if (options_.mode != SearchMode::bm25) {
        if (!options_.model.empty()) manifest.model_folder = options_.model;
        check_model(manifest, store);
        bert::SentenceEncoderOptions settings = manifest.encoder;
        settings.weights = options_.encoder.weights;
        settings.threads = options_.encoder.threads;
        settings.load = options_.encoder.load;
        encoder_.emplace(manifest.model_folder, settings);
    }
    if (!options_.where.empty()) open_filter();
}

void StoreSearcher::open_filter() {
    filtered_ = true;
    std::vector<std::pair<std::string, std::string>> filters;
    for (const std::string& text : options_.where) filters.push_back(parse_filter(text));
    std::vector<unsigned char> known(filters.size(), 0);
    accepted_.assign(store_.manifest().documents, 1);
    for (std::size_t row = 0; row < accepted_.size(); ++row) {
        const Record record = Record::parse(store_.line(static_cast<bert::Index>(row)), nullptr, false);
        for (std::size_t i = 0; i < filters.size(); ++i) {
            const auto value = record.is_object() ? record.find(filters[i].first) : record.end();
            const bool there = value != record.end();
            known[i] = known[i] != 0 || there;
            if (!there || !value_equals(*value, filters[i].second)) accepted_[row] = 0;
        }
    }
    for (std::size_t i = 0; i < filters.size(); ++i) {
        if (known[i] != 0) continue;
        throw bert::Error(bert::ErrorKind::input, "--where: no document has a field \"" + filters[i].first + "\"");
    }
}

std::vector<std::vector<StoreHit>> StoreSearcher::exact(const bert::Matrix& queries, std::size_t k) const {
    const auto vectors = store_.vectors();
    bert::SemanticSearchOptions search;
    search.top_k = k;
    search.measure = store_.manifest().measure;
    std::vector<Hits> result(static_cast<std::size_t>(queries.rows()));
    // Adds what was found among vectors whose rows in the store are `rows`, or all.
    const auto merge = [&](const bert::ConstRows<float>& some, const std::vector<bert::Index>* rows) {
        const auto found = bert::semantic_search(queries, some, search, &threads_);
        for (std::size_t i = 0; i < result.size(); ++i) {
            for (const bert::SearchHit& hit : found[i]) {
                const auto row = rows ? (*rows)[static_cast<std::size_t>(hit.corpus_id)] : hit.corpus_id;
                result[i].push_back({row, hit.score, 0, 0});
            }
            std::stable_sort(result[i].begin(), result[i].end(),
                             [](const auto& a, const auto& b) { return a.score > b.score; });
            result[i].resize(std::min(k, result[i].size()));
        }
    };
    if (!filtered_) {
        merge(vectors, nullptr);
        return result;
    }
    constexpr std::size_t block = 65536;  // rows gathered at once: bounds memory
    std::vector<bert::Index> rows;
    const auto flush = [&] {
        bert::Matrix some(static_cast<bert::Index>(rows.size()), vectors.cols());
        for (std::size_t i = 0; i < rows.size(); ++i) some.row(static_cast<bert::Index>(i)) = vectors.row(rows[i]);
        merge(some, &rows);
        rows.clear();
    };
    for (std::size_t row = 0; row < accepted_.size(); ++row) {
        if (accepted_[row] != 0) rows.push_back(static_cast<bert::Index>(row));
        if (rows.size() == block) flush();
    }
    if (!rows.empty()) flush();
    return result;
}

std::vector<std::vector<StoreHit>> StoreSearcher::approximate(const bert::Matrix& queries, std::size_t k) const {
    std::vector<Hits> result(static_cast<std::size_t>(queries.rows()));
    for (std::size_t i = 0; i < result.size(); ++i) {
        for (const auto& [key, score] : graph_->search(queries.row(static_cast<bert::Index>(i)), k, options_.ef)) {
            if (const auto row = store_.row_of(key)) result[i].push_back({*row, score, 0, 0});
        }
    }
    return result;
}

std::vector<StoreHit> StoreSearcher::by_words(const std::string& query, std::size_t k) const {
    Hits hits;
    const auto accepted = [this](std::uint64_t key) {
        const auto row = store_.row_of(key);
        return row && accepts(*row);
    };
    for (const auto& [key, score] : words_->search(query, k, accepted)) {
        hits.push_back({*store_.row_of(key), score, 0, 0});
    }
    return hits;
}

std::vector<std::vector<StoreHit>> StoreSearcher::search(const std::vector<std::string>& queries) const {
    // Fusion needs more of each list than is asked for: what is tenth in both may be first together.
    const std::size_t depth =
        options_.mode == SearchMode::hybrid ? std::max<std::size_t>(100, options_.top_k) : options_.top_k;
    std::vector<Hits> dense(queries.size());
    if (encoder_) {
        const bert::Matrix vectors = encoder_->encode_query(queries);
        dense = graph_ ? approximate(vectors, depth) : exact(vectors, depth);
    }
    if (!words_) return dense;
    std::vector<Hits> result;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        Hits words = by_words(queries[i], depth);
        result.push_back(encoder_ ? fuse(dense[i], words, options_.top_k) : std::move(words));
    }
    return result;
}

RecallReport StoreSearcher::measure_recall(const std::vector<std::string>& queries) const {
    if (queries.empty()) throw bert::Error(bert::ErrorKind::input, "--recall needs queries");
    const bert::Matrix vectors = encoder_->encode_query(queries);
    store_.vectors();  // checked once, which is no part of the search
    auto start = std::chrono::steady_clock::now();
    const auto right = exact(vectors, options_.top_k);
    const auto count = static_cast<double>(queries.size());
    RecallReport report;
    report.exact_seconds = seconds_since(start) / count;
    start = std::chrono::steady_clock::now();
    const auto found = approximate(vectors, options_.top_k);
    report.approximate_seconds = seconds_since(start) / count;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const auto hits = std::count_if(right[i].begin(), right[i].end(), [&](const StoreHit& hit) {
            return std::any_of(found[i].begin(), found[i].end(), [&](const StoreHit& f) { return f.row == hit.row; });
        });
        report.recall += right[i].empty() ? 1 : static_cast<double>(hits) / static_cast<double>(right[i].size());
    }
    report.recall /= count;
    return report;
}
