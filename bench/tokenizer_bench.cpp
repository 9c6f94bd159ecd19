// Speed of the tokenizer by itself: ids alone, encodings with offsets and strings, and whole batches on several
// threads. Depends on text alone.
//
//     bert_bench_tokenizer MODEL_FOLDER TEXT_FILE... [benchmark options]
//
// Each line of a file is a text; compare.py leaves prose.txt (English) and mixed.txt (many scripts) in its cache.
#include <bert/core/thread_pool.hpp>
#include <bert/text/tokenizer.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

namespace {

struct Texts {
    std::string name;
    std::vector<std::string> lines;
    std::int64_t bytes = 0;
};

Texts read_texts(const std::filesystem::path& path) {
    std::ifstream in(path);
    if (!in) bert::detail::fail(bert::ErrorKind::file, "cannot open ", path);
    Texts texts;
    texts.name = path.stem().string();
    for (std::string line; std::getline(in, line);) {
        texts.bytes += static_cast<std::int64_t>(line.size()) + 1;
        texts.lines.push_back(std::move(line));
    }
    return texts;
}

void ids(benchmark::State& state, const bert::Tokenizer& tokenizer, const Texts& texts) {
    bert::TokenIds out;
    for (auto _ : state) {
        for (const auto& line : texts.lines) tokenizer.encode_ids(line, {}, out);
        benchmark::DoNotOptimize(out.ids.data());
    }
    state.SetBytesProcessed(state.iterations() * texts.bytes);
}

void encodings(benchmark::State& state, const bert::Tokenizer& tokenizer, const Texts& texts) {
    for (auto _ : state) {
        for (const auto& line : texts.lines) benchmark::DoNotOptimize(tokenizer.encode(line));
    }
    state.SetBytesProcessed(state.iterations() * texts.bytes);
}

void batches(benchmark::State& state, const bert::Tokenizer& tokenizer, const Texts& texts) {
    bert::ThreadPool threads(static_cast<unsigned>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode_batch(texts.lines, {}, &threads));
    state.SetBytesProcessed(state.iterations() * texts.bytes);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (argc < 3) {
        std::cerr << "usage: bert_bench_tokenizer MODEL_FOLDER TEXT_FILE... [benchmark options]\n";
        return 1;
    }
    try {
        const auto tokenizer = bert::Tokenizer::load(argv[1]);
        std::vector<Texts> files;
        for (int i = 2; i < argc; ++i) files.push_back(read_texts(argv[i]));
        for (const Texts& texts : files) {
            benchmark::RegisterBenchmark(("ids/" + texts.name).c_str(), ids, tokenizer, texts);
            benchmark::RegisterBenchmark(("encodings/" + texts.name).c_str(), encodings, tokenizer, texts);
            benchmark::RegisterBenchmark(("batch/" + texts.name + "/threads").c_str(), batches, tokenizer, texts)
                ->RangeMultiplier(2)
                ->Range(1, bert::available_processors())
                ->UseRealTime();
        }
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    benchmark::Shutdown();
}
