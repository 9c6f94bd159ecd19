// A process that compare.py drives over its standard streams, so that this library takes turns with other runtimes in
// one run. Depends on the library alone.
//
//     bert_bench_runner MODEL_FOLDER THREADS WEIGHTS
//
// WEIGHTS is the type of the weights: f32, bf16 or int8. The process answers each line with one line, "ok" and values,
// or "error" and a message; the first answer comes by itself once the model is open and gives the milliseconds that
// took. FILE holds the token ids of a text per line; a vector is the mean of the last hidden states at unit length.
//
//     forward REPEAT ID...              milliseconds of each of REPEAT passes over one text, one after another
//     corpus FILE                       milliseconds to embed all its texts
//     vectors FILE OUT                  writes the vectors of all its texts to OUT as raw floats
//     embed TEXT                        the first value of the vector of a text
//     tokenize FILE REPEAT MODE         milliseconds of each of REPEAT passes over the lines of a text file, and the
//                                       tokens in it. MODE: ids alone, full encodings with offsets and strings, or the
//                                       same as a batch on all threads
//     ids FILE OUT                      writes the token ids of a text file's lines to OUT, one line each
//     memory                            resident memory and its peak in KiB
#include <bert/bert.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Ids = std::vector<std::int32_t>;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class T>
T parse(std::string_view word) {
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) {
        throw std::runtime_error("\"" + std::string(word) + "\" is no number");
    }
    return value;
}

Ids read_ids(std::istream& in) {
    Ids ids;
    for (std::string word; in >> word;) ids.push_back(parse<std::int32_t>(word));
    return ids;
}

std::vector<std::string> read_lines(const std::string& path) {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("cannot open " + path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
    return lines;
}

std::ofstream open_output(const std::string& path) {
    std::ofstream out(path, std::ios::binary);
    if (!out) throw std::runtime_error("cannot write " + path);
    return out;
}

std::string memory() {
    std::string resident, peak, key, value;
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        words >> key >> value;
        if (key == "VmRSS:") resident = value;
        if (key == "VmHWM:") peak = value;
    }
    return resident + " " + peak;
}

bert::WeightType weight_type(std::string_view name) {
    if (name == "f32") return bert::WeightType::float32;
    if (name == "bf16") return bert::WeightType::bfloat16;
    if (name == "int8") return bert::WeightType::int8;
    throw std::runtime_error("weights should be f32, bf16 or int8, given " + std::string(name));
}

/// A model and what its forward passes need.
class Runner {
public:
    /// Opens a folder as tasks do, together with its tokenizer, or the model alone where there is none.
    Runner(const std::string& folder, unsigned threads, bert::WeightType weights)
        : threads_(threads), workspace_(&threads_) {
        namespace fs = std::filesystem;
        if (fs::is_directory(folder) && !fs::exists(fs::path(folder) / "tokenizer.json")) {
            model_ = std::make_unique<bert::AnyBertModel>(bert::AnyBertModel::load(folder, weights));
            return;
        }
        bert::TaskOptions options;
        options.weights = weights;
        options.executor =
            bert::Executor{threads_.size(), [this](std::size_t copies, const std::function<void()>& job) {
                               threads_.run(copies, [&](std::size_t, std::size_t) { job(); });
                           }};
        task_ = std::make_unique<bert::TaskModel>(folder, options);
    }

    /// The answer to one command, without its "ok".
    std::string answer(const std::string& line) {
        std::istringstream in(line);
        std::ostringstream out;
        std::string command, path, target, word;
        in >> command;
        if (command == "forward") {
            in >> word;
            forward(parse<int>(word), read_ids(in), out);
        } else if (command == "corpus") {
            in >> path;
            const auto texts = read_texts(path);
            const auto start = Clock::now();
            embed_all(texts);
            out << milliseconds_since(start);
        } else if (command == "vectors") {
            in >> path >> target;
            const bert::Matrix vectors = embed_all(read_texts(path));
            open_output(target).write(
                reinterpret_cast<const char*>(vectors.data()),
                static_cast<std::streamsize>(vectors.size()) * static_cast<std::streamsize>(sizeof(float)));
        } else if (command == "embed") {
            std::getline(in >> std::ws, word);
            out << embed_all({tokenizer().encode(word, limit()).ids})(0, 0);
        } else if (command == "tokenize") {
            in >> path >> word >> target;
            tokenize(read_lines(path), parse<int>(word), target, out);
        } else if (command == "ids") {
            in >> path >> target;
            std::ofstream file = open_output(target);
            for (const auto& text : read_lines(path)) {
                for (const auto id : tokenizer().encode(text).ids) file << id << ' ';
                file << '\n';
            }
        } else if (command == "memory") {
            out << memory();
        } else {
            throw std::runtime_error("unknown command \"" + command + "\"");
        }
        return out.str();
    }

private:
    static std::vector<Ids> read_texts(const std::string& path) {
        std::vector<Ids> texts;
        for (const auto& line : read_lines(path)) {
            std::istringstream in(line);
            texts.push_back(read_ids(in));
        }
        return texts;
    }

    bert::EncodeOptions limit() const {
        bert::EncodeOptions options;
        options.max_length = 256;
        return options;
    }

    const bert::Tokenizer& tokenizer() const {
        if (!task_) throw std::runtime_error("this model has no tokenizer");
        return task_->tokenizer();
    }
    const bert::AnyBertModel& model() const { return task_ ? task_->model() : *model_; }

    /// Embeds the texts of batch_ into the rows of `vectors` from `row` on.
    void embed_batch(bert::Matrix& vectors, bert::Index row) {
        const bert::Workspace::Frame frame(workspace_);
        const bert::Index size = model().config().hidden_size;
        Eigen::Map<bert::Matrix> hidden(workspace_.take<float>(static_cast<std::size_t>(batch_.tokens() * size)),
                                        batch_.tokens(), size);
        model().forward(batch_, hidden, workspace_);
        double* const sums = workspace_.take<double>(static_cast<std::size_t>(size));
        for (bert::Index text = 0; text < batch_.texts(); ++text) {
            bert::pool(bert::PoolingMode::mean,
                       hidden.middleRows(batch_.offsets[static_cast<std::size_t>(text)], batch_.length(text)), 0, sums,
                       vectors.row(row + text).data());
        }
        bert::normalize_rows(vectors.middleRows(row, batch_.texts()));
    }

    /// All texts in their own order, as many at a time as SentenceEncoder takes by default.
    bert::Matrix embed_all(const std::vector<Ids>& texts) {
        const std::size_t budget = bert::EmbedOptions{}.token_budget;
        bert::Matrix vectors(static_cast<bert::Index>(texts.size()), model().config().hidden_size);
        bert::Index row = 0;
        batch_.clear();
        for (const Ids& text : texts) {
            if (batch_.texts() > 0 && batch_.ids.size() + text.size() > budget) {
                embed_batch(vectors, row);
                row += batch_.texts();
                batch_.clear();
            }
            batch_.add(text.data(), nullptr, text.size());
        }
        if (batch_.texts() > 0) embed_batch(vectors, row);
        return vectors;
    }

    void forward(int repeat, const Ids& ids, std::ostream& out) {
        bert::Matrix vector(1, model().config().hidden_size);
        for (int i = 0; i < repeat; ++i) {
            const auto start = Clock::now();
            batch_.clear();
            batch_.add(ids.data(), nullptr, ids.size());
            embed_batch(vector, 0);
            out << milliseconds_since(start) << ' ';
        }
    }

    void tokenize(const std::vector<std::string>& texts, int repeat, const std::string& mode, std::ostream& out) {
        const bert::Tokenizer& tokenizer = this->tokenizer();
        bert::TokenIds ids;
        std::size_t tokens = 0;
        for (int i = 0; i < repeat; ++i) {
            tokens = 0;
            const auto start = Clock::now();
            if (mode == "batch") {
                for (const auto& encoding : tokenizer.encode_batch(texts, {}, &threads_)) tokens += encoding.size();
            } else if (mode == "full") {
                for (const auto& text : texts) tokens += tokenizer.encode(text).size();
            } else {
                for (const auto& text : texts) {
                    tokenizer.encode_ids(text, {}, ids);
                    tokens += ids.ids.size();
                }
            }
            out << milliseconds_since(start) << ' ';
        }
        out << tokens;
    }

    bert::ThreadPool threads_;
    bert::Workspace workspace_;
    std::unique_ptr<bert::TaskModel> task_;
    std::unique_ptr<bert::AnyBertModel> model_;
    bert::Batch batch_;
};

void serve(const std::string& folder, unsigned threads, bert::WeightType weights) {
    const auto start = Clock::now();
    Runner runner(folder, threads, weights);
    std::cout << "ok " << milliseconds_since(start) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const std::string answer = runner.answer(line);
            std::cout << "ok " << answer << std::endl;
        } catch (const std::exception& error) {
            std::cout << "error " << error.what() << std::endl;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 4) throw std::runtime_error("usage: bert_bench_runner MODEL_FOLDER THREADS WEIGHTS");
        serve(argv[1], parse<unsigned>(argv[2]), weight_type(argv[3]));
    } catch (const std::exception& error) {
        std::cout << "error " << error.what() << std::endl;
        return 1;
    }
}
