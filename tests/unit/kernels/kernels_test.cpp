// Every kernel table this machine can run, and the choice among them.
#include "attention_cases.hpp"

#include <bert/kernels/dispatch.hpp>

#include <gtest/gtest.h>

#include <string>

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

}  // namespace
