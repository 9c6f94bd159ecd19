// The activation functions of `transformers` and PyTorch that have no parameters, by name. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

BERT_NAMESPACE_BEGIN

/// Element-wise functions between the two products of a feed-forward layer, and after pooler and Dense modules.
enum class Activation {
    gelu,        ///< exact: x/2 (1 + erf(x/sqrt 2)), https://arxiv.org/abs/1606.08415
    gelu_tanh,   ///< its tanh approximation, as in the original BERT code
    gelu_10,     ///< gelu clipped to [-10, 10]
    quick_gelu,  ///< x sigmoid(1.702 x)
    relu,
    relu2,       ///< relu squared
    relu6,       ///< relu clipped to 6
    leaky_relu,  ///< slope 0.01 below zero
    silu,        ///< x sigmoid(x)
    sigmoid,
    tanh,
    mish,       ///< x tanh(softplus x)
    hardswish,  ///< x relu6(x + 3)/6
    laplace,    ///< https://arxiv.org/abs/2209.10655
    sqrt_softplus,
    identity,
};

/// The activation that `config.json` calls `name` ("gelu", "gelu_new", ...; the keys of transformers' ACT2FN).
inline std::optional<Activation> activation_from_name(std::string_view name) {
    constexpr std::pair<std::string_view, Activation> names[] = {
        {"gelu", Activation::gelu},
        {"gelu_python", Activation::gelu},
        {"gelu_new", Activation::gelu_tanh},
        {"gelu_fast", Activation::gelu_tanh},
        {"gelu_accurate", Activation::gelu_tanh},
        {"gelu_pytorch_tanh", Activation::gelu_tanh},
        {"gelu_python_tanh", Activation::gelu_tanh},
        {"gelu_10", Activation::gelu_10},
        {"quick_gelu", Activation::quick_gelu},
        {"relu", Activation::relu},
        {"relu2", Activation::relu2},
        {"relu6", Activation::relu6},
        {"leaky_relu", Activation::leaky_relu},
        {"silu", Activation::silu},
        {"swish", Activation::silu},
        {"sigmoid", Activation::sigmoid},
        {"tanh", Activation::tanh},
        {"mish", Activation::mish},
        {"hardswish", Activation::hardswish},
        {"laplace", Activation::laplace},
        {"sqrtsoftplus", Activation::sqrt_softplus},
        {"linear", Activation::identity},
    };
    for (const auto& [known, activation] : names) {
        if (known == name) return activation;
    }
    return std::nullopt;
}

/// The value of `activation` at x.
template <class T>
T activate(Activation activation, T x) {
    const auto logistic = [](T v) { return T(1) / (T(1) + std::exp(-v)); };
    // PyTorch's softplus: linear above 20, where the exponential no longer matters in its precision.
    const auto softplus = [](T v) { return v > T(20) ? v : std::log1p(std::exp(v)); };
    const auto gelu = [](T v) { return T(0.5) * v * (T(1) + std::erf(v * T(0.70710678118654752440))); };
    switch (activation) {
        case Activation::gelu: return gelu(x);
        case Activation::gelu_tanh:
            return T(0.5) * x * (T(1) + std::tanh(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x)));
        case Activation::gelu_10: return std::min(std::max(gelu(x), T(-10)), T(10));
        case Activation::quick_gelu: return x * logistic(T(1.702) * x);
        case Activation::relu: return std::max(x, T(0));
        case Activation::relu2: return std::max(x, T(0)) * std::max(x, T(0));
        case Activation::relu6: return std::min(std::max(x, T(0)), T(6));
        case Activation::leaky_relu: return x > T(0) ? x : x * T(0.01);
        case Activation::silu: return x * logistic(x);
        case Activation::sigmoid: return logistic(x);
        case Activation::tanh: return std::tanh(x);
        case Activation::mish: return x * std::tanh(softplus(x));
        case Activation::hardswish: return x * std::min(std::max(x + T(3), T(0)), T(6)) / T(6);
        case Activation::laplace:
            return T(0.5) * (T(1) + std::erf((x - T(0.707107)) / (T(0.282095) * T(1.41421356237309504880))));
        case Activation::sqrt_softplus: return std::sqrt(softplus(x));
        case Activation::identity: return x;
    }
    return x;
}

BERT_NAMESPACE_END
