// Finds the names in a text, or whatever the model labels.
//
//     named_entities MODEL_FOLDER [TEXT]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER [TEXT]\n", argv[0]);
        return 2;
    }
    const std::string text = argc > 2 ? argv[2] : "Anna Londonton lives in New York, not in Berlin.";

    const bert::TokenClassifier model(argv[1]);
    bert::EntityOptions options;
    options.aggregation = bert::Aggregation::first;  // whole words
    options.stride = 8;                              // texts of any length
    for (const bert::Entity& entity : model.classify(text, options).entities) {
        const std::string written = text.substr(entity.span.begin, entity.span.end - entity.span.begin);
        std::printf("%-6s %.3f  %s\n", entity.label.c_str(), static_cast<double>(entity.score), written.c_str());
    }
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
