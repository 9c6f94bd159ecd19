// Writing embeddings.
#include "embedding_format.hpp"

#include "arrow_tables.hpp"

#include <cstddef>
#include <cstring>

namespace {

constexpr std::size_t header_size = 128;  // room for any number of rows, and a multiple of 64

/// A NumPy array of rows x columns floats (format version 1.0).
std::string npy_header(std::uint64_t rows, bert::Index columns) {
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
    constexpr std::size_t prefix = 10;  // magic, version and length
    text.append(header_size - prefix - 1 - text.size(), ' ').push_back('\n');
    std::string header("\x93NUMPY\x01\x00", 8);
    header.push_back(static_cast<char>(text.size() & 0xFF));
    header.push_back(static_cast<char>(text.size() >> 8));
    return header + text;
}

/// One tensor, "embeddings", that fills the file.
std::string safetensors_header(std::uint64_t rows, bert::Index columns) {
    const std::uint64_t bytes = rows * static_cast<std::uint64_t>(columns) * sizeof(float);
    std::string text = R"({"embeddings":{"dtype":"F32","shape":[)" + std::to_string(rows) + "," +
                       std::to_string(columns) + R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
    const std::uint64_t length = header_size - sizeof(std::uint64_t);
    text.append(length - text.size(), ' ');
    std::string header(sizeof length, '\0');
    std::memcpy(header.data(), &length, sizeof length);
    return header + text;
}

/// As RFC 4180 quotes it.
std::string csv_cell(const std::string& text) {
    if (text.find_first_of("\",\r\n") == std::string::npos) return text;
    std::string cell = "\"";
    for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    return cell + '"';
}

/// The record without an embedding, as JSON.
std::string json_record(Record record, bool truncated) {
    record.erase("embedding");
    if (truncated) record["truncated"] = true;
    return record.dump(-1, ' ', false, Record::error_handler_t::replace);
}

/// The record with its embedding added, as JSON. Numbers are written by hand: as doubles they would be longer.
std::string json_row(const Record& record, bool truncated, const bert::ConstRows<float>& embedding) {
    std::string line = json_record(record, truncated);
    line.pop_back();
    line += line.size() == 1 ? "\"embedding\":[" : ",\"embedding\":[";
    for (bert::Index i = 0; i < embedding.cols(); ++i) {
        if (i > 0) line += ',';
        line += shortest(embedding(0, i));
    }
    return line + "]}\n";
}

}  // namespace

EmbeddingFormat format_of(const std::string& path) {
    const std::size_t dot = path.find_last_of("./");
    const std::string ending = dot == std::string::npos ? "" : path.substr(dot);
    if (ending == ".npy") return EmbeddingFormat::npy;
    if (ending == ".safetensors") return EmbeddingFormat::safetensors;
    if (ending == ".csv") return EmbeddingFormat::csv;
    if (ending == ".parquet") return EmbeddingFormat::parquet;
    return EmbeddingFormat::jsonl;
}

std::string embedding_header(EmbeddingFormat format, std::uint64_t rows, bert::Index columns,
                             const std::string& field) {
    switch (format) {
        case EmbeddingFormat::npy: return npy_header(rows, columns);
        case EmbeddingFormat::safetensors: return safetensors_header(rows, columns);
        case EmbeddingFormat::jsonl:
        case EmbeddingFormat::parquet: return {};
        case EmbeddingFormat::csv: break;
    }
    std::string header = csv_cell(field);
    for (bert::Index i = 0; i < columns; ++i) header += ",dim_" + std::to_string(i);
    return header + "\n";
}

std::string embedding_row(EmbeddingFormat format, const Record& record, const std::string& text, bool truncated,
                          const bert::ConstRows<float>& embedding) {
    switch (format) {
        case EmbeddingFormat::npy:
        case EmbeddingFormat::safetensors:
            return {reinterpret_cast<const char*>(embedding.data()),
                    static_cast<std::size_t>(embedding.cols()) * sizeof(float)};
        case EmbeddingFormat::jsonl: return json_row(record, truncated, embedding);
        case EmbeddingFormat::parquet:
            return parquet_row(json_record(record, truncated), embedding.data(),
                               static_cast<std::size_t>(embedding.cols()));
        case EmbeddingFormat::csv: break;
    }
    std::string row = csv_cell(text);
    for (bert::Index i = 0; i < embedding.cols(); ++i) row += "," + shortest(embedding(0, i));
    return row + "\n";
}
