// Definitions of tasks/optimizer.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/tasks/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The quasi-Newton direction: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).
BERT_INLINE Vector<double> lbfgs_direction(const Vector<double>& gradient, const std::deque<LbfgsStep>& steps) {
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
BERT_INLINE bool wolfe_step(const Objective& objective, const Vector<double>& direction, double first,
                            Vector<double>& x, double& value, Vector<double>& gradient) {
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

BERT_INLINE Vector<double> minimize_lbfgs(const Objective& objective, Vector<double> x, const LbfgsOptions& options,
                                          const AfterIteration& after) {
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

namespace detail {

BERT_INLINE void shuffle(std::vector<Index>& items, std::mt19937& random) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

}  // namespace detail

BERT_INLINE Vector<double> minimize_adam(const StochasticObjective& objective, Index examples, Vector<double> x,
                                         const AdamOptions& options, const AfterIteration& after) {
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
