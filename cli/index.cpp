// bert index: makes a store of embedded documents, and adds to it, changes and deletes.
#include "commands.hpp"
#include "encoder_options.hpp"
#include "fingerprint.hpp"
#include "npy_reader.hpp"
#include "records.hpp"
#include "store.hpp"
#include "text_index.hpp"

#include <bert/bert.hpp>
#include <bert/io/atomic_file.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

struct IndexOptions {
    std::string store;
    std::string model;
    bert::SentenceEncoderOptions encoder;
    std::optional<bert::Similarity> measure;
    InputOptions input;
    std::string id_field = "id";
    std::string vectors;
    std::vector<std::string> deleted;
    bool graph = false;
    GraphOptions graph_options;
    bool bm25 = false;
    bool quiet = false;
};

[[noreturn]] void refuse(const std::string& message) {
    throw bert::Error(bert::ErrorKind::input, message);
}

/// An id as text: a string in quotes or an integer, so that "7" and 7 are two.
std::string id_text(const Record& record, const std::string& field, const std::string& where) {
    const auto id = record.find(field);
    if (id == record.end() || !(id->is_string() || id->is_number_integer())) {
        refuse(where + ": \"" + field + "\" should be a string or an integer");
    }
    return id->dump(-1, ' ', false, Record::error_handler_t::replace);
}

/// The text of a document of the store.
std::string text_of(const Record& document, const std::string& field) {
    const auto text = document.find(field);
    return text != document.end() && text->is_string() ? text->get<std::string>() : std::string();
}

/// A count on standard error while something takes long, where that is a terminal.
class CountLine {
public:
    CountLine(const char* what, bool quiet) : what_(what), shown_(!quiet && isatty(STDERR_FILENO) != 0) {}
    void operator()(std::size_t done, std::size_t total) const {
        if (shown_) std::fprintf(stderr, "\r%s %zu of %zu%s", what_, done, total, done == total ? "\n" : "");
    }

private:
    const char* what_;
    bool shown_;
};

/// What becomes of a store's documents and of those that come in.
class StoreChange {
public:
    StoreChange(const Store* old, const StoreManifest& manifest) : old_(old), manifest_(manifest) {
        next_key_ = manifest.next_key;
        if (!old) return;
        const std::size_t count = manifest.documents;
        dropped_.assign(count, 0);
        for (std::size_t row = 0; row < count; ++row) rows_by_id_.emplace(id_text(old_record(row), id(), "store"), row);
    }

    void remove(const std::string& given) {
        auto it = rows_by_id_.find(Record(given).dump(-1, ' ', false, Record::error_handler_t::replace));
        if (it == rows_by_id_.end()) it = rows_by_id_.find(given);  // an integer
        if (it == rows_by_id_.end()) refuse("--delete: the store has no document \"" + given + "\"");
        drop(it->second);
        rows_by_id_.erase(it);
        ++deleted;
    }

    /// `has_vectors`: vectors come with the input, so that a text that is the same may have another.
    void add(Input& input, bool has_vectors) {
        std::unordered_set<std::string> seen;
        for (const Record& record : input.records) {
            const auto given = record.find(id());
            if (given != record.end() && given->is_number_integer()) given_ids_.insert(given->dump());
        }
        for (std::size_t i = 0; i < input.texts.size(); ++i) {
            Record& record = input.records[i];
            const std::string where = "document " + std::to_string(i);
            if (record.find(manifest_.field) == record.end()) record[manifest_.field] = input.texts[i];
            if (record.find(id()) == record.end()) record = with_new_id(record);
            std::string text = id_text(record, id(), where);
            if (!seen.insert(text).second) refuse(where + ": its id " + text + " comes twice");
            const auto it = rows_by_id_.find(text);
            if (it == rows_by_id_.end()) {
                ++added;
                arrivals_.push_back(i);
                continue;
            }
            const Record old = old_record(it->second);
            if (has_vectors || text_of(old, manifest_.field) != input.texts[i]) {
                ++updated;
                drop(it->second);
                arrivals_.push_back(i);
            } else if (old != record) {
                ++updated;
                replaced_.emplace(it->second, line_of(record));
            } else {
                ++unchanged;
            }
        }
    }

    bool empty() const { return added + updated + deleted == 0; }
    const std::vector<std::size_t>& arrivals() const { return arrivals_; }
    const std::vector<std::size_t>& drops() const { return drops_; }
    std::size_t kept() const { return dropped_.size() - drops_.size(); }

    void write_lines(const std::filesystem::path& file, const Input& input) const {
        bert::detail::AtomicFile out(file);
        for (std::size_t row = 0; row < dropped_.size(); ++row) {
            if (dropped_[row]) continue;
            const auto it = replaced_.find(row);
            out.write(it == replaced_.end() ? old_->line(static_cast<bert::Index>(row)) : it->second);
            out.write("\n");
        }
        for (const std::size_t i : arrivals_) {
            out.write(line_of(input.records[i]));
            out.write("\n");
        }
        out.commit();
    }

    /// Of all documents, those kept and those that come.
    std::vector<std::uint64_t> keys() {
        std::vector<std::uint64_t> result;
        for (std::size_t row = 0; row < dropped_.size(); ++row) {
            if (!dropped_[row]) result.push_back(old_->key(static_cast<bert::Index>(row)));
        }
        for (std::size_t i = 0; i < arrivals_.size(); ++i) result.push_back(next_key_++);
        return result;
    }

    std::uint64_t next_key() const { return next_key_; }

    /// Rows of the old store that stay, as ranges [first, last).
    std::vector<std::pair<bert::Index, bert::Index>> kept_ranges() const {
        std::vector<std::pair<bert::Index, bert::Index>> ranges;
        for (std::size_t row = 0; row < dropped_.size(); ++row) {
            if (dropped_[row]) continue;
            const auto at = static_cast<bert::Index>(row);
            if (ranges.empty() || ranges.back().second != at) ranges.emplace_back(at, at);
            ++ranges.back().second;
        }
        return ranges;
    }

    Record old_record(std::size_t row) const {
        Record record = Record::parse(old_->line(static_cast<bert::Index>(row)), nullptr, false);
        if (!record.is_object()) {
            throw bert::Error(bert::ErrorKind::format, "store: document " + std::to_string(row) + " is no JSON object");
        }
        return record;
    }

    std::size_t added = 0;
    std::size_t updated = 0;
    std::size_t unchanged = 0;
    std::size_t deleted = 0;

private:
    const std::string& id() const { return manifest_.id_field; }

    static std::string line_of(const Record& record) {
        return record.dump(-1, ' ', false, Record::error_handler_t::replace);
    }

    void drop(std::size_t row) {
        dropped_[row] = 1;
        drops_.push_back(row);
    }

    Record with_new_id(const Record& record) {
        const auto taken = [this](const std::string& number) {
            return rows_by_id_.count(number) != 0 || given_ids_.count(number) != 0;
        };
        while (taken(std::to_string(next_key_ + new_ids_))) ++new_ids_;
        Record result = {{id(), next_key_ + new_ids_++}};
        result.update(record);
        return result;
    }

    const Store* old_;
    const StoreManifest& manifest_;
    std::unordered_map<std::string, std::size_t> rows_by_id_;
    std::unordered_set<std::string> given_ids_;  // of the input, that are numbers
    std::vector<unsigned char> dropped_;         // by row of the old store
    std::vector<std::size_t> drops_;
    std::unordered_map<std::size_t, std::string> replaced_;  // same text, other fields
    std::vector<std::size_t> arrivals_;                      // of the input
    std::uint64_t next_key_ = 0;
    std::uint64_t new_ids_ = 0;
};

/// Where the vectors of documents come from: the model, or a file that has one for each document of the input.
class VectorSource {
public:
    VectorSource(const IndexOptions& options, const StoreManifest& manifest, std::size_t documents) {
        bert::SentenceEncoderOptions settings = options.encoder;
        settings.max_seq_length = manifest.encoder.max_seq_length;
        settings.normalize = manifest.encoder.normalize;
        settings.pooling = manifest.encoder.pooling;
        settings.truncate_dim = manifest.encoder.truncate_dim;
        encoder_.emplace(manifest.model_folder, settings);
        if (options.vectors.empty()) return;
        file_.emplace(options.vectors);
        if (file_->columns() != dimension()) {
            throw bert::Error(bert::ErrorKind::shape, options.vectors + ": the model gives vectors of " +
                                                          std::to_string(dimension()) + " dimensions, given " +
                                                          std::to_string(file_->columns()));
        }
        if (static_cast<std::size_t>(file_->rows()) != documents) {
            refuse(options.vectors + ": there should be a row for each of " + std::to_string(documents) +
                   " documents, given " + std::to_string(file_->rows()));
        }
    }

    bert::Index dimension() const { return encoder_->dimension(); }

    bert::Matrix vectors(const Input& input, const std::size_t* which, std::size_t count) const {
        bert::Matrix rows(static_cast<bert::Index>(count), dimension());
        if (file_) {
            for (std::size_t i = 0; i < count; ++i) {
                rows.row(static_cast<bert::Index>(i)) = file_->copy(static_cast<bert::Index>(which[i]), 1);
            }
        } else {
            std::vector<std::string> texts;
            for (std::size_t i = 0; i < count; ++i) texts.push_back(input.texts[which[i]]);
            rows = encoder_->encode_document(texts);
        }
        for (std::size_t i = 0; i < count; ++i) {
            if (rows.row(static_cast<bert::Index>(i)).allFinite()) continue;
            refuse("document " + std::to_string(which[i]) + ": its vector holds a value that is NaN or infinite");
        }
        return rows;
    }

private:
    std::optional<bert::SentenceEncoder> encoder_;
    std::optional<NpyRows> file_;
};

void write_vectors(const std::filesystem::path& file, const Store* old, const StoreChange& change, const Input& input,
                   const VectorSource* source, const CountLine& count) {
    bert::detail::AtomicFile out(file);
    if (old) {
        const auto vectors = old->vectors();
        for (const auto& [first, last] : change.kept_ranges()) {
            out.write(vectors.row(first).data(),
                      static_cast<std::size_t>((last - first) * vectors.cols()) * sizeof(float));
        }
    }
    constexpr std::size_t step = 1024;  // documents embedded at once: bounds memory
    const auto& arrivals = change.arrivals();
    for (std::size_t first = 0; first < arrivals.size(); first += step) {
        const std::size_t size = std::min(step, arrivals.size() - first);
        const bert::Matrix rows = source->vectors(input, arrivals.data() + first, size);
        out.write(rows.data(), static_cast<std::size_t>(rows.size()) * sizeof(float));
        count(first + size, arrivals.size());
    }
    out.commit();
}

void write_graph(const std::filesystem::path& folder, const Store* old, const StoreManifest& manifest,
                 const StoreChange& change, const std::vector<std::uint64_t>& keys, unsigned threads,
                 const CountLine& count) {
    const bert::MappedFile file(folder / store_files::vectors);
    const Eigen::Map<const bert::Matrix> vectors(reinterpret_cast<const float*>(file.data()),
                                                 static_cast<bert::Index>(keys.size()), manifest.dimension);
    std::optional<NeighbourGraph> graph;
    std::size_t first = 0;
    if (old && change.kept() > 0) {
        graph.emplace(old->checked_file(store_files::graph), manifest.dimension, manifest.measure,
                      change.arrivals().size());
        for (const std::size_t row : change.drops()) graph->remove(old->key(static_cast<bert::Index>(row)));
        first = change.kept();
        // Removed points cost memory and time: where they are as many as the others, start anew.
        if (2 * graph->removed() >= graph->points()) graph.reset();
    }
    if (!graph) {
        graph.emplace(manifest.dimension, manifest.measure, *manifest.graph, std::max<std::size_t>(1, keys.size()));
        first = 0;
    }
    bert::ThreadPool pool(threads);
    constexpr std::size_t step = 4096;
    const std::size_t begin = first;
    for (; first < keys.size(); first += step) {
        const std::size_t size = std::min(step, keys.size() - first);
        graph->add(vectors.middleRows(static_cast<bert::Index>(first), static_cast<bert::Index>(size)),
                   keys.data() + first, pool);
        count(first + size - begin, keys.size() - begin);
    }
    graph->save(folder / store_files::graph);
}

void write_words(const std::filesystem::path& folder, const Store* old, const StoreManifest& manifest,
                 const StoreChange& change, const Input& input, const std::vector<std::uint64_t>& keys) {
    const auto file = folder / store_files::bm25;
    if (old) std::filesystem::copy_file(old->checked_file(store_files::bm25), file);
    TextIndex words(file, TextIndex::Mode::write);
    for (const std::size_t row : change.drops()) {
        words.remove(old->key(static_cast<bert::Index>(row)), text_of(change.old_record(row), manifest.field));
    }
    const auto& arrivals = change.arrivals();
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        words.add(keys[change.kept() + i], input.texts[arrivals[i]]);
    }
    words.commit();
}

/// The manifest of a store that is to be made.
StoreManifest new_manifest(const IndexOptions& options) {
    if (options.model.empty()) refuse(options.store + " is no store yet: name the --model to make it with");
    if (options.graph && !NeighbourGraph::available()) NeighbourGraph(1, {}, {}, 1);
    if (options.bm25 && !TextIndex::available()) TextIndex("", TextIndex::Mode::read);
    StoreManifest manifest;
    manifest.model_folder = std::filesystem::absolute(options.model).string();
    manifest.model_identity = model_identity(options.model);
    manifest.encoder = options.encoder;
    manifest.field = options.input.field;
    manifest.id_field = options.id_field;
    if (options.graph) manifest.graph = options.graph_options;
    manifest.bm25 = options.bm25;
    return manifest;
}

void run_index(const CLI::App& command, IndexOptions& options) {
    StoreWriter writer(options.store);
    std::optional<Store> old;
    if (Store::is_store(options.store)) old.emplace(options.store);
    StoreManifest manifest = old ? old->manifest() : new_manifest(options);
    if (old) {
        refuse_given(command,
                     {"--max-length", "--normalize", "--no-normalize", "--pooling", "--truncate-dim", "--measure",
                      "--id", "--field", "--hnsw", "--hnsw-links", "--hnsw-ef", "--bm25"},
                     "was settled when " + options.store + " was made");
        if (!options.model.empty()) manifest.model_folder = std::filesystem::absolute(options.model).string();
        check_model(manifest, options.store);
        options.input.field = manifest.field;
    }

    Input input;
    if (!options.input.files.empty() || options.deleted.empty()) input = read_input(options.input);
    StoreChange change(old ? &*old : nullptr, manifest);
    for (const std::string& id : options.deleted) change.remove(id);
    change.add(input, !options.vectors.empty());

    std::optional<VectorSource> source;
    if (!old || !change.arrivals().empty()) source.emplace(options, manifest, input.texts.size());
    if (!old) {
        manifest.dimension = source->dimension();
        manifest.measure = options.measure.value_or(bert::load_sentence_config(manifest.model_folder).similarity);
    }
    if (!old || !change.empty()) {
        ++manifest.generation;
        const auto folder = writer.begin(manifest.generation);
        const Store* const before = old ? &*old : nullptr;
        const CountLine embedded("embedded", options.quiet);
        write_vectors(folder / store_files::vectors, before, change, input, source ? &*source : nullptr, embedded);
        change.write_lines(folder / store_files::documents, input);
        const std::vector<std::uint64_t> keys = change.keys();
        {
            bert::detail::AtomicFile out(folder / store_files::keys);
            out.write(keys.data(), keys.size() * sizeof(std::uint64_t));
            out.commit();
        }
        manifest.documents = keys.size();
        manifest.next_key = change.next_key();
        if (manifest.graph) {
            const CountLine linked("linked", options.quiet);
            write_graph(folder, before, manifest, change, keys, options.encoder.threads, linked);
        }
        if (manifest.bm25) write_words(folder, before, manifest, change, input, keys);
        old.reset();  // so that its generation can be removed
        writer.commit(manifest);
    }
    Output output("");
    output.write_line({{"store", options.store},
                       {"generation", manifest.generation},
                       {"documents", manifest.documents},
                       {"added", change.added},
                       {"updated", change.updated},
                       {"unchanged", change.unchanged},
                       {"deleted", change.deleted}});
    output.commit();
}

}  // namespace

void add_index(CLI::App& app) {
    const auto options = std::make_shared<IndexOptions>();
    CLI::App& command = *app.add_subcommand("index", "Keep embedded documents in a folder for bert search");
    command.add_option("store", options->store, "Folder of the store; made where there is none")->required();
    add_model(command, "--model", options->model, std::string(model_text) + "; a store remembers where it was");
    add_encoder_settings(command, options->encoder);
    add_input_options(command, options->input);
    command.add_option("--id", options->id_field, "The field that tells documents apart: a string or an integer")
        ->capture_default_str();
    command.add_option("--vectors", options->vectors,
                       "NumPy file with a row for each document, from bert embed with the same model");
    command.add_option("--delete", options->deleted, "Id of a document to remove; may be given several times")
        ->allow_extra_args(false);
    add_measure_option(command, options->measure);
    command.add_flag("--hnsw", options->graph, "Make a graph for approximate search");
    command.add_option("--hnsw-links", options->graph_options.links, "Links of a point of the graph (M)")
        ->capture_default_str()
        ->check(CLI::Range(2, 1000));
    command.add_option("--hnsw-ef", options->graph_options.ef_construction, "Candidates for the links of a new point")
        ->capture_default_str()
        ->check(CLI::Range(2, 100000));
    command.add_flag("--bm25", options->bm25, "Make an index of words, for search by words and for hybrid search");
    command.add_flag("-q,--quiet", options->quiet, "No progress");
    command.footer(
        R"(Documents are JSON objects with an "id"; one whose id is there already takes the other's place, and keeps its
vector where the text is the same. Plain lines, and objects without an id, are added with a number of their own.
Readers see a store as it was before or after a call, never between. How documents are embedded, --measure, --id,
--field, --hnsw and --bm25 are settled when the store is made.

  bert index articles --model all-MiniLM-L6-v2 articles.jsonl --hnsw --bm25
  bert index articles more.jsonl --delete 17
  bert search articles 'rising prices')");
    command.callback([options, &command] { run_index(command, *options); });
}
