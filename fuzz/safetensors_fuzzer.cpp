// Safetensors files, mapped and copied. The first byte of an input says whether the rest is a whole file or a header
// and data that get the right length in front; what opens is read to its last byte and converted to weights.
#include "fuzz.hpp"

#include <bert/io/checkpoint.hpp>
#include <bert/io/safetensors.hpp>
#include <bert/model/weights.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace {

using bert_fuzz::require;

std::string make_file(bert_fuzz::Input& input) {
    if (!input.flag()) return std::string(input.rest());
    const std::string header = input.text(input.below(1 << 16));
    std::uint64_t length = header.size();
    std::string file(sizeof length, '\0');
    std::memcpy(file.data(), &length, sizeof length);
    return file.append(header).append(input.rest());
}

void check_tensors(const std::vector<bert::TensorView>& tensors, std::size_t file_size) {
    std::size_t bytes = 0;
    unsigned sum = 0;
    for (const auto& tensor : tensors) {
        require(tensor.data >= tensor.file->data() && tensor.bytes <= file_size &&
                    tensor.data + tensor.bytes <= tensor.file->data() + file_size,
                "tensors lie in the file");
        for (std::size_t i = 0; i < tensor.bytes; ++i) sum += std::to_integer<unsigned>(tensor.data[i]);
        bytes += tensor.bytes;
        std::string shape = bert::to_string(tensor.shape);
        require(!shape.empty() && tensor.elements() >= 0, "shapes are printable and not negative");
    }
    require(bytes <= file_size, "tensors do not overlap");
    volatile unsigned keep = sum;
    (void)keep;
}

template <class T>
void check_weights(const bert::Checkpoint& checkpoint) {
    for (const auto& [name, tensor] : checkpoint.tensors()) {
        const auto& shape = tensor.shape;
        bert::Weights weights(checkpoint, "");
        bert_fuzz::succeeds([&, &name = name] {
            if (shape.size() == 1) require(weights.vector<T>(name, shape[0]).allFinite(), "weights are finite");
            if (shape.size() == 2) {
                require(weights.matrix<T>(name, shape[0], shape[1]).allFinite(), "weights are finite");
            }
        });
        bert_fuzz::succeeds([&, &name = name] {
            if (shape.size() == 2) weights.linear_of<T>({{name, ""}}, shape[1], shape[0]);
        });
    }
}

}  // namespace

BERT_FUZZ_TARGET(safetensors) {
    static const bert_fuzz::Folder folder;
    bert_fuzz::Input input(data, size);
    const std::string file = make_file(input);
    const auto path = folder.write("model.safetensors", file);
    const bool mapped = bert_fuzz::succeeds([&] { check_tensors(bert::read_safetensors(path).tensors, file.size()); });
    const bool copied =
        bert_fuzz::succeeds([&] { check_tensors(bert::read_safetensors(path, false).tensors, file.size()); });
    require(mapped == copied, "mapped and copied files are the same");
    if (copied) {
        const bert::Checkpoint checkpoint(folder.path(), false);
        check_weights<float>(checkpoint);
        check_weights<double>(checkpoint);
    }
}
