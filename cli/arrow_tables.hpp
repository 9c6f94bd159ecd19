// Tables of Apache Arrow: Parquet files and Arrow's own, where the tool was built with the Arrow C++ library. Depends
// on text_reader.hpp for its records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Throws an Error of kind unsupported where the tool was built without the Arrow C++ library.
void require_arrow();

/// The rows of a Parquet file, or of an Arrow file or stream (.arrow, .feather), told apart by their first bytes.
/// Memory is bounded by a batch of rows and, for Arrow, by how the file was written.
class ArrowRows {
public:
    /// Errors: unsupported, see require_arrow(); file; format.
    explicit ArrowRows(const std::string& file);
    ArrowRows(ArrowRows&&) noexcept;
    ArrowRows& operator=(ArrowRows&&) noexcept;
    ~ArrowRows();

    std::vector<std::string> columns() const;

    /// Appends the next row as a JSON object of all columns; what JSON has no form for (times, decimals) is text.
    /// Returns whether there was one. Errors: file, format.
    bool append(std::string& json);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A row for write_parquet(): a record and its embedding, as bytes.
std::string parquet_row(std::string_view json, const float* embedding, std::size_t dimension);

/// Makes the Parquet file `path` of a file of such rows, all of `dimension` floats: a column for every field of the
/// records, in the order in which they first come, and "embedding" last, a list of `dimension` floats. A field that is
/// a truth value, an integer, a number or a text wherever it is there becomes a column of that type; any other is
/// written as JSON. Errors: unsupported; file; Interrupted.
void write_parquet(const std::filesystem::path& rows, std::size_t dimension, const std::filesystem::path& path);
