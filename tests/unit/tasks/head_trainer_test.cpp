// Training heads: what is fitted, what is written, and what is refused.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>
#include <bert/tasks/head_trainer.hpp>
#include <bert/tasks/optimizer.hpp>
#include <bert/tasks/text_classifier.hpp>
#include <bert/tasks/token_classifier.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace {

using namespace bert_test;
using bert::ErrorKind;
using bert::HeadTask;
using bert::Index;
using bert::Matrix;
using bert::TrainingExample;

/// A tiny folder with a vocabulary, opened once.
const fs::path& encoder_folder() {
    static const TempFolder folder;
    static const bool made = (copy_into(sentence_models() / "transformer", folder.path()), true);
    (void)made;
    return folder.path();
}

bert::TaskOptions two_threads() {
    bert::TaskOptions options;
    options.threads = 2;
    options.allow_unused_embeddings = true;
    return options;
}

/// Texts about one animal or another, by which they can be told apart.
std::vector<TrainingExample> animals(std::size_t count, HeadTask task) {
    const std::vector<std::string> subjects = {"dog", "cat", "bird"};
    const std::vector<std::string> verbs = {"sat", "ran", "sang", "slept", "saw the end"};
    const std::vector<std::string> places = {"on the mat", "to the sun", "here", "all day", "and was still"};
    Random random(7);
    std::vector<TrainingExample> examples;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t subject = i % 3;
        TrainingExample example;
        example.text = "the " + subjects[subject] + " " + verbs[random.below(5)] + " " + places[random.below(5)];
        if (task == HeadTask::tokens) {
            example.text.clear();
            example.words = {"the", subjects[subject], verbs[random.below(3)], "here"};
            example.tags = {"O", "B-" + subjects[subject], "O", "O"};
        } else if (task == HeadTask::multi_label) {
            if (subject != 0) example.labels.push_back("small");
            if (subject != 2) example.labels.push_back("furry");
        } else {
            example.labels = {subjects[subject]};
        }
        example.value = static_cast<double>(subject) - 0.5;
        if (i % 5 == 4) example.split = "test";
        examples.push_back(std::move(example));
    }
    return examples;
}

/// The logits of the folder, computed from its files without the trainer.
Matrix logits_of_folder(const fs::path& folder, const TrainingExample& example) {
    const auto tokenizer = bert::Tokenizer::load(folder);
    const auto model = bert::BertModel<float>::load(folder);
    const Golden head(folder / "model.safetensors");
    const Matrix weight = head.matrix<float>("classifier.weight");
    const auto bias = head.values<float>("classifier.bias");
    std::string text = example.text;
    for (const auto& word : example.words) text += (text.empty() || &word == &example.words[0] ? "" : " ") + word;
    const auto encoding = example.pair ? tokenizer.encode(text, *example.pair) : tokenizer.encode(text);
    bert::ForwardOptions options;
    options.pooler_output = model.has_pooler();
    const auto output = model.forward(encoding, options);
    Matrix logits = (model.has_pooler() ? output.pooler_output : output.last_hidden_state) * weight.transpose();
    for (Index i = 0; i < logits.cols(); ++i) logits.col(i).array() += bias[static_cast<std::size_t>(i)];
    return logits;
}

TEST(HeadTrainer, LearnsAndWritesEveryTask) {
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    for (const auto task : {HeadTask::classification, HeadTask::multi_label, HeadTask::regression, HeadTask::tokens}) {
        for (const auto optimizer : {bert::HeadOptimizer::lbfgs, bert::HeadOptimizer::adam}) {
            SCOPED_TRACE(static_cast<int>(task));
            bert::HeadTrainerOptions options;
            options.task = task;
            options.optimizer = optimizer;
            options.l2 = 1e-5;
            options.patience = 1000;
            const auto examples = animals(90, task);
            const auto head = trainer.train(examples, options);
            ASSERT_TRUE(head.test && head.held_out);
            EXPECT_GT(head.iterations, 1u);
            EXPECT_EQ(head.test->examples, task == HeadTask::tokens ? 72u : 18u);
            // The encoder knows nothing, so what counts is the fit.
            options.held_out = 0;
            const auto fitted = trainer.train(examples, options).train;
            if (task == HeadTask::regression) {
                EXPECT_GT(*fitted.r_squared, 0.6);
                EXPECT_FALSE(fitted.accuracy);
            } else {
                EXPECT_GT(*fitted.accuracy, 0.7);
                EXPECT_GT(*fitted.macro_f1, 0.8);
            }
            options.held_out = 0.1;
            const auto again = trainer.train(examples, options);
            EXPECT_TRUE(same_bits(head.weight, again.weight));

            const TempFolder target;
            trainer.save(head, target.path() / "new" / "folder");
            const Json config = read_json(target.path() / "new" / "folder" / "config.json");
            EXPECT_EQ(config["num_labels"], head.labels.size());
            EXPECT_EQ(config["id2label"]["0"], head.labels[0]);
            EXPECT_EQ(config["label2id"][head.labels.back()], head.labels.size() - 1);
            EXPECT_EQ(config.value("problem_type", "none"), task == HeadTask::multi_label ? "multi_label_classification"
                                                            : task == HeadTask::tokens    ? "none"
                                                            : task == HeadTask::regression
                                                                ? "regression"
                                                                : "single_label_classification");
            const Matrix mine = trainer.logits(head, {examples[4]});
            const Matrix theirs = logits_of_folder(target.path() / "new" / "folder", examples[4]);
            if (task == HeadTask::tokens) {
                EXPECT_NO_THROW(bert::TokenClassifier(target.path() / "new" / "folder", two_threads()));
                // The first token of the first word follows [CLS].
                EXPECT_LE(max_difference(mine.row(0), theirs.row(1)), 1e-5);
            } else {
                EXPECT_LE(max_difference(mine, theirs), 1e-5);
                const bert::TextClassifier classifier(target.path() / "new" / "folder", two_threads());
                const auto opened = classifier.classify(examples[4].text).logits;
                ASSERT_EQ(opened.size(), head.labels.size());
                for (std::size_t i = 0; i < opened.size(); ++i) {
                    EXPECT_NEAR(opened[i], mine(0, static_cast<Index>(i)), 1e-6);
                }
            }
        }
    }
}

TEST(HeadTrainer, ServesPairsAndTheCheckpointsPooler) {
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    auto examples = animals(60, HeadTask::classification);
    for (auto& example : examples) example.pair = "the sun";
    bert::HeadTrainerOptions options;
    options.pooler = bert::HeadPooler::checkpoint;
    options.held_out = 0;
    const auto head = trainer.train(examples, options);
    EXPECT_FALSE(head.held_out);
    const TempFolder target;
    trainer.save(head, target.path());
    EXPECT_LE(max_difference(trainer.logits(head, {examples[1]}), logits_of_folder(target.path(), examples[1])), 1e-5);
    expect_error(ErrorKind::input, {"over the encoder"}, [&] { trainer.save(head, encoder_folder()); });
    // A folder with a head is the source of another one.
    const bert::HeadTrainer second(target.path(), two_threads());
    EXPECT_LE(max_difference(second.logits(head, {examples[1]}), trainer.logits(head, {examples[1]})), 1e-6);
}

TEST(HeadTrainer, TrainsTheSameFromSeveralThreads) {
    const auto examples = animals(60, HeadTask::classification);
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    const auto head = trainer.train(examples);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] { EXPECT_TRUE(same_bits(trainer.train(examples).weight, head.weight)); });
    }
    for (auto& thread : threads) thread.join();
}

TEST(HeadTrainer, TakesTheGivenLabelsAndWeights) {
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    const auto examples = animals(60, HeadTask::classification);
    bert::HeadTrainerOptions options;
    options.labels = {"dog", "whale", "cat", "bird"};
    EXPECT_EQ(trainer.train(examples, options).weight.rows(), 4);
    const auto plain = trainer.train(examples);
    EXPECT_EQ(plain.labels, (std::vector<std::string>{"bird", "cat", "dog"}));
    options = {};
    options.class_weights = {{"dog", 50.0}};
    const auto weighted = trainer.train(examples, options);
    EXPECT_GT(weighted.bias(2), plain.bias(2));
    options = {};
    options.balanced = true;
    // The classes are of one size already.
    EXPECT_LE(max_difference(trainer.train(examples, options).weight, plain.weight), 1e-4);
}

TEST(HeadTrainer, KeepsTheOnlyExampleOfALabelForTraining) {
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    for (const auto task : {HeadTask::multi_label, HeadTask::tokens}) {
        auto examples = animals(20, task);
        auto& labels = task == HeadTask::tokens ? examples[7].tags : examples[7].labels;
        (task == HeadTask::tokens ? labels.back() : labels.emplace_back()) = "rare";
        for (std::uint32_t seed = 0; seed < 10; ++seed) {
            bert::HeadTrainerOptions options;
            options.task = task;
            options.seed = seed;
            const auto head = trainer.train(examples, options);
            EXPECT_EQ(std::count(head.labels.begin(), head.labels.end(), "rare"), 1);
            EXPECT_TRUE(head.held_out);
        }
    }
}

TEST(HeadTrainer, RefusesBadExamples) {
    const bert::HeadTrainer trainer(encoder_folder(), two_threads());
    const auto fails = [&](const std::vector<std::string>& parts, const std::vector<TrainingExample>& examples,
                           const bert::HeadTrainerOptions& options = {}) {
        expect_error(ErrorKind::input, parts, [&] { (void)trainer.train(examples, options); });
    };
    fails({"no examples"}, {});
    auto examples = animals(30, HeadTask::classification);
    for (auto& example : examples) example.labels = {"dog"};
    fails({"one class", "dog"}, examples);
    examples = animals(30, HeadTask::classification);
    examples[3].labels = {"dog", "cat"};
    fails({"one label, given 2"}, examples);
    examples[3].labels = {"dog"};
    bert::HeadTrainerOptions options;
    options.labels = {"dog", "cat"};
    fails({"unknown label \"bird\"", "\"cat\""}, examples, options);
    options.labels = {"dog", "dog"};
    fails({"twice"}, examples, options);
    options = {};
    options.class_weights = {{"whale", 2.0}};
    fails({"whale"}, examples, options);
    options.class_weights = {{"dog", -2.0}};
    fails({"positive"}, examples, options);
    options = {};
    options.task = HeadTask::regression;
    examples[5].value.reset();
    fails({"number"}, examples, options);
    examples[5].value = std::numeric_limits<double>::quiet_NaN();
    fails({"number"}, examples, options);
    options.task = HeadTask::tokens;
    fails({"no labels"}, examples, options);
    examples = animals(30, HeadTask::tokens);
    examples[0].tags.pop_back();
    fails({"tags"}, examples, options);
    examples = animals(30, HeadTask::classification);
    examples[0].split = "eval";
    fails({"eval"}, examples);
    examples[0].split = "";
    options = {};
    options.l2 = -1;
    fails({"l2"}, examples, options);
    options.l2 = std::numeric_limits<double>::infinity();
    fails({"l2"}, examples, options);
    options = {};
    options.optimizer = bert::HeadOptimizer::adam;
    options.learning_rate = 1e300;
    fails({"diverged"}, examples, options);
    options.held_out = 0;
    fails({"diverged"}, examples, options);
    options = {};
    options.held_out = 1;
    fails({"held_out"}, examples, options);
    const auto head = trainer.train(examples);
    examples[0].labels = {"whale"};
    expect_error(ErrorKind::input, {"whale"}, [&] { (void)trainer.evaluate(head, examples); });
}

TEST(HeadMetrics, EqualScikitLearn) {
    // accuracy_score and f1_score(average="macro", zero_division=0) of y_true [0, 0, 1, 2, 2], y_pred [0, 1, 1, 2, 0].
    bert::HeadTargets targets;
    targets.values = bert::RowMatrix<double>::Zero(5, 4);
    Matrix logits = Matrix::Zero(5, 4);
    const int truth[] = {0, 0, 1, 2, 2};
    const int chosen[] = {0, 1, 1, 2, 0};
    for (Index i = 0; i < 5; ++i) {
        targets.values(i, truth[i]) = 1;
        logits(i, chosen[i]) = 1;
    }
    const auto metrics = bert::head_metrics(logits, targets, HeadTask::classification);
    EXPECT_NEAR(*metrics.accuracy, 0.6, 1e-12);
    EXPECT_NEAR(*metrics.macro_f1, (0.5 + 2.0 / 3 + 2.0 / 3) / 3, 1e-12);
    EXPECT_NEAR(metrics.loss, std::log(std::exp(1.0) + 3) - 0.6, 1e-6);
    const auto several = bert::head_metrics(logits.array() - 0.5f, targets, HeadTask::multi_label);
    EXPECT_NEAR(*several.macro_f1, (0.5 + 2.0 / 3 + 2.0 / 3 + 0) / 4, 1e-12);
    expect_error(ErrorKind::shape, {"5 x 3"},
                 [&] { (void)bert::head_metrics(logits.leftCols(3), targets, HeadTask::classification); });
}

/// The gradient against differences of the value.
TEST(HeadObjective, HasTheGradientOfItsValue) {
    Random random(3);
    const auto numbers = random.reals(60, 1.0f);
    const Matrix features = Eigen::Map<const Matrix>(numbers.data(), 12, 5);
    for (const auto task : {HeadTask::classification, HeadTask::multi_label, HeadTask::regression}) {
        bert::HeadTargets targets;
        targets.values = bert::RowMatrix<double>::Zero(12, 3);
        for (Index i = 0; i < 12; ++i) {
            targets.values(i, static_cast<Index>(random.below(3))) = 1;
            targets.row_weights.push_back(0.5 + static_cast<double>(random.below(3)));
        }
        if (task == HeadTask::multi_label) targets.positive_weights = {1.0, 3.0, 0.5};
        const bert::HeadObjective objective(features, targets, task, 0.3);
        bert::Vector<double> x(objective.parameters());
        for (Index i = 0; i < x.size(); ++i) x(i) = static_cast<double>(random.real(2.0f));
        bert::Vector<double> gradient;
        bert::Vector<double> unused;
        const double value = objective(x, gradient);
        std::vector<Index> all;
        for (Index i = 0; i < 12; ++i) all.push_back(i);
        EXPECT_NEAR(objective(x, all, unused), value, 1e-12);
        EXPECT_LE(max_difference(gradient, unused), 1e-12);
        for (Index i = 0; i < x.size(); ++i) {
            constexpr double step = 1e-5;
            bert::Vector<double> moved = x;
            moved(i) += step;
            const double up = objective(moved, unused);
            moved(i) -= 2 * step;
            EXPECT_NEAR((up - objective(moved, unused)) / (2 * step), gradient(i), 1e-7) << static_cast<int>(task);
        }
    }
}

TEST(Optimizers, FindTheMinimum) {
    // Rosenbrock's valley, the usual trap.
    const auto valley = [](const bert::Vector<double>& x, bert::Vector<double>& g) {
        const double a = 1 - x(0);
        const double b = x(1) - x(0) * x(0);
        g.resize(2);
        g << -2 * a - 400 * x(0) * b, 200 * b;
        return a * a + 100 * b * b;
    };
    const bert::Vector<double> start = Eigen::Vector2d(-1.2, 1);
    bert::LbfgsOptions options;
    options.value_tolerance = 0;
    const auto end = bert::minimize_lbfgs(valley, start, options);
    EXPECT_NEAR(end(0), 1, 1e-6);
    EXPECT_NEAR(end(1), 1, 1e-6);
    const auto parabola = [](const bert::Vector<double>& x, const std::vector<Index>& rows, bert::Vector<double>& g) {
        double sum = 0;
        g = bert::Vector<double>::Zero(1);
        for (const Index row : rows) {
            const double difference = x(0) - static_cast<double>(row);
            sum += difference * difference / static_cast<double>(rows.size());
            g(0) += 2 * difference / static_cast<double>(rows.size());
        }
        return sum;
    };
    bert::AdamOptions adam;
    adam.learning_rate = 0.05;
    adam.max_epochs = 2000;
    EXPECT_NEAR(bert::minimize_adam(parabola, 9, bert::Vector<double>::Zero(1), adam)(0), 4.0, 0.1);
    adam.batch_size = 0;
    expect_error(ErrorKind::input, {"batch_size"},
                 [&] { (void)bert::minimize_adam(parabola, 9, bert::Vector<double>::Zero(1), adam); });
}

}  // namespace
