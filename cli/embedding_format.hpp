// How embeddings are written: JSON lines, NumPy arrays, safetensors, CSV and Parquet. Depends on records.hpp and the
// library's matrices.
#pragma once

#include "records.hpp"

#include <bert/core/matrix.hpp>

#include <cstdint>
#include <string>

enum class EmbeddingFormat { jsonl, npy, safetensors, csv, parquet };

/// By the ending of a file's name; JSON lines for all that have none of .npy, .safetensors, .csv and
/// .parquet.
EmbeddingFormat format_of(const std::string& path);

/// Whether all that stands before the rows is known at the end only, because it tells how many there are.
inline bool has_counted_header(EmbeddingFormat format) {
    return format == EmbeddingFormat::npy || format == EmbeddingFormat::safetensors;
}

/// What stands before the rows, of the same length for any number of rows. `field` names the column of texts of CSV.
std::string embedding_header(EmbeddingFormat format, std::uint64_t rows, bert::Index columns, const std::string& field);

/// Whether rows are made into the file at the end, by write_parquet(), because nothing can be added to a file of that
/// format.
inline bool is_made_at_the_end(EmbeddingFormat format) {
    return format == EmbeddingFormat::parquet;
}

/// One row. `record` and `text` are of use to formats of text only.
std::string embedding_row(EmbeddingFormat format, const Record& record, const std::string& text, bool truncated,
                          const bert::ConstRows<float>& embedding);
