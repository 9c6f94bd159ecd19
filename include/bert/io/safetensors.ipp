// Definitions of io/safetensors.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/io/json.hpp>
#include <bert/io/safetensors.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <string_view>
#include <utility>

BERT_NAMESPACE_BEGIN

BERT_INLINE Index TensorView::elements() const noexcept {
    Index product = 1;
    for (const Index extent : shape) product *= extent;
    return product;
}

BERT_INLINE std::string to_string(const std::vector<Index>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

namespace detail {

BERT_INLINE std::uint64_t header_length(const MappedFile& file, const std::filesystem::path& path) {
    std::uint64_t length = 0;
    const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
    constexpr std::string_view pointer = "version https://git-lfs.github.com/";
    if (bytes.substr(0, pointer.size()) == pointer) {
        fail(ErrorKind::format, path, " is a pointer of Git LFS in place of the file: get it by \"git lfs pull\"");
    }
    if (file.size() < sizeof length) {
        fail(ErrorKind::format, path, ": a safetensors file starts with 8 bytes of header length, given ", file.size(),
             " bytes in all");
    }
    std::memcpy(&length, file.data(), sizeof length);
    if (length > max_header_bytes || length > file.size() - sizeof length) {
        fail(ErrorKind::format, path, ": the safetensors header should be ", length, " bytes long, but ",
             length > max_header_bytes ? "at most " + std::to_string(max_header_bytes) + " are accepted"
                                       : "only " + std::to_string(file.size() - sizeof length) + " follow");
    }
    return length;
}

/// Takes the entries of a header one by one while it is parsed, and lets none of them stay: a header then needs memory
/// for its tensors and not for a document of it. Unlike a plain parse it refuses properties given twice.
template <class Function>
class TensorHeaderFilter {
public:
    /// Calls tensor(name, entry) for each member but the metadata, whose texts go to `texts`. `path` is only named in
    /// errors.
    TensorHeaderFilter(const std::filesystem::path& path, std::map<std::string, std::string>& texts,
                       const Function& tensor)
        : path_(path), texts_(texts), tensor_(tensor) {}

    /// A part of the header, for Json::parse(): whether to keep it. Errors: format, and those of `tensor`.
    bool operator()(int depth, Json::parse_event_t event, Json& part) {
        using Event = Json::parse_event_t;
        if (depth == 0) {
            if (event == Event::object_start || event == Event::object_end) return true;
            fail(ErrorKind::format, path_, ": the safetensors header should be a JSON object, given ",
                 event == Event::array_start ? "array" : part.type_name());
        }
        if (depth == 1) {
            if (event == Event::object_start) return true;
            if (event == Event::key) begin(part.get_ref<const std::string&>());
            else if (event == Event::object_end) end(part);
            else refuse("should be an object");
            return event == Event::key;
        }
        return name_ == metadata ? take_metadata(event, part) : check_entry(depth, event, part);
    }

private:
    static constexpr const char* metadata = "__metadata__";

    void begin(const std::string& name) {
        name_ = name;
        keys_.clear();
        values_ = 0;
    }

    void end(Json& entry) {
        if (name_ != metadata) tensor_(name_, static_cast<const Json&>(entry));
        take_apart(entry);
    }

    /// The metadata are texts by name.
    bool take_metadata(Json::parse_event_t event, Json& part) {
        if (event == Json::parse_event_t::key) {
            key_ = part.get<std::string>();
            return true;
        }
        if (event != Json::parse_event_t::value || !part.is_string()) refuse("should hold texts alone");
        if (!texts_.emplace(key_, std::move(part.get_ref<std::string&>())).second) {
            refuse("has a property given twice");
        }
        return false;
    }

    bool check_entry(int depth, Json::parse_event_t event, const Json& part) {
        constexpr std::size_t most_values = 256;
        if (++values_ > most_values) refuse("has more dimensions than any tensor");
        if (depth == 2 && event == Json::parse_event_t::key && !keys_.insert(part.get<std::string>()).second) {
            refuse("has a property given twice");
        }
        return true;
    }

    [[noreturn]] void refuse(const char* what) const {
        fail(ErrorKind::format, path_, ": tensor \"", name_, "\" ", what);
    }

    const std::filesystem::path& path_;
    std::map<std::string, std::string>& texts_;
    const Function& tensor_;
    std::string name_;            // of the entry being read
    std::string key_;             // of the text being read
    std::set<std::string> keys_;  // of that entry
    std::size_t values_ = 0;      // and brackets of that entry
};

/// Parses a header, calls tensor(name, entry) for each tensor in it, and adds its metadata to `texts`. Errors: format,
/// and those of `tensor`.
template <class Function>
void parse_tensor_header(std::string_view text, const std::filesystem::path& path,
                         std::map<std::string, std::string>& texts, const Function& tensor) {
    check_json_text(text, path);
    TensorHeaderFilter<Function> filter(path, texts, tensor);
    try {
        [[maybe_unused]] const Json nothing = Json::parse(text, std::ref(filter));
    } catch (const Json::exception& e) {
        fail(ErrorKind::format, path, ": safetensors header: ", e.what());
    }
}

/// An array of non-negative integers below 2^62. Errors: format.
BERT_INLINE std::vector<std::uint64_t> get_sizes(const Json& entry, const char* key, const std::string& name,
                                                 const std::filesystem::path& path) {
    const Json* value = find(entry, key);
    const bool valid = value && value->is_array() && std::all_of(value->begin(), value->end(), [](const Json& item) {
                           return item.is_number_unsigned() && item.get<std::uint64_t>() < (std::uint64_t{1} << 62);
                       });
    if (!valid) fail(ErrorKind::format, path, ": tensor \"", name, "\": \"", key, "\" should be a list of sizes");
    return value->get<std::vector<std::uint64_t>>();
}

BERT_INLINE std::uint64_t checked_product(const std::vector<std::uint64_t>& shape, const std::string& name,
                                          const std::filesystem::path& path) {
    constexpr std::uint64_t limit = std::uint64_t{1} << 59;  // times 8 bytes still fits
    std::uint64_t product = 1;
    for (const std::uint64_t extent : shape) {
        if (extent != 0 && product > limit / extent) {
            fail(ErrorKind::format, path, ": tensor \"", name, "\": its shape has more elements than any file holds");
        }
        product *= extent;
    }
    return product;
}

}  // namespace detail

BERT_INLINE SafetensorsFile read_safetensors(const std::filesystem::path& path, bool map) {
    using detail::fail;
    const auto file = std::make_shared<const MappedFile>(path, map);
    const std::uint64_t header_bytes = detail::header_length(*file, path);
    const std::string_view text(reinterpret_cast<const char*>(file->data()) + 8, header_bytes);
    const std::byte* const data = file->data() + 8 + header_bytes;
    const std::uint64_t data_bytes = file->size() - 8 - header_bytes;

    SafetensorsFile result;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    detail::parse_tensor_header(text, path, result.metadata, [&](const std::string& name, const detail::Json& entry) {
        const auto dtype_name = detail::get_string(entry, "dtype", path);
        if (!dtype_name) fail(ErrorKind::format, path, ": tensor \"", name, "\" has no \"dtype\"");
        const auto shape = detail::get_sizes(entry, "shape", name, path);
        const auto range = detail::get_sizes(entry, "data_offsets", name, path);
        if (range.size() != 2 || range[0] > range[1] || range[1] > data_bytes) {
            fail(ErrorKind::format, path, ": tensor \"", name,
                 "\": \"data_offsets\" should be two ascending offsets up to ", data_bytes, ", given ",
                 entry["data_offsets"].dump());
        }
        const std::uint64_t elements = detail::checked_product(shape, name, path);

        TensorView tensor;
        tensor.name = name;
        tensor.dtype_name = *dtype_name;
        for (const auto& info : detail::dtypes) {
            if (*dtype_name != info.name) continue;
            tensor.dtype = info.dtype;
            if (elements * info.bytes != range[1] - range[0]) {
                fail(ErrorKind::format, path, ": tensor \"", name, "\" of type ", *dtype_name, " and ", elements,
                     " elements needs ", elements * info.bytes, " bytes, given ", range[1] - range[0]);
            }
        }
        for (const std::uint64_t extent : shape) tensor.shape.push_back(static_cast<Index>(extent));
        tensor.data = data + range[0];
        tensor.bytes = static_cast<std::size_t>(range[1] - range[0]);
        tensor.file = file;
        tensor.path = path;
        result.tensors.push_back(std::move(tensor));
        ranges.emplace_back(range[0], range[1]);
    });
    auto& tensors = result.tensors;
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                          [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors.end()) {
        // Which of the two would be the weight?
        fail(ErrorKind::format, path, ": tensor \"", twice->name, "\" is given twice");
    }

    std::sort(ranges.begin(), ranges.end());
    std::uint64_t end = 0;
    for (const auto& range : ranges) {
        if (range.first != end) {
            fail(ErrorKind::format, path, ": tensors ", range.first < end ? "overlap" : "leave a hole",
                 " at data offset ", std::min(range.first, end));
        }
        end = range.second;
    }
    if (end != data_bytes) {
        fail(ErrorKind::format, path, ": tensors should fill ", data_bytes, " bytes of data, given ", end);
    }
    return result;
}

BERT_NAMESPACE_END
