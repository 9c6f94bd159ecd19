// Rows of floats in a NumPy file, seen in place.
#pragma once

#include <bert/core/mapped_file.hpp>
#include <bert/core/matrix.hpp>

#include <filesystem>

/// A .npy file of two dimensions and little-endian 32-bit floats, as bert embed and numpy.save write it.
class NpyRows {
public:
    /// Errors: file, format, unsupported (other types, Fortran order).
    explicit NpyRows(const std::filesystem::path& path);

    bert::Index rows() const noexcept { return rows_; }
    bert::Index columns() const noexcept { return columns_; }

    /// Copies `count` rows; the file's data need not be aligned.
    bert::Matrix copy(bert::Index first, bert::Index count) const;

private:
    bert::MappedFile file_;
    std::size_t data_ = 0;
    bert::Index rows_ = 0;
    bert::Index columns_ = 0;
};
