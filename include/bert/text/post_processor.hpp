// Putting special tokens around texts: the template of a tokenizer, filled with windows of the texts' pieces.
// Depends on io/tokenizer_config.hpp and text/truncation.hpp.
#pragma once

#include <bert/config.hpp>
#include <bert/error.hpp>
#include <bert/io/tokenizer_config.hpp>
#include <bert/text/truncation.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

BERT_NAMESPACE_BEGIN

namespace detail {

/// The templates for one text and for a pair.
class PostProcessor {
public:
    PostProcessor(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair)
        : single_(std::move(single)), pair_(std::move(pair)) {}

    const std::vector<TemplatePiece>& pieces(bool pair) const noexcept { return pair ? pair_ : single_; }

    /// Number of special tokens that the template adds.
    std::size_t special_tokens(bool pair) const noexcept {
        std::size_t count = 0;
        for (const TemplatePiece& piece : pieces(pair)) count += piece.ids.size();
        return count;
    }

    /// Fills the template once for what remains of the texts and once for each window, or combination of windows, that
    /// was cut off, in the order of the reference. Each time begin(number of tokens) is called first, then
    /// special(piece) and text(index of the text, window, type id) in the order of the template. Errors: input where
    /// there would be more than 2^20 windows, or more than 2^26 tokens in them.
    template <class Sink>
    void apply(const Windows& first, const Windows& second, bool add_special_tokens, Sink&& sink) const {
        const auto& pieces = this->pieces(!second.empty());
        const auto windows_of = [&](const TemplatePiece& piece) -> const Windows* {
            if (piece.kind == TemplatePiece::Kind::special) return nullptr;
            return piece.kind == TemplatePiece::Kind::first ? &first : &second;
        };
        check_total(pieces, windows_of);

        // One window index per piece of the template, or nothing for what remains.
        using Choice = std::vector<std::uint32_t>;
        const auto fill = [&](const Choice& choice) {
            const auto window = [&](std::size_t i) -> const Window& {
                return (*windows_of(pieces[i]))[choice.empty() ? 0 : choice[i]];
            };
            std::size_t tokens = 0;
            for (std::size_t i = 0; i < pieces.size(); ++i) {
                if (windows_of(pieces[i])) tokens += window(i).end - window(i).begin;
                else if (add_special_tokens) tokens += pieces[i].ids.size();
            }
            sink.begin(tokens);
            for (std::size_t i = 0; i < pieces.size(); ++i) {
                if (!windows_of(pieces[i])) {
                    if (add_special_tokens) sink.special(pieces[i]);
                    continue;
                }
                // What was cut off keeps the type ids 0 and 1 in the reference, whatever the template says.
                const int text = pieces[i].kind == TemplatePiece::Kind::first ? 0 : 1;
                const bool remains = choice.empty() || choice[i] == 0;
                sink.text(text, window(i), remains ? pieces[i].type_id : text);
            }
        };
        if (first.size() == 1 && second.size() <= 1) {
            fill({});
            return;
        }
        std::vector<Choice> choices = {{}};
        for (const TemplatePiece& piece : pieces) {
            const Windows* windows = windows_of(piece);
            const auto count = static_cast<std::uint32_t>(windows ? windows->size() : 1);
            std::vector<Choice> extended;
            extended.reserve(choices.size() * count);
            const auto extend = [&](const Choice& choice, std::uint32_t window) {
                extended.push_back(choice);
                extended.back().push_back(window);
            };
            extend(choices.front(), 0);
            for (std::size_t i = 1; i < choices.size(); ++i) {
                for (std::uint32_t window = 0; window < count; ++window) extend(choices[i], window);
            }
            for (std::uint32_t window = 1; window < count; ++window) extend(choices.front(), window);
            choices = std::move(extended);
        }
        for (const Choice& choice : choices) fill(choice);
    }

private:
    template <class WindowsOf>
    static void check_total(const std::vector<TemplatePiece>& pieces, const WindowsOf& windows_of) {
        constexpr double most_windows = 1 << 20, most_tokens = 1 << 26;
        double combinations = 1, longest = 0;
        for (const TemplatePiece& piece : pieces) {
            const Windows* windows = windows_of(piece);
            if (!windows) {
                longest += static_cast<double>(piece.ids.size());
                continue;
            }
            combinations *= static_cast<double>(windows->size());
            std::size_t most = 0;  // without room for a token the first window is empty, and the second the whole text
            for (const Window& window : *windows) most = std::max(most, window.end - window.begin);
            longest += static_cast<double>(most);
        }
        if (combinations > most_windows || (combinations > 1 && combinations * longest > most_tokens)) {
            fail(ErrorKind::input, "there would be ", combinations, " windows of up to ", longest,
                 " tokens; at most 2^20 windows with 2^26 tokens are returned. Use a greater max_length, a smaller "
                 "stride, or cut only one text of a pair");
        }
    }

    std::vector<TemplatePiece> single_, pair_;
};

}  // namespace detail

BERT_NAMESPACE_END
