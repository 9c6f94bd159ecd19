// What the two translation units of the link test exchange. Depends on the library alone.
#pragma once

#include <bert/bert.hpp>

const bert::KernelTable<float>* kernels_of_other();
bert::Matrix matrix_of_other();
[[noreturn]] void throw_in_other();
