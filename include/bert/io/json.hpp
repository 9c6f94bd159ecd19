// Reading JSON files: the only place that includes nlohmann/json. Everything above io sees plain structs.
// Depends on core, io/paths and nlohmann/json.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/paths.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

using Json = nlohmann::json;

/// Frees what `json` holds without asking for memory. The library's own destructor asks for some to take nested values
/// apart, and where there is none it ends the process.
inline void take_apart(Json& json) noexcept {
    // As deep as check_json_text() lets values nest.
    if (json.is_array()) {
        auto& items = json.get_ref<Json::array_t&>();
        for (Json& item : items) take_apart(item);
        items.clear();
    } else if (json.is_object()) {
        auto& members = json.get_ref<Json::object_t&>();
        for (auto& [key, member] : members) take_apart(member);
        members.clear();
    }
}

/// Takes a member out of an object, where it has it.
inline void erase(Json& object, const char* key) noexcept {
    const auto member = object.find(key);
    if (member == object.end()) return;
    take_apart(*member);
    object.erase(member);
}

/// A whole document. One that is made here starts as an object and gets its members one by one, objects in it as
/// Json::object(): a list of members in braces would leave values behind for the library's destructor, and a null that
/// becomes an object by its first member is broken where memory runs out.
class JsonDocument : public Json {
public:
    JsonDocument() : Json(Json::object()) {}
    JsonDocument(Json&& json) noexcept : Json(std::move(json)) {}
    JsonDocument(JsonDocument&&) = default;
    JsonDocument& operator=(JsonDocument&& other) noexcept {
        take_apart(*this);
        Json::operator=(std::move(static_cast<Json&>(other)));
        return *this;
    }
    ~JsonDocument() { take_apart(*this); }
};

/// Makes a value of a document; the library's own conversion would take it for a text, which it can become.
inline void to_json(Json& to, const JsonDocument& from) {
    to = static_cast<const Json&>(from);
}

/// Whole content of a regular file. Errors: file (missing, not a regular file, unreadable, longer than `limit` bytes).
inline std::string read_file(const std::filesystem::path& path, std::uintmax_t limit) {
    std::error_code ec;
    const auto status = std::filesystem::status(path, ec);
    if (ec || !std::filesystem::exists(status)) fail(ErrorKind::file, "cannot find ", path);
    if (!std::filesystem::is_regular_file(status)) fail(ErrorKind::file, path, " is not a regular file");
    const auto size = std::filesystem::file_size(path, ec);
    if (ec) fail(ErrorKind::file, "cannot read the size of ", path, ": ", ec.message());
    if (size > limit) fail(ErrorKind::file, path, " has ", size, " bytes; at most ", limit, " are accepted");
    std::ifstream in(path, std::ios::binary);
    std::string content(static_cast<std::size_t>(size), '\0');
    if (!in || !in.read(content.data(), static_cast<std::streamsize>(content.size()))) {
        fail(ErrorKind::file, "cannot read ", path);
    }
    return content;
}

/// read_file() of a file of a model folder, which must not be a link that leads out of it. Errors: file.
inline std::string read_folder_file(const std::filesystem::path& path, std::uintmax_t limit) {
    check_links(path);
    return read_file(path, limit);
}

/// Fails where brackets nest deeper than any model file needs, which would exhaust memory or the stack, and at zero
/// bytes, which JSON has nowhere and which the parser takes for the end of the text. Errors: format.
inline void check_json_text(std::string_view text, const std::filesystem::path& path) {
    constexpr int max_depth = 64;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\0') fail(ErrorKind::format, path, ": JSON does not hold zero bytes, but byte ", i, " is one");
        if (in_string) {
            if (c == '\\') ++i;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth) fail(ErrorKind::format, path, ": JSON nests deeper than ", max_depth, " levels");
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
}

/// Parses JSON text. `path` is only named in errors; `filter`, where given, sees every part as it is read and says
/// whether to keep it. Errors: format.
inline JsonDocument parse_json(std::string_view text, const std::filesystem::path& path,
                               const Json::parser_callback_t& filter = nullptr) {
    check_json_text(text, path);
    try {
        return Json::parse(text, filter);
    } catch (const Json::exception& e) {
        fail(ErrorKind::format, path, ": ", e.what());
    }
}

/// Parses a JSON object. Errors: format.
inline JsonDocument parse_json_object(std::string_view text, const std::filesystem::path& path,
                                      const Json::parser_callback_t& filter = nullptr) {
    JsonDocument json = parse_json(text, path, filter);
    if (!json.is_object()) fail(ErrorKind::format, path, ": expected a JSON object, given ", json.type_name());
    return json;
}

/// Most bytes of a JSON file.
inline constexpr std::uintmax_t json_limit = 64u << 20;

/// Reads a file of a model folder that holds one JSON object. Errors: file, format.
inline JsonDocument read_json_object(const std::filesystem::path& path) {
    return parse_json_object(read_folder_file(path, json_limit), path);
}

/// The member `key`, or null where it is absent. A JSON null counts as absent.
inline const Json* find(const Json& object, const char* key) {
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

[[noreturn]] inline void wrong_type(const std::filesystem::path& path, const char* key, const char* expected,
                                    const Json& given) {
    fail(ErrorKind::format, path, ": \"", key, "\" should be ", expected, ", given ",
         given.is_structured() ? std::string(given.type_name())
                               : given.dump(-1, ' ', true, Json::error_handler_t::replace));
}

inline std::optional<std::string> get_string(const Json& object, const char* key, const std::filesystem::path& path) {
    const Json* value = find(object, key);
    if (!value) return std::nullopt;
    if (!value->is_string()) wrong_type(path, key, "a string", *value);
    return value->get<std::string>();
}

inline std::optional<bool> get_bool(const Json& object, const char* key, const std::filesystem::path& path) {
    const Json* value = find(object, key);
    if (!value) return std::nullopt;
    if (!value->is_boolean()) wrong_type(path, key, "true or false", *value);
    return value->get<bool>();
}

inline std::optional<double> get_number(const Json& object, const char* key, const std::filesystem::path& path) {
    const Json* value = find(object, key);
    if (!value) return std::nullopt;
    if (!value->is_number()) wrong_type(path, key, "a number", *value);
    return value->get<double>();
}

/// An integer within [low, high]. A float without a fraction counts as an integer, as Python writes both.
inline std::optional<std::int64_t> get_integer(const Json& object, const char* key, const std::filesystem::path& path,
                                               std::int64_t low, std::int64_t high) {
    const Json* value = find(object, key);
    if (!value) return std::nullopt;
    if (!value->is_number()) wrong_type(path, key, "an integer", *value);
    const double number = value->get<double>();
    // Doubles are exact far beyond every bound used here, so the comparison decides before any narrowing.
    if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high)) ||
        number != static_cast<double>(static_cast<std::int64_t>(number))) {
        fail(ErrorKind::format, path, ": \"", key, "\" should be an integer from ", low, " to ", high, ", given ",
             value->dump());
    }
    return static_cast<std::int64_t>(number);
}

}  // namespace detail

BERT_NAMESPACE_END
