// One of the translation units that include the whole library: they have to link and to agree on what they share.
#include "link_forward.hpp"
#include "link_other.hpp"

#include <iostream>

int kind_of(const bert::Error& error) {
    return static_cast<int>(error.kind());
}

int main() {
    if (kernels_of_other() != &bert::choose_kernels<float>()) {
        std::cerr << "the translation units see different kernel tables\n";
        return 1;
    }
    const bert::Matrix matrix = matrix_of_other();
    if (matrix.rows() != 2 || matrix.cols() != 3 || matrix(1, 2) != 5.0f) {
        std::cerr << "a matrix changed on its way between translation units\n";
        return 1;
    }
    try {
        throw_in_other();
    } catch (const bert::Error& error) {
        return error.kind() == bert::ErrorKind::shape && is_there(nullptr, nullptr, error) ? 0 : 1;
    }
    std::cerr << "throw_in_other() returned\n";
    return 1;
}
