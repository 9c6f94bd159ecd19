// Minimising a smooth function of many variables: L-BFGS and Adam, in double precision and deterministic. Depends on
// core.
#pragma once

#include <bert/core/matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

BERT_NAMESPACE_BEGIN

/// The value of a function at x; writes its gradient, of x's size.
using Objective = std::function<double(const Vector<double>& x, Vector<double>& gradient)>;

/// The value and gradient of a function that is a mean over examples, taken over some of them.
using StochasticObjective =
    std::function<double(const Vector<double>& x, const std::vector<Index>& examples, Vector<double>& gradient)>;

/// Called after every iteration with the point reached; false ends the search there.
using AfterIteration = std::function<bool(std::size_t iteration, const Vector<double>& x, double value)>;

/// When minimize_lbfgs() ends, and what it remembers.
struct LbfgsOptions {
    std::size_t max_iterations = 200;  ///< of the whole set of examples
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

}  // namespace detail

/// Minimises `objective` from `x` on by limited-memory BFGS (Liu and Nocedal 1989). Returns the last point.
Vector<double> minimize_lbfgs(const Objective& objective, Vector<double> x, const LbfgsOptions& options = {},
                              const AfterIteration& after = {});

/// How Adam steps, with the names of the paper (Kingma and Ba, 2015).
struct AdamOptions {
    std::size_t max_epochs = 200;  ///< passes over the examples
    std::size_t batch_size = 32;   ///< examples a step
    double learning_rate = 0.01;   ///< size of a step, where gradients agree
    double beta1 = 0.9;            ///< decay of the mean of gradients
    double beta2 = 0.999;          ///< decay of the mean of their squares
    double epsilon = 1e-8;         ///< added to the root of that mean
    std::uint32_t seed = 0;        ///< of the order in which examples come
};

namespace detail {

/// Shuffles the same way on every standard library.
void shuffle(std::vector<Index>& items, std::mt19937& random);

}  // namespace detail

/// Minimises the mean over `examples` examples from `x` on by Adam (Kingma and Ba 2014,
/// https://arxiv.org/abs/1412.6980), `after` being called after every epoch with the mean value of its batches. Returns
/// the last point.
Vector<double> minimize_adam(const StochasticObjective& objective, Index examples, Vector<double> x,
                             const AdamOptions& options = {}, const AfterIteration& after = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/tasks/optimizer.ipp>
#endif
