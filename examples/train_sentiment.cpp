// Trains a sentiment classifier on a frozen encoder from a few hundred sentences, and writes it as a model folder.
//
//     train_sentiment MODEL_FOLDER SENTENCES.tsv [OUTPUT_FOLDER]
#include <bert/bert.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
    if (argc < 3 || argc > 4) {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER SENTENCES.tsv [OUTPUT_FOLDER]\n", argv[0]);
        return 2;
    }
    const bert::HeadTrainer trainer(argv[1]);
    const bert::TrainedHead head = trainer.train(bert::read_training_file(argv[2]));
    std::printf("trained on %zu sentences in %zu iterations\n", head.train.examples, head.iterations);
    if (head.test) {
        std::printf("accuracy %.2f, F1 %.2f on %zu other sentences\n", *head.test->accuracy, *head.test->macro_f1,
                    head.test->examples);
    }

    std::vector<bert::TrainingExample> unseen(3);
    unseen[0].text = "What a lovely surprise this little restaurant was.";
    unseen[1].text = "They never replied, and the money is gone.";
    unseen[2].text = "I was not disappointed at all.";
    const bert::Matrix logits = trainer.logits(head, unseen);
    for (std::size_t i = 0; i < unseen.size(); ++i) {
        bert::Index best = 0;
        logits.row(static_cast<bert::Index>(i)).maxCoeff(&best);
        std::printf("%-9s %s\n", head.labels[static_cast<std::size_t>(best)].c_str(), unseen[i].text.c_str());
    }
    if (argc < 4) return 0;
    trainer.save(head, argv[3]);
    // The folder opens as any other classifier's, here and in transformers.
    const bert::LabelScore best = bert::TextClassifier(argv[3]).classify(unseen[0].text).labels.front();
    std::printf("%s says: %s, %.2f\n", argv[3], best.label.c_str(), static_cast<double>(best.score));
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
