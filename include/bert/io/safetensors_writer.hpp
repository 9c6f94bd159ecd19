// Writing the safetensors format. Depends on io/json, io/safetensors and io/atomic_file.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/error.hpp>
#include <bert/io/atomic_file.hpp>
#include <bert/io/json.hpp>
#include <bert/io/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A tensor of floats to be written. `fill` puts its values, row-major, into the memory it gets: tensors are made one
/// at a time, so that a whole model never has to be in memory twice.
struct FloatTensor {
    std::string name;
    std::vector<Index> shape;
    std::function<void(float*)> fill;

    std::size_t elements() const noexcept {
        std::size_t product = 1;
        for (const Index extent : shape) product *= static_cast<std::size_t>(extent);
        return product;
    }
};

/// Writes tensors of type F32 as one file, in the order of their names, with {"format": "pt"} as metadata, which
/// transformers asks for. The file appears as a whole or not at all. Errors: file; input (a name given twice); what
/// `fill` throws.
inline void write_safetensors(const std::filesystem::path& path, std::vector<FloatTensor> tensors) {
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    detail::JsonDocument header = detail::Json{{"__metadata__", {{"format", "pt"}}}};
    std::uint64_t offset = 0;
    for (const FloatTensor& tensor : tensors) {
        if (header.contains(tensor.name)) {
            detail::fail(ErrorKind::input, path, ": tensor \"", tensor.name, "\" is given twice");
        }
        const std::uint64_t end = offset + tensor.elements() * sizeof(float);
        header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');  // data begins at a multiple of 8 bytes

    detail::AtomicFile file(path);
    const std::uint64_t length = text.size();
    file.write(&length, sizeof length);
    file.write(text);
    std::vector<float> values;
    for (const FloatTensor& tensor : tensors) {
        values.resize(tensor.elements());
        tensor.fill(values.data());
        file.write(values.data(), values.size() * sizeof(float));
    }
    file.commit();
}

BERT_NAMESPACE_END
