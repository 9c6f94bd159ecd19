// The GGUF format: a file's header checked, its metadata by key, and its tensors seen in place. Depends on core and io.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/io/safetensors.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

BERT_NAMESPACE_BEGIN

/// Types of metadata, numbered as in the format.
enum class GgufType : std::uint32_t {
    uint8,
    int8,
    uint16,
    int16,
    uint32,
    int32,
    float32,
    boolean,
    string,
    array,
    uint64,
    int64,
    float64
};

/// A list of metadata values where it stands in the file.
struct GgufArray {
    GgufType type = GgufType::uint8;  ///< of the elements; no array
    std::uint64_t count = 0;          ///< elements
    const std::byte* data = nullptr;  ///< the first element; all of them lie in the file
};

/// A value of metadata. Texts are of any bytes and stay in the file.
using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray>;

/// What a GGUF file holds.
struct GgufFile {
    std::filesystem::path path;                              ///< as it was opened
    std::shared_ptr<const MappedFile> file;                  ///< what texts and lists of metadata lie in
    std::map<std::string, GgufValue, std::less<>> metadata;  ///< by key, e.g. "bert.block_count"
    std::vector<TensorView> tensors;  ///< shapes with the outermost dimension first, as everywhere in this library
};

namespace detail {

inline constexpr std::string_view gguf_magic = "GGUF";

/// Takes the header of a GGUF file apart, from front to back. Every count and length is compared with what is left of
/// the file before it is used.
class GgufReader {
public:
    GgufReader(std::shared_ptr<const MappedFile> file, const std::filesystem::path& path);

    GgufFile read();

    /// Bytes of a value of type `type`; 0 for texts and arrays, which have none of their own.
    static std::uint64_t size_of(GgufType type);

private:
    std::uint64_t left() const noexcept { return file_->size() - at_; }

    std::string_view take(std::uint64_t count, std::string_view what);

    template <class T>
    T number(std::string_view what);

    std::string_view text(std::string_view what) { return take(number<std::uint64_t>(what), what); }

    GgufValue value(std::uint32_t type, const std::string& key);

    GgufArray array(const std::string& key);

    /// A tensor whose `data` is still the offset from the beginning of all tensors.
    TensorView tensor();

    /// Finds the data of tensors, once all of the header has been read.
    void place_tensors(GgufFile& result);

    struct Type {
        std::uint32_t type;  // of ggml
        DType dtype;
        const char* name;
        std::uint64_t block;  // values that are stored together
        std::uint64_t bytes;  // of them
    };
    static constexpr Type types[] = {{0, DType::f32, "F32", 1, 4},
                                     {1, DType::f16, "F16", 1, 2},
                                     {8, DType::q8_0, "Q8_0", 32, 34},
                                     {30, DType::bf16, "BF16", 1, 2}};

    std::shared_ptr<const MappedFile> file_;
    const std::filesystem::path& path_;
    std::size_t at_ = 0;
    std::vector<std::uint64_t> offsets_;  // of tensors
};

/// The texts of a list. Errors: format (of another type).
std::vector<std::string_view> gguf_strings(const GgufArray& array, const char* key, const std::filesystem::path& path);

}  // namespace detail

/// Reads the header of a GGUF file without touching the data of its tensors. Tensors of a type that this library does
/// not compute with are listed as DType::other. `map` false copies the file instead of mapping it. Errors: file,
/// format, unsupported (another version).
GgufFile read_gguf(const std::filesystem::path& path, bool map = true);

BERT_NAMESPACE_END

#if !defined(BERT_COMPILED)
#include <bert/io/gguf.ipp>
#endif
