// What several tests share: temporary folders, fixtures and golden numbers, files written by hand, and expectations
// about errors. Reads safetensors and JSON without the library, so that a mistake there cannot hide itself.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bert_test {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The folder of committed golden data, tests/golden.
inline fs::path data_dir() {
    return BERT_TEST_DATA_DIR;
}
inline fs::path bert_models() {
    return data_dir() / "models" / "bert";
}
inline fs::path sentence_models() {
    return data_dir() / "models" / "sentence";
}

/// A new empty folder, removed with all it holds at the end of the scope.
class TempFolder {
public:
    TempFolder() {
        static std::atomic<unsigned> count{0};
        std::random_device random;
        do {
            path_ = fs::temp_directory_path() /
                    ("bert_test_" + std::to_string(random()) + "_" + std::to_string(count.fetch_add(1)));
        } while (!fs::create_directory(path_));
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ec;
        fs::remove_all(path_, ec);
    }

    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

inline std::string read_bytes(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("test data is missing: " + path.string());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_bytes(const fs::path& path, std::string_view content) {
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!out) throw std::runtime_error("cannot write " + path.string());
}

inline Json read_json(const fs::path& path) {
    return Json::parse(read_bytes(path));
}
inline void write_json(const fs::path& path, const Json& json) {
    write_bytes(path, json.dump(1));
}

/// Sets one member of a JSON object in a file.
inline void set_key(const fs::path& path, const std::string& key, const Json& value) {
    Json json = read_json(path);
    json[key] = value;
    write_json(path, json);
}

inline void remove_key(const fs::path& path, const std::string& key) {
    Json json = read_json(path);
    json.erase(key);
    write_json(path, json);
}

/// Copies the content of folder `from` into folder `to`, which may exist: files of the same name are replaced.
inline void copy_into(const fs::path& from, const fs::path& to) {
    fs::create_directories(to);
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

/// Puts the model folder of a variant of tests/golden/models/sentence together in `folder`.
inline void assemble_sentence_model(const std::string& variant, const fs::path& folder) {
    const Json variants = read_json(sentence_models() / "variants.json");
    copy_into(sentence_models() / "transformer",
              folder / variants.at(variant).at("transformer_path").get<std::string>());
    const auto overlay = sentence_models() / "variants" / variant;
    if (fs::exists(overlay)) copy_into(overlay, folder);
}

/// A tensor to be written or one that was read: its type as the format writes it, shape and little-endian bytes.
struct RawTensor {
    std::string name;
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::string data;
};

inline RawTensor float_tensor(std::string name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
    std::string data(values.size() * sizeof(float), '\0');
    if (!data.empty()) std::memcpy(data.data(), values.data(), data.size());
    return {std::move(name), "F32", std::move(shape), std::move(data)};
}

/// The bytes of a safetensors file with this header text and data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
    const std::uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes.append(header).append(data);
}

inline void write_safetensors(const fs::path& path, const std::vector<RawTensor>& tensors) {
    Json header = Json::object();
    std::string data;
    for (const auto& tensor : tensors) {
        const std::size_t begin = data.size();
        data += tensor.data;
        header[tensor.name] = {
            {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    write_bytes(path, safetensors_bytes(header.dump(), data));
}

/// All tensors of a well-formed safetensors file, in the order of the header.
inline std::vector<RawTensor> read_raw_safetensors(const fs::path& path) {
    const std::string bytes = read_bytes(path);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const Json header = Json::parse(bytes.substr(sizeof length, length));
    std::vector<RawTensor> tensors;
    for (const auto& [name, entry] : header.items()) {
        if (name == "__metadata__") continue;
        const auto begin = entry["data_offsets"][0].get<std::size_t>();
        const auto end = entry["data_offsets"][1].get<std::size_t>();
        tensors.push_back({name, entry["dtype"].get<std::string>(), entry["shape"].get<std::vector<std::int64_t>>(),
                           bytes.substr(sizeof length + length + begin, end - begin)});
    }
    return tensors;
}

/// Changes the tensors of a checkpoint in place.
template <class Change>
void edit_tensors(const fs::path& path, const Change& change) {
    auto tensors = read_raw_safetensors(path);
    change(tensors);
    write_safetensors(path, tensors);
}

/// The tensor of that name, for editing.
inline RawTensor& tensor_named(std::vector<RawTensor>& tensors, const std::string& name) {
    for (auto& tensor : tensors) {
        if (tensor.name == name) return tensor;
    }
    throw std::runtime_error("test data has no tensor " + name);
}

/// Expected numbers, by name, from a safetensors file of tests/golden.
class Golden {
public:
    explicit Golden(const fs::path& path) : path_(path), tensors_(read_raw_safetensors(path)) {}

    bool has(const std::string& name) const {
        return std::any_of(tensors_.begin(), tensors_.end(), [&](const RawTensor& t) { return t.name == name; });
    }

    const std::vector<std::int64_t>& shape(const std::string& name) const { return tensor(name).shape; }

    /// The values of a tensor of type F32, F64 or I64, converted to T.
    template <class T>
    std::vector<T> values(const std::string& name) const {
        const RawTensor& t = tensor(name);
        if (t.dtype == "F32") return convert<T, float>(t.data);
        if (t.dtype == "F64") return convert<T, double>(t.data);
        if (t.dtype == "I64") return convert<T, std::int64_t>(t.data);
        throw std::runtime_error(path_.string() + ": " + name + " is of type " + t.dtype);
    }

    /// A tensor of two dimensions as a matrix.
    template <class T>
    bert::RowMatrix<T> matrix(const std::string& name) const {
        const auto& extents = shape(name);
        if (extents.size() != 2) throw std::runtime_error(path_.string() + ": " + name + " is no matrix");
        const auto flat = values<T>(name);
        return Eigen::Map<const bert::RowMatrix<T>>(flat.data(), extents[0], extents[1]);
    }

private:
    const RawTensor& tensor(const std::string& name) const {
        for (const auto& t : tensors_) {
            if (t.name == name) return t;
        }
        throw std::runtime_error(path_.string() + " has no tensor " + name);
    }

    template <class T, class Stored>
    static std::vector<T> convert(const std::string& data) {
        std::vector<T> out(data.size() / sizeof(Stored));
        for (std::size_t i = 0; i < out.size(); ++i) {
            Stored value;
            std::memcpy(&value, data.data() + i * sizeof(Stored), sizeof value);
            out[i] = static_cast<T>(value);
        }
        return out;
    }

    fs::path path_;
    std::vector<RawTensor> tensors_;
};

/// Reproducible numbers for made-up weights and inputs: the same on every standard library.
class Random {
public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}

    /// An integer of [0, end).
    std::size_t below(std::size_t end) { return engine_() % end; }

    /// A number of [-scale, scale).
    float real(float scale) { return scale * (static_cast<float>(engine_() >> 8) / 8388608.0f - 1.0f); }

    std::vector<float> reals(std::size_t count, float scale) {
        std::vector<float> values(count);
        for (float& value : values) value = real(scale);
        return values;
    }

private:
    std::mt19937 engine_;
};

/// Sizes of a made-up model.
struct ModelSizes {
    std::int64_t vocab = 50;
    std::int64_t hidden = 24;
    std::int64_t layers = 2;
    std::int64_t heads = 3;
    std::int64_t inner = 40;
    std::int64_t positions = 512;
    std::int64_t types = 2;
};

/// Writes config.json and model.safetensors of a model with random weights, large enough to make attention uneven.
inline void write_random_model(const fs::path& folder, const ModelSizes& sizes, std::uint32_t seed) {
    write_json(folder / "config.json", {{"model_type", "bert"},
                                        {"vocab_size", sizes.vocab},
                                        {"hidden_size", sizes.hidden},
                                        {"num_hidden_layers", sizes.layers},
                                        {"num_attention_heads", sizes.heads},
                                        {"intermediate_size", sizes.inner},
                                        {"max_position_embeddings", sizes.positions},
                                        {"type_vocab_size", sizes.types}});
    Random random(seed);
    std::vector<RawTensor> tensors;
    const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
        std::int64_t count = 1;
        for (const auto extent : shape) count *= extent;
        // Products of weights and features of size one should be of size one again.
        const float scale = shape.size() == 1 ? 0.5f : 2.5f / std::sqrt(static_cast<float>(shape[1]));
        tensors.push_back(float_tensor(name, shape, random.reals(static_cast<std::size_t>(count), scale)));
    };
    const auto add_linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
        add(name + ".weight", {out, in});
        add(name + ".bias", {out});
    };
    const auto add_norm = [&](const std::string& name) {
        auto weight = random.reals(static_cast<std::size_t>(sizes.hidden), 0.5f);
        for (float& value : weight) value += 1.0f;
        tensors.push_back(float_tensor(name + ".LayerNorm.weight", {sizes.hidden}, weight));
        add(name + ".LayerNorm.bias", {sizes.hidden});
    };
    add("embeddings.word_embeddings.weight", {sizes.vocab, sizes.hidden});
    add("embeddings.position_embeddings.weight", {sizes.positions, sizes.hidden});
    add("embeddings.token_type_embeddings.weight", {sizes.types, sizes.hidden});
    add_norm("embeddings");
    for (std::int64_t i = 0; i < sizes.layers; ++i) {
        const std::string layer = "encoder.layer." + std::to_string(i);
        for (const char* part : {"query", "key", "value"}) {
            add_linear(layer + ".attention.self." + part, sizes.hidden, sizes.hidden);
        }
        add_linear(layer + ".attention.output.dense", sizes.hidden, sizes.hidden);
        add_norm(layer + ".attention.output");
        add_linear(layer + ".intermediate.dense", sizes.hidden, sizes.inner);
        add_linear(layer + ".output.dense", sizes.inner, sizes.hidden);
        add_norm(layer + ".output");
    }
    add_linear("pooler.dense", sizes.hidden, sizes.hidden);
    write_safetensors(folder / "model.safetensors", tensors);
}

/// Largest absolute difference of two matrices of one shape; infinite where shapes differ or a value is not finite.
template <class A, class B>
double max_difference(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (a.rows() != b.rows() || a.cols() != b.cols()) return infinity;
    double worst = 0;
    for (bert::Index row = 0; row < a.rows(); ++row) {
        for (bert::Index column = 0; column < a.cols(); ++column) {
            const double difference =
                std::abs(static_cast<double>(a(row, column)) - static_cast<double>(b(row, column)));
            if (!std::isfinite(difference)) return infinity;
            worst = std::max(worst, difference);
        }
    }
    return worst;
}

/// Whether two matrices have the same shape and the same bits.
template <class T>
bool same_bits(const bert::RowMatrix<T>& a, const bert::RowMatrix<T>& b) {
    return a.rows() == b.rows() && a.cols() == b.cols() &&
           (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(T)) == 0);
}

/// Shows in the output how close a comparison came to its tolerance.
inline void report_worst(const std::string& what, double worst) {
    std::cout << "[    worst ] " << what << ": " << worst << '\n';
}

/// Expects `function` to throw a bert::Error of that kind whose message contains all the given parts.
template <class Function>
void expect_error(bert::ErrorKind kind, const std::vector<std::string>& parts, const Function& function) {
    try {
        function();
    } catch (const bert::Error& error) {
        EXPECT_EQ(bert::to_string(error.kind()), std::string(bert::to_string(kind))) << error.what();
        for (const auto& part : parts) {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
                << "expected \"" << part << "\" in: " << error.what();
        }
        return;
    } catch (const std::exception& error) {
        FAIL() << "expected a bert::Error, caught: " << error.what();
    }
    FAIL() << "expected an error of kind " << bert::to_string(kind) << ", but the call succeeded";
}

}  // namespace bert_test
