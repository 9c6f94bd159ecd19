// Runs a fuzz target on files: every input of its corpus, found ones among them, as a test that needs no fuzzer.
//
// Usage: bert_fuzz_replay TARGET FILE_OR_FOLDER...
#include "fuzz.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    const auto& targets = bert_fuzz::targets();
    const auto target = std::find_if(targets.begin(), targets.end(),
                                     [&](const auto& known) { return argc > 2 && std::string(argv[1]) == known.name; });
    if (target == targets.end()) {
        std::fprintf(stderr, "usage: bert_fuzz_replay TARGET FILE_OR_FOLDER...\n");
        for (const auto& known : targets) std::fprintf(stderr, "  %s\n", known.name);
        return 1;
    }
    std::vector<bert_fuzz::fs::path> files;
    for (int i = 2; i < argc; ++i) {
        if (!bert_fuzz::fs::is_directory(argv[i])) {
            files.emplace_back(argv[i]);
            continue;
        }
        for (const auto& entry : bert_fuzz::fs::directory_iterator(argv[i])) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    bert_fuzz::require(!files.empty(), "there are inputs to replay");
    for (const auto& file : files) {
        const std::string input = bert_fuzz::read_file(file);
        std::fprintf(stderr, "%s\n", file.c_str());  // the last one named is the one that failed
        // A copy of just this size: sanitizers see what reads behind it.
        const std::vector<std::uint8_t> bytes(input.begin(), input.end());
        target->run(bytes.data(), bytes.size());
    }
    std::printf("%s: %zu inputs\n", argv[1], files.size());
}
