// How the time of a forward pass divides: dense products, attention, and all that is neither. Depends on the library
// alone.
//
//     bert_bench_shares MODEL_FOLDER [TOKENS]
//
// Times a pass over one text (128 tokens) on one thread, and its parts by themselves: layers of the model's own sizes,
// as many as it has, one after another, so that weights come from where they come from in the pass. All take turns, and
// the fastest turn of each counts. What is fused and cannot be timed alone is told by a difference:
//
//     GELU          the product before it with GELU, less the same without
//     softmax       attention with all heads, less attention with half as many of twice the width: the products are as
//                   large, the rows of scores half as many; times two
//     conversion    of activations to bfloat16 or 8 bits: twice a product with half the outputs, less that with all
//
// Prints a line for each part: the weights, the part, milliseconds and percent of the pass; in the end the percentages
// of all that is no dense product, with and without the two products inside attention.
#include <bert/model/bert_model.hpp>
#include <bert/nn/pooling.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using bert::Index;
using bert::Matrix;
using Clock = std::chrono::steady_clock;

/// Values of both signs; those of weights small enough that nothing overflows.
Matrix values(Index rows, Index cols) {
    Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = 0.002f * static_cast<float>((i * 37 + 11) % 101 - 50);
    return m;
}

/// Parts of a pass that take turns.
class Parts {
public:
    void add(std::string name, std::function<void()> run) {
        parts_.push_back({std::move(name), std::move(run), std::numeric_limits<double>::infinity()});
    }

    void measure(int rounds) {
        for (int round = 0; round < rounds; ++round) {
            for (Part& part : parts_) {
                const auto start = Clock::now();
                part.run();
                const std::chrono::duration<double, std::milli> time = Clock::now() - start;
                part.milliseconds = std::min(part.milliseconds, time.count());
            }
        }
    }

    double operator[](const std::string& name) const {
        for (const Part& part : parts_) {
            if (part.name == name) return part.milliseconds;
        }
        return 0.0;
    }

private:
    struct Part {
        std::string name;
        std::function<void()> run;
        double milliseconds;
    };
    std::vector<Part> parts_;
};

/// One shape of product, with weights for each layer of the model.
template <class W>
class Product {
public:
    Product(Index in, Index out, Index layers) : y_(), out_(out) {
        for (Index i = 0; i < layers; ++i) layers_.emplace_back(values(out, in), bert::Vector<float>::Zero(out));
    }

    void run(const Matrix& x, bert::Workspace& workspace, bert::Activation activation = bert::Activation::identity) {
        y_.resize(x.rows(), out_);
        for (const auto& layer : layers_) layer.forward(x, y_, workspace, activation);
    }

    void run_add(const Matrix& x, const Matrix& residual, bert::Workspace& workspace) {
        y_.resize(x.rows(), out_);
        for (const auto& layer : layers_) layer.forward_add(x, residual, y_, workspace);
    }

private:
    std::vector<bert::Linear<W>> layers_;
    Matrix y_;
    Index out_;
};

struct Shape {
    const char* name;
    Index in;
    Index out;
};

template <class W>
void report(const char* folder, const char* weights, Index tokens) {
    const auto model = bert::BertModel<W>::load(folder);
    const bert::ModelConfig& config = model.config();
    const Index hidden = config.hidden_size;
    const Index layers = config.num_hidden_layers;
    const Index heads = config.num_attention_heads;
    if (heads % 2 != 0) bert::detail::fail(bert::ErrorKind::unsupported, "shares need an even number of heads");
    const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 1000 % static_cast<int>(config.vocab_size));
    bert::Batch batch;
    batch.add(ids.data(), nullptr, ids.size());
    bert::Workspace workspace;
    Matrix x(tokens, hidden);
    model.embeddings().forward(batch, x, workspace);
    const Matrix narrow = x;
    const Matrix wide =
        x.replicate(1, (config.intermediate_size + hidden - 1) / hidden).leftCols(config.intermediate_size);
    Matrix context(tokens, hidden);
    Matrix vector(1, hidden);
    std::vector<double> sums(static_cast<std::size_t>(hidden));

    const Shape shapes[] = {{"qkv", hidden, 3 * hidden},
                            {"output", hidden, hidden},
                            {"up", hidden, config.intermediate_size},
                            {"down", config.intermediate_size, hidden}};
    std::vector<Product<W>> products;
    std::vector<Product<W>> halves;
    for (const Shape& shape : shapes) {
        products.emplace_back(shape.in, shape.out, layers);
        halves.emplace_back(shape.in, shape.out / 2, layers);
    }
    std::vector<bert::MultiHeadAttention<W>> half_heads;
    for (Index i = 0; i < layers; ++i) {
        half_heads.emplace_back(bert::Linear<W>(values(3 * hidden, hidden), bert::Vector<float>::Zero(3 * hidden)),
                                bert::Linear<W>(values(hidden, hidden), bert::Vector<float>::Zero(hidden)), heads / 2);
    }
    const bert::LayerNorm<float> norm(bert::Vector<float>::Ones(hidden), bert::Vector<float>::Zero(hidden), 1e-12);

    const auto pool = [&] {
        bert::pool(bert::PoolingMode::mean, x, 0, sums.data(), vector.data());
        bert::normalize_rows(vector);
    };
    Parts parts;
    parts.add("pass", [&] {
        model.forward(batch, x, workspace);
        pool();
    });
    parts.add("embeddings", [&] { model.embeddings().forward(batch, x, workspace); });
    for (std::size_t i = 0; i < products.size(); ++i) {
        const Matrix& from = shapes[i].in == hidden ? narrow : wide;
        const bool adds = shapes[i].out == hidden;
        parts.add(shapes[i].name, [&, i, adds] {
            if (adds) products[i].run_add(from, narrow, workspace);
            else products[i].run(from, workspace);
        });
        if (!std::is_same_v<W, float>) {
            parts.add(std::string("whole ") + shapes[i].name, [&, i] { products[i].run(from, workspace); });
            parts.add(std::string("half ") + shapes[i].name, [&, i] { halves[i].run(from, workspace); });
        }
    }
    parts.add("up with GELU", [&] { products[2].run(narrow, workspace, bert::Activation::gelu); });
    parts.add("attention", [&] {
        for (const auto& layer : model.encoder().layers()) layer.attention().attend(narrow, batch, context, workspace);
    });
    parts.add("attention of half the heads", [&] {
        for (const auto& attention : half_heads) attention.attend(narrow, batch, context, workspace);
    });
    parts.add("layer norm", [&] {
        for (Index i = 0; i < 2 * layers; ++i) norm.forward(context, workspace);
    });
    parts.add("pooling", pool);
    parts.measure(60);

    const double pass = parts["pass"];
    const auto print = [&](const std::string& name, double milliseconds) {
        std::cout << std::left << std::setw(6) << weights << std::setw(22) << name << std::right << std::fixed
                  << std::setprecision(3) << std::setw(9) << milliseconds << std::setprecision(1) << std::setw(7)
                  << 100.0 * milliseconds / pass << '\n';
    };
    double conversion = 0;
    double dense = 0;
    for (const Shape& shape : shapes) {
        dense += parts[shape.name];
        const std::string name = shape.name;
        conversion += std::max(0.0, 2 * parts["half " + name] - parts["whole " + name]);
    }
    dense -= conversion;
    const double gelu = std::max(0.0, parts["up with GELU"] - parts["up"]);
    const double softmax = std::max(0.0, 2 * (parts["attention"] - parts["attention of half the heads"]));
    const double in_attention = parts["attention"] - parts["qkv"] - softmax;
    const double known = dense + in_attention + softmax + gelu + parts["layer norm"] + conversion +
                         parts["embeddings"] + parts["pooling"];
    print("pass", pass);
    print("dense products", dense);
    print("attention's products", in_attention);
    print("softmax", softmax);
    print("GELU", gelu);
    print("layer norm", parts["layer norm"]);
    print("conversion", conversion);
    print("embeddings", parts["embeddings"]);
    print("pooling", parts["pooling"]);
    print("rest", pass - known);
    print("no dense product", pass - dense);
    print("no product at all", pass - dense - in_attention);
}

Index parse(const char* text) {
    Index value = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc() || *end != '\0' || value < 1) {
        bert::detail::fail(bert::ErrorKind::input, "\"", text, "\" is no number of tokens");
    }
    return value;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: bert_bench_shares MODEL_FOLDER [TOKENS]\n";
        return 1;
    }
    try {
        const Index tokens = argc == 3 ? parse(argv[2]) : 128;
        report<float>(argv[1], "f32", tokens);
        report<bert::bfloat16>(argv[1], "bf16", tokens);
        report<std::int8_t>(argv[1], "int8", tokens);
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
