// Minimising a smooth function of many variables: L-BFGS and Adam, in double precision and deterministic. Depends on
// core.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The value of a function at x; writes its gradient, of x's size.
using Objective = std::function<double(const Vector<double>& x, Vector<double>& gradient)>;

/// The value and gradient of a function that is a mean over examples, taken over some of them.
using StochasticObjective =
    std::function<double(const Vector<double>& x, const std::vector<Index>& examples, Vector<double>& gradient)>;

/// Called after every iteration with the point reached; false ends the search there.
using AfterIteration = std::function<bool(std::size_t iteration, const Vector<double>& x, double value)>;

struct LbfgsOptions {
    std::size_t max_iterations = 200;
    std::size_t history = 10;          ///< steps remembered
    double gradient_tolerance = 1e-6;  ///< ends where no component of the gradient is larger
    double value_tolerance = 1e-10;    ///< ends where an iteration gains less, relative to the value
};

namespace detail {

struct LbfgsStep {
    Vector<double> s;  // change of x
    Vector<double> y;  // change of the gradient
    double rho;        // 1 / (s . y)
};

/// The quasi-Newton direction: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).
inline Vector<double> lbfgs_direction(const Vector<double>& gradient, const std::deque<LbfgsStep>& steps) {
    Vector<double> q = -gradient;
    std::vector<double> alpha(steps.size());
    for (std::size_t i = steps.size(); i-- > 0;) {
        alpha[i] = steps[i].rho * steps[i].s.dot(q);
        q -= alpha[i] * steps[i].y;
    }
    if (!steps.empty()) q /= steps.back().rho * steps.back().y.squaredNorm();
    for (std::size_t i = 0; i < steps.size(); ++i) q += (alpha[i] - steps[i].rho * steps[i].y.dot(q)) * steps[i].s;
    return q;
}

/// A step along `direction` that fulfils the weak Wolfe conditions, found by bisection (Lewis and Overton 2013, section
/// 3). Moves x, value and gradient there; false where there is none.
inline bool wolfe_step(const Objective& objective, const Vector<double>& direction, double first, Vector<double>& x,
                       double& value, Vector<double>& gradient) {
    constexpr double decrease = 1e-4;
    constexpr double curvature = 0.9;
    constexpr int most_trials = 60;
    const double slope = gradient.dot(direction);
    if (!(slope < 0)) return false;
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
    double step = first;
    Vector<double> next_gradient(gradient.size());
    for (int trial = 0; trial < most_trials; ++trial) {
        const Vector<double> next = x + step * direction;
        const double next_value = objective(next, next_gradient);
        const bool enough = next_value <= value + decrease * step * slope;
        if (enough && next_gradient.dot(direction) >= curvature * slope) {
            x = next;
            value = next_value;
            gradient = next_gradient;
            return true;
        }
        (enough ? low : high) = step;
        step = std::isinf(high) ? 2 * low : (low + high) / 2;
    }
    return false;
}

}  // namespace detail

/// Minimises `objective` from `x` on by limited-memory BFGS (Liu and Nocedal 1989). Returns the last point.
inline Vector<double> minimize_lbfgs(const Objective& objective, Vector<double> x, const LbfgsOptions& options = {},
                                     const AfterIteration& after = {}) {
    Vector<double> gradient(x.size());
    double value = objective(x, gradient);
    std::deque<detail::LbfgsStep> steps;
    for (std::size_t iteration = 1; iteration <= options.max_iterations; ++iteration) {
        if (gradient.size() == 0 || gradient.cwiseAbs().maxCoeff() <= options.gradient_tolerance) break;
        const Vector<double> old_x = x;
        const Vector<double> old_gradient = gradient;
        const double old_value = value;
        // The first step is along the plain gradient, whose length says little.
        const double first = steps.empty() ? std::min(1.0, 1.0 / gradient.norm()) : 1.0;
        if (!detail::wolfe_step(objective, detail::lbfgs_direction(gradient, steps), first, x, value, gradient)) break;

        detail::LbfgsStep step{x - old_x, gradient - old_gradient, 0};
        const double product = step.s.dot(step.y);
        if (product > 0) {
            step.rho = 1 / product;
            steps.push_back(std::move(step));
            if (steps.size() > options.history) steps.pop_front();
        }
        if (after && !after(iteration, x, value)) break;
        const double scale = std::max({std::abs(value), std::abs(old_value), 1e-3});
        if (old_value - value <= options.value_tolerance * scale) break;
    }
    return x;
}

struct AdamOptions {
    std::size_t max_epochs = 200;
    std::size_t batch_size = 32;
    double learning_rate = 0.01;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    std::uint32_t seed = 0;  ///< of the order in which examples come
};

namespace detail {

/// Shuffles the same way on every standard library.
inline void shuffle(std::vector<Index>& items, std::mt19937& random) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

}  // namespace detail

/// Minimises the mean over `examples` examples from `x` on by Adam (Kingma and Ba 2014,
/// https://arxiv.org/abs/1412.6980), `after` being called after every epoch with the mean value of its batches. Returns
/// the last point.
inline Vector<double> minimize_adam(const StochasticObjective& objective, Index examples, Vector<double> x,
                                    const AdamOptions& options = {}, const AfterIteration& after = {}) {
    if (options.batch_size < 1) detail::fail(ErrorKind::input, "Adam: batch_size should be at least 1, given 0");
    std::mt19937 random(options.seed);
    std::vector<Index> order(static_cast<std::size_t>(examples));
    std::iota(order.begin(), order.end(), Index{0});
    Vector<double> gradient(x.size());
    Vector<double> mean = Vector<double>::Zero(x.size());
    Vector<double> square = Vector<double>::Zero(x.size());
    double power1 = 1;
    double power2 = 1;
    for (std::size_t epoch = 1; epoch <= options.max_epochs && !order.empty(); ++epoch) {
        detail::shuffle(order, random);
        double value = 0;
        for (std::size_t first = 0; first < order.size(); first += options.batch_size) {
            const std::size_t last = std::min(first + options.batch_size, order.size());
            const std::vector<Index> batch(order.begin() + static_cast<std::ptrdiff_t>(first),
                                           order.begin() + static_cast<std::ptrdiff_t>(last));
            value += objective(x, batch, gradient) * static_cast<double>(batch.size());
            power1 *= options.beta1;
            power2 *= options.beta2;
            mean = options.beta1 * mean + (1 - options.beta1) * gradient;
            square = options.beta2 * square + (1 - options.beta2) * gradient.cwiseAbs2();
            x.array() -= options.learning_rate * (mean.array() / (1 - power1)) /
                         ((square.array() / (1 - power2)).sqrt() + options.epsilon);
        }
        if (after && !after(epoch, x, value / static_cast<double>(order.size()))) break;
    }
    return x;
}

BERT_NAMESPACE_END
