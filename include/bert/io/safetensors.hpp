// The safetensors format: a file's header checked, its tensors seen in place. Depends on core and io/json.
// Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/core/matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Element types of tensors in a file. q8_0 is GGUF's: 32 values of 8 bits with a float16 to scale them. `other` stands
/// for types no BERT weight has (F8, I4, ...): listed, never read.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean, q8_0, other };

/// A tensor inside a mapped file.
struct TensorView {
    std::string name;                 ///< as the file has it
    DType dtype = DType::other;       ///< of what is stored
    std::string dtype_name;           ///< as the file writes it, e.g. "BF16"
    std::vector<Index> shape;         ///< outermost dimension first; empty for a scalar
    const std::byte* data = nullptr;  ///< little-endian, row-major; alignment is not guaranteed
    std::size_t bytes = 0;            ///< of `data`
    /// Of 8-bit weights in a converted model: a float32 for every `scale_block` values of a row, and the rest of it.
    const std::byte* scales = nullptr;
    Index scale_block = 0;                   ///< see `scales`; 0 where there are none
    std::shared_ptr<const MappedFile> file;  ///< keeps the data alive
    std::filesystem::path path;              ///< of the file, for messages

    Index elements() const noexcept;  ///< the product of the shape
};

/// A shape as messages show it: "[30522, 384]".
std::string to_string(const std::vector<Index>& shape);

namespace detail {

struct DTypeInfo {
    const char* name;
    DType dtype;
    std::uint64_t bytes;
};

inline constexpr DTypeInfo dtypes[] = {{"F32", DType::f32, 4},     {"F16", DType::f16, 2}, {"BF16", DType::bf16, 2},
                                       {"F64", DType::f64, 8},     {"I64", DType::i64, 8}, {"I32", DType::i32, 4},
                                       {"I16", DType::i16, 2},     {"I8", DType::i8, 1},   {"U8", DType::u8, 1},
                                       {"BOOL", DType::boolean, 1}};

/// The reference implementation's limit on a header.
inline constexpr std::uint64_t max_header_bytes = 100'000'000;

std::uint64_t header_length(const MappedFile& file, const std::filesystem::path& path);

/// Number of elements of `shape`, or an error where it does not fit.
std::uint64_t checked_product(const std::vector<std::uint64_t>& shape, const std::string& name,
                              const std::filesystem::path& path);

}  // namespace detail

/// What a safetensors file holds.
struct SafetensorsFile {
    std::vector<TensorView> tensors;              ///< sorted by name
    std::map<std::string, std::string> metadata;  ///< the texts of "__metadata__"
};

/// Reads the header of a safetensors file without touching the data of its tensors.
///
/// Everything is checked first: the header's length, each tensor's type, shape and byte range, that ranges neither
/// overlap nor leave holes, and that they fill the file. `map` false copies the file instead of mapping it. Errors:
/// file, format.
SafetensorsFile read_safetensors(const std::filesystem::path& path, bool map = true);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/safetensors.ipp>
#endif
