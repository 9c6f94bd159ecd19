// The other translation unit of the link test; see link_main.cpp.
#include "link_other.hpp"

const bert::KernelTable<float>* kernels_of_other() {
    return &bert::choose_kernels<float>();
}

bert::Matrix matrix_of_other() {
    bert::Matrix matrix(2, 3);
    matrix << 0, 1, 2, 3, 4, 5;
    return matrix;
}

void throw_in_other() {
    throw bert::Error(bert::ErrorKind::shape, "thrown in one translation unit, caught in another");
}
