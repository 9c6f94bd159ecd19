// A program as a user may compile it, from headers alone and without a thought for flags: prints the warnings that
// opening a model gave, and how long encoder layers take.
//
//     forward MODEL_FOLDER
#include <bert/model/bert_model.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using bert::Index;
using Clock = std::chrono::steady_clock;

constexpr Index hidden = 384;
constexpr Index tokens = 128;

bert::Matrix values(Index rows, Index cols) {
    bert::Matrix m(rows, cols);
    for (Index i = 0; i < m.size(); ++i) m.data()[i] = 0.004f * static_cast<float>((i * 37 + 11) % 101 - 50);
    return m;
}

template <class W>
bert::Linear<W> linear(Index in, Index out) {
    return bert::Linear<W>(values(out, in), bert::Vector<float>::Zero(out));
}

bert::LayerNorm<float> layer_norm() {
    return {bert::Vector<float>::Ones(hidden), bert::Vector<float>::Zero(hidden), 1e-12};
}

/// Milliseconds of the fastest of several passes through two layers of MiniLM's shape.
template <class W>
double fastest_pass() {
    std::vector<bert::EncoderLayer<W>> layers;
    for (int i = 0; i < 2; ++i) {
        layers.emplace_back(
            bert::MultiHeadAttention<W>(linear<W>(hidden, 3 * hidden), linear<W>(hidden, hidden), 12), layer_norm(),
            bert::FeedForward<W>(linear<W>(hidden, 4 * hidden), linear<W>(4 * hidden, hidden), bert::Activation::gelu),
            layer_norm());
    }
    const bert::Encoder<W> encoder(std::move(layers));
    const std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens), 0);
    bert::Batch batch;
    batch.add(ids.data(), nullptr, ids.size());
    bert::Workspace workspace;
    double best = std::numeric_limits<double>::infinity();
    for (int pass = 0; pass < 8; ++pass) {
        bert::Matrix x = values(tokens, hidden);
        const auto start = Clock::now();
        encoder.forward(x, batch, workspace);
        best = std::min(best, std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    return best;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 1;
    int warnings = 0;
    bert::LoadOptions options;
    options.warning = [&warnings](std::string_view text) {
        warnings += text.find('\n') == text.npos && text.find("bert::compiled") != text.npos;
    };
    (void)bert::BertModel<float>::load(argv[1], options);
    std::cout << "warnings " << warnings << "\nf32 " << fastest_pass<float>() << "\nbf16 "
              << fastest_pass<bert::bfloat16>() << "\nint8 " << fastest_pass<std::int8_t>() << '\n';
}
