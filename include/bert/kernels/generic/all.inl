// Everything a new instruction set needs. The order matters.
// clang-format off
#include <bert/kernels/generic/encoder.inl>
#include <bert/kernels/generic/linear.inl>
#include <bert/kernels/generic/bfloat16.inl>
#include <bert/kernels/generic/int8.inl>
// clang-format on
