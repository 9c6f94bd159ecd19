// Reading NumPy's format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "npy_reader.hpp"

#include <bert/error.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <regex>
#include <string>

NpyRows::NpyRows(const std::filesystem::path& path) : file_(path) {
    const auto damaged = [&](const char* what) { bert::detail::fail(bert::ErrorKind::format, path, ": ", what); };
    const auto* const bytes = reinterpret_cast<const unsigned char*>(file_.data());
    if (file_.size() < 12 || std::memcmp(bytes, "\x93NUMPY", 6) != 0) damaged("no NumPy file");
    const bool first_version = bytes[6] == 1;
    std::size_t length = bytes[8] + 256u * bytes[9];
    if (!first_version) length += 65536u * bytes[10] + 16777216u * bytes[11];
    const std::size_t begin = first_version ? 10 : 12;
    constexpr std::size_t longest_header = 4096;  // of two dimensions it has 128 bytes
    if (length > longest_header || length > file_.size() - begin) damaged("its header is cut short or too long");
    const std::string header(reinterpret_cast<const char*>(bytes) + begin, length);

    std::smatch match;
    static const std::regex shape(R"('shape': *\( *(\d{1,15}) *, *(\d{1,9}) *,? *\))");
    if (header.find("'descr': '<f4'") == std::string::npos ||
        header.find("'fortran_order': False") == std::string::npos || !std::regex_search(header, match, shape)) {
        bert::detail::fail(bert::ErrorKind::unsupported, path,
                           ": expected two dimensions of 32-bit floats in C order ('<f4'), given ",
                           header.substr(0, header.find('\n')));
    }
    rows_ = std::stoll(match[1]);
    columns_ = std::stoll(match[2]);
    data_ = begin + length;
    constexpr auto most = std::numeric_limits<bert::Index>::max() / static_cast<bert::Index>(sizeof(float));
    if ((columns_ > 0 && rows_ > most / columns_) ||
        file_.size() - data_ != static_cast<std::uint64_t>(rows_ * columns_) * sizeof(float)) {
        damaged("its length does not fit its shape");
    }
}

bert::Matrix NpyRows::copy(bert::Index first, bert::Index count) const {
    bert::Matrix result(count, columns_);
    const std::size_t row_bytes = static_cast<std::size_t>(columns_) * sizeof(float);
    if (result.size() > 0) {
        std::memcpy(result.data(), file_.data() + data_ + static_cast<std::size_t>(first) * row_bytes,
                    static_cast<std::size_t>(count) * row_bytes);
    }
    return result;
}
