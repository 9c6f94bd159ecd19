// Checkpoints in which one tensor is missing, misshaped or of another type: every tensor in turn has to be named.
#include "../test_support.hpp"

#include <bert/model/bert_model.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using namespace bert_test;
using bert::ErrorKind;

const std::string config = "config.json";
const std::string weights = "model.safetensors";

/// Applies `change` to one tensor after another of the golden model "base" and expects the error to name it.
template <class Change>
void break_each_tensor(ErrorKind kind, const Change& change) {
    const auto good = read_raw_safetensors(bert_models() / "base" / weights);
    ASSERT_GT(good.size(), 30u);
    for (std::size_t i = 0; i < good.size(); ++i) {
        if (good[i].name == "pooler.dense.weight") continue;  // a checkpoint may lack its pooler
        const TempFolder folder;
        fs::copy(bert_models() / "base" / config, folder.path() / config);
        auto all = good;
        change(all, i);
        write_safetensors(folder.path() / weights, all);
        expect_error(kind, {folder.path().string(), good[i].name},
                     [&] { (void)bert::BertModel<float>::load(folder.path()); });
    }
}

TEST(Tensors, EachMissingOneIsNamed) {
    break_each_tensor(ErrorKind::format, [](std::vector<RawTensor>& all, std::size_t i) {
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
    });
}

TEST(Tensors, EachMisshapedOneIsNamed) {
    break_each_tensor(ErrorKind::shape, [](std::vector<RawTensor>& all, std::size_t i) {
        // The same bytes in another shape: only the shape can give it away.
        all[i].shape.push_back(1);
    });
    break_each_tensor(ErrorKind::shape, [](std::vector<RawTensor>& all, std::size_t i) {
        auto& tensor = all[i];
        tensor.data.resize(tensor.data.size() / static_cast<std::size_t>(tensor.shape[0]));
        tensor.shape[0] = 1;
    });
    break_each_tensor(ErrorKind::shape, [](std::vector<RawTensor>& all, std::size_t i) {
        all[i].shape = {0};
        all[i].data.clear();
    });
}

TEST(Tensors, EachOfAnotherTypeIsNamed) {
    for (const char* type : {"I32", "F8_E4M3"}) {
        break_each_tensor(ErrorKind::unsupported,
                          [&](std::vector<RawTensor>& all, std::size_t i) { all[i].dtype = type; });
    }
}

}  // namespace
