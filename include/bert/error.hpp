// The one exception type of the library and the helper that words it. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

BERT_NAMESPACE_BEGIN

/// What went wrong, coarse enough to branch on. The message says the rest: path, tensor or key, expected and given.
enum class ErrorKind {
    file,         ///< a file or folder is missing, unreadable or cannot be mapped
    format,       ///< a file does not follow its format (JSON, safetensors, vocabulary, UTF-8)
    shape,        ///< sizes of tensors, matrices or configuration values do not fit together
    vocabulary,   ///< vocabulary and model, or vocabulary and special tokens, do not fit together
    input,        ///< an argument of a call is out of its range
    unsupported,  ///< valid, but something this library does not do
};

/// The name of a kind as it is written in messages, e.g. "shape".
inline const char* to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::file: return "file";
        case ErrorKind::format: return "format";
        case ErrorKind::shape: return "shape";
        case ErrorKind::vocabulary: return "vocabulary";
        case ErrorKind::input: return "input";
        case ErrorKind::unsupported: return "unsupported";
    }
    return "unknown";
}

/// Every error the library raises on purpose. (Exhausted memory stays std::bad_alloc.)
class Error : public std::runtime_error {
public:
    /// `message` without the kind, which what() puts before it.
    Error(ErrorKind kind, const std::string& message)
        : std::runtime_error(std::string(to_string(kind)) + " error: " + message), kind_(kind) {}

    ErrorKind kind() const noexcept { return kind_; }  ///< what to branch on

private:
    ErrorKind kind_;
};

namespace detail {

/// Names that come out of files may hold anything: control characters are written as numbers, and what is longer than
/// any name is cut.
inline void append_text(std::string& out, std::string_view text) {
    constexpr std::size_t most = 1000;
    constexpr char digits[] = "0123456789abcdef";
    std::size_t size = text.size();
    if (size > most) {
        size = most;
        while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;  // a whole character
    }
    for (const char c : text.substr(0, size)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) out.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
        else out += c;
    }
    if (size < text.size()) out += "...";
}

template <class T>
void append_to_message(std::string& out, const T& value) {
    if constexpr (std::is_same_v<T, char>) {
        out += value;
    } else if constexpr (std::is_same_v<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<T>) {
        out += std::to_string(value);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        append_text(out, value);
    } else {
        append_text(out, value.string());  // std::filesystem::path, without including it here
    }
}

/// Throws Error with the message put together from `parts` (text, numbers, paths).
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
    std::string message;
    (append_to_message(message, parts), ...);
    throw Error(kind, message);
}

}  // namespace detail

BERT_NAMESPACE_END
