// Sorts texts into classes that are named only here, with a model of natural-language inference.
//
//     zero_shot MODEL_FOLDER [TEXT LABEL...]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2 || argc == 3) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT LABEL...]\n", argv[0]);
        return 2;
    }
    std::string text = "anna plays music in london";
    std::vector<std::string> labels = {"sports", "politics", "music"};
    if (argc > 3) {
        text = argv[2];
        labels.assign(argv + 3, argv + argc);
    }

    const bert::ZeroShotClassifier model(argv[1]);
    bert::ZeroShotOptions options;
    options.hypothesis = "this example is about {}.";
    for (const bert::ZeroShotLabel& label : model.classify(text, labels, options).labels) {
        std::printf("%.3f  %s\n", static_cast<double>(label.score), label.label.c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
