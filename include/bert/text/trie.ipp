// Definitions of text/trie.hpp.
#pragma once

#include <bert/error.hpp>
#include <bert/text/bytes.hpp>
#include <bert/text/trie.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

BERT_NAMESPACE_BEGIN

namespace detail {

BERT_INLINE auto Trie::longest_match(std::string_view text) const noexcept -> Match {
    Match match;
    const Node* node = &root_;
    for (std::size_t i = 0; i < text.size();) {
        const auto label = static_cast<unsigned char>(text[i]);
        const std::uint32_t first = node->first & ~kinds;
        if (node->first & many) {
            const std::size_t place = tables_[node->content][label];
            if (place == 0) break;
            node = &nodes_[first + place - 1];
        } else {
            // The lowest byte that is zero is found whatever lies above it.
            const std::uint64_t different = node->content ^ every(label);
            const std::uint64_t zeros = (different - every(1)) & ~different & every(0x80);
            if (zeros == 0) break;
            if (node->first & rest) {
                Rest left;
                std::memcpy(&left, rests_.data() + first, sizeof left);
                const std::string_view bytes(rests_.data() + first + sizeof left, left.size);
                if (text.compare(i + 1, left.size, bytes) == 0) match = {left.value, i + 1 + left.size};
                break;
            }
            node = &nodes_[first + first_top_bit(zeros)];
        }
        ++i;
        if (node->value >= 0) match = {node->value, i};
    }
    return match;
}

BERT_INLINE Trie::Builder::Builder(std::size_t count) {
    trie_.nodes_.reserve(2 * count);
    trie_.tables_.reserve(1 + count / 32);
    open_.push_back({-1, 0});
}

BERT_INLINE void Trie::Builder::add(std::string_view key, std::int32_t value) {
    const std::size_t size = std::min(key.size(), last_.size());
    std::size_t shared = 0;
    while (shared < size && key[shared] == last_[shared]) ++shared;
    store_last(shared);
    last_ = key;
    last_value_ = value;
}

BERT_INLINE Trie Trie::Builder::finish() {
    store_last(0);
    trie_.root_ = close();
    if (std::max(trie_.nodes_.size(), trie_.rests_.size()) >= many) {
        fail(ErrorKind::unsupported, "a vocabulary takes more than a GiB");
    }
    return std::move(trie_);
}

BERT_INLINE void Trie::Builder::store_last(std::size_t shared) {
    while (depth() < shared) open_.push_back({-1, waiting_.size()});
    if (last_.size() > depth()) {
        const std::string_view left = last_.substr(depth() + 1);
        Node node;
        if (left.empty()) {
            node.value = last_value_;
        } else {
            const Rest record{last_value_, static_cast<std::uint32_t>(left.size() - 1)};
            node.first = rest | static_cast<std::uint32_t>(trie_.rests_.size());
            node.content = every(static_cast<unsigned char>(left[0]));
            trie_.rests_.append(reinterpret_cast<const char*>(&record), sizeof record).append(left.substr(1));
        }
        waiting_.push_back({node, static_cast<unsigned char>(last_[depth()])});
    } else if (depth() > 0) {
        open_.back().value = last_value_;
    }
    while (depth() > shared) {
        const Node node = close();
        waiting_.push_back({node, static_cast<unsigned char>(last_[depth()])});
    }
}

BERT_INLINE auto Trie::Builder::close() -> Node {
    const auto [value, children] = open_.back();
    open_.pop_back();
    Node node;
    node.value = value;
    const std::size_t count = waiting_.size() - children;
    const auto first = static_cast<std::uint32_t>(trie_.nodes_.size());
    for (std::size_t i = children; i < waiting_.size(); ++i) trie_.nodes_.push_back(waiting_[i].node);
    if (count > most_few) {
        node.first = many | first;
        node.content = trie_.tables_.size();
        Table& table = trie_.tables_.emplace_back();
        for (std::size_t i = 0; i < count; ++i) table[waiting_[children + i].label] = static_cast<std::uint16_t>(i + 1);
    } else if (count > 0) {
        node.first = few | first;
        node.content = every(waiting_[children].label);
        for (std::size_t i = count; i-- > 0;) node.content = node.content << 8 | waiting_[children + i].label;
    }
    waiting_.resize(children);
    return node;
}

}  // namespace detail

BERT_NAMESPACE_END
