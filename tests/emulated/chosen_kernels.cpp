// Prints the kernels that are chosen on this processor, and computes a little with them: tools/test_other_processors.sh
// runs it on emulated ones.
#include <bert/nn/linear.hpp>

#include <cmath>
#include <exception>
#include <iostream>

int main() {
    try {
        const auto& kernels = bert::choose_kernels<float>();
        const bert::Matrix ones = bert::Matrix::Ones(37, 100);
        bert::Matrix y(5, 37);
        bert::Workspace workspace;
        bert::Linear<float>(ones, bert::Vector<float>::Ones(37), kernels).forward(ones.topRows(5), y, workspace);
        if (std::abs(y.minCoeff() - 101.0f) + std::abs(y.maxCoeff() - 101.0f) > 0)
            throw bert::Error(bert::ErrorKind::input, "wrong product");
        std::cout << kernels.name << '\n';
    } catch (const std::exception& error) {
        std::cout << error.what() << '\n';
        return 1;
    }
}
