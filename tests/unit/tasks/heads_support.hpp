// What the tests of tasks with a head share: the tiny models of tests/golden/heads, changed where a case says so, and
// the cases themselves. Depends on test_support.
#pragma once

#include "../test_support.hpp"

#include <bert/tasks/task_model.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bert_test {

inline fs::path heads() {
    return data_dir() / "heads";
}

/// The recorded cases of heads/<name>.json.
inline Json recorded(const std::string& name) {
    return read_json(heads() / (name + ".json")).at("cases");
}

/// A copy of heads/<model>, with other files laid over it and keys of config.json set.
class HeadModel {
public:
    explicit HeadModel(const std::string& model, const Json& config = Json::object(), const std::string& overlay = {}) {
        copy_into(heads() / model, path());
        if (!overlay.empty()) copy_into(heads() / overlay, path());
        for (const auto& [key, value] : config.items()) set_key(path() / "config.json", key, value);
    }

    const fs::path& path() const { return folder_.path(); }

private:
    TempFolder folder_;
};

/// Opens a task once for each run of cases with the same model, configuration and overlay.
template <class TaskClass>
class Opened {
public:
    const TaskClass& of(const std::string& model, const Json& config = Json::object(),
                        const std::string& overlay = {}) {
        const std::string key = model + "|" + config.dump() + "|" + overlay;
        if (key != key_) {
            const HeadModel folder(model, config, overlay);
            // Embedding tables stay in the file: reading it whole lets the copy go.
            bert::TaskOptions options;
            options.load.memory_map = false;
            options.threads = 2;
            options.token_budget = 64;
            task_ = std::make_unique<TaskClass>(folder.path(), options);
            key_ = key;
        }
        return *task_;
    }

private:
    std::string key_;
    std::unique_ptr<TaskClass> task_;
};

inline std::vector<std::string> strings(const Json& list) {
    return list.get<std::vector<std::string>>();
}

/// Follows the largest difference of a comparison, and expects each to be small.
class Worst {
public:
    Worst(std::string what, double tolerance) : what_(std::move(what)), tolerance_(tolerance) {}
    ~Worst() { report_worst(what_, worst_); }
    Worst(const Worst&) = delete;
    Worst& operator=(const Worst&) = delete;

    void compare(double given, double expected, const std::string& where = {}) {
        const double difference = std::abs(given - expected);
        EXPECT_LE(difference, tolerance_ * std::max(1.0, std::abs(expected))) << where;
        worst_ = std::max(worst_, difference);
    }

private:
    std::string what_;
    double tolerance_;
    double worst_ = 0;
};

/// Runs `function` on four threads at once.
template <class Function>
void on_four_threads(const Function& function) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { function(); });
    for (auto& thread : threads) thread.join();
}

}  // namespace bert_test
