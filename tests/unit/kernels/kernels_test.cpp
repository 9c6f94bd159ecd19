// Every kernel table this machine can run, and the choice among them.
#include "attention_cases.hpp"

#include <bert/kernels/dispatch.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

INSTANTIATE_TEST_SUITE_P(Available, Kernels, testing::ValuesIn(bert::available_kernels<float>()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(Dispatch, ForcedTableIsTakenOrRefused) {
    EXPECT_STREQ(bert::choose_kernels<float>("scalar").name, "scalar");
    try {
        bert::choose_kernels<float>("avx4096");
        FAIL() << "an unknown table was accepted";
    } catch (const bert::Error& e) {
        EXPECT_EQ(e.kind(), bert::ErrorKind::unsupported);
        EXPECT_NE(std::string(e.what()).find("scalar"), std::string::npos) << e.what();
    }
}

TEST(Int8, NeighboursFitUpTo128) {
    constexpr std::ptrdiff_t rows = 3;
    for (std::ptrdiff_t features = 1; features <= 40; ++features) {
        std::vector<std::int8_t> values(static_cast<std::size_t>(rows * features), 64);
        for (std::size_t i = 0; i < values.size(); i += 3) values[i] = -64;
        EXPECT_TRUE(bert::fits_int8(values.data(), rows, features)) << features;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto column = static_cast<std::ptrdiff_t>(i) % features;
            const bool alone = column == features - 1 && features % 2 == 1;
            for (const int large : {65, -65, 127, -128}) {
                std::vector<std::int8_t> changed = values;
                changed[i] = static_cast<std::int8_t>(large);
                EXPECT_EQ(bert::fits_int8(changed.data(), rows, features), alone) << features << ' ' << i;
                if (features % 2 != 0) continue;
                changed[i ^ 1u] = 0;  // its neighbour
                EXPECT_TRUE(bert::fits_int8(changed.data(), rows, features)) << features << ' ' << i;
            }
        }
    }
}

}  // namespace
