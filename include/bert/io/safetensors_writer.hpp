// Writing the safetensors format. Depends on core and io.
#pragma once

#include <bert/core/matrix.hpp>
#include <bert/io/safetensors.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// A tensor to be written. `fill` puts its bytes, row-major and little-endian, into the memory it gets: tensors are
/// made one at a time, so that a whole model never has to be in memory twice.
struct NewTensor {
    std::string name;          ///< as readers find it
    DType dtype = DType::f32;  ///< of what is stored
    std::vector<Index> shape;  ///< empty for a single number
    /// Writes the tensor's bytes, of which there are as many as shape and type say.
    std::function<void(std::byte*)> fill;

    std::size_t elements() const noexcept;  ///< the product of the shape
};

/// A tensor of type F32 whose values `fill` writes.
NewTensor float_tensor(std::string name, std::vector<Index> shape, std::function<void(float*)> fill);

/// Writes tensors as one file, those of large elements first and else in the order of their names, so that every tensor
/// is aligned to its elements. `metadata` gets {"format": "pt"} besides, which transformers asks for. The file appears
/// as a whole or not at all. Errors: file; input (a name given twice), unsupported (a header that readers would
/// refuse); what `fill` throws.
void write_safetensors(const std::filesystem::path& path, std::vector<NewTensor> tensors,
                       std::map<std::string, std::string> metadata = {});

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/safetensors_writer.ipp>
#endif
