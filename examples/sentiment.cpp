// Classifies texts, by feeling or by whatever the model was trained for.
//
//     sentiment MODEL_FOLDER [TEXT...]
#include <bert/bert.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT...]\n", argv[0]);
        return 2;
    }
    std::vector<std::string> texts(argv + 2, argv + argc);
    if (texts.empty()) texts = {"the film was great, i loved it", "boring! i hated it"};

    const bert::TextClassifier model(argv[1]);
    const auto results = model.classify_batch(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        std::printf("%s\n", texts[i].c_str());
        for (const bert::LabelScore& label : results[i].labels) {
            std::printf("  %.3f  %s\n", static_cast<double>(label.score), label.label.c_str());
        }
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
