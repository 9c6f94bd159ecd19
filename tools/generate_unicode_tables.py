#!/usr/bin/env python3
"""Writes include/bert/text/unicode_tables.hpp from the behaviour of Hugging Face's `tokenizers`.

The reference mixes Unicode versions (its crates carry tables of different ages), so the tables are not taken from the
Unicode database: every code point is pushed through the reference's normalizers, its pre-tokenizer and its added-token
matching, and what comes out is recorded. Needs the Python package `tokenizers`; takes half a minute.

    python tools/generate_unicode_tables.py [output file]
"""

import argparse
import itertools
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

BLOCK = 64
FLAGS = ["removed", "space", "punctuation", "cjk", "nonspacing", "mark", "word", "lower_adds_dot"]
DOT = "\u0307"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def hangul(code):
    """The canonical decomposition of a Hangul syllable by the arithmetic of the Unicode standard, chapter 3.12."""
    index = code - 0xAC00
    if not 0 <= index < 11172:
        return None
    tail = index % 28
    return chr(0x1100 + index // 588) + chr(0x1161 + index % 588 // 28) + (chr(0x11A7 + tail) if tail else "")


def combining_classes(nfd):
    """Combining class of every code point, as far as the order of marks after NFD shows it.

    Two marks change places exactly if the later one has the lower, non-zero class. One known mark of each class is
    therefore a ruler; a binary search along it finds the class of any other character.
    """
    ruler = {}
    for code in CODE_POINTS:
        cls = unicodedata.combining(chr(code))
        if cls and cls not in ruler and nfd(chr(code)) == chr(code):
            # A character younger than the reference's tables passes nothing, is passed by nothing, and cannot serve.
            if nfd("\u0345" + chr(code)) != "\u0345" + chr(code) or nfd(chr(code) + "\u0334") != chr(code) + "\u0334":
                ruler[cls] = chr(code)
    classes = sorted(ruler)
    for low, high in itertools.pairwise(classes):
        assert nfd(ruler[high] + ruler[low]) == ruler[low] + ruler[high], (low, high)
        assert nfd(ruler[low] + ruler[high]) == ruler[low] + ruler[high], (low, high)
    lowest, highest = ruler[classes[0]], ruler[classes[-1]]

    result = {}
    for code in CODE_POINTS:
        c = chr(code)
        if nfd(c) != c:
            continue
        if nfd(highest + c) == highest + c and nfd(c + lowest) == c + lowest:
            continue  # nothing passes it: a starter
        low, high = 0, len(classes) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if nfd(ruler[classes[middle]] + c) == ruler[classes[middle]] + c:
                low = middle  # c does not pass, so its class is at least that of the mark
            else:
                high = middle - 1
        mark = ruler[classes[low]]
        assert nfd(c + mark) == c + mark and nfd(mark + c) == mark + c, hex(code)
        result[code] = classes[low]
    return result


def word_characters():
    r"""The characters that keep a single_word token from matching when they stand before it: `\w` of the reference."""
    tokenizer = Tokenizer(models.WordPiece({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([AddedToken("TOK", single_word=True, normalized=False)])
    words = set()
    for start in range(0, len(CODE_POINTS), 65536):
        chunk = CODE_POINTS[start : start + 65536]
        before = tokenizer.encode_batch([chr(c) + "TOK" for c in chunk])
        after = tokenizer.encode_batch(["TOK" + chr(c) for c in chunk])
        for code, left, right in zip(chunk, before, after):
            assert (1 in left.ids) == (1 in right.ids), hex(code)
            if 1 not in left.ids:
                words.add(code)
    return words


def stripped_characters():
    r"""The characters that an lstrip token takes along: `\s` of the reference."""
    tokenizer = Tokenizer(models.WordPiece({"?": 0}, unk_token="?"))
    tokenizer.add_tokens([AddedToken("TOK", lstrip=True, normalized=False)])
    texts = [chr(c) + "TOK" for c in CODE_POINTS]
    return {c for c, e in zip(CODE_POINTS, tokenizer.encode_batch(texts)) if len(e.ids) == 1}


def probe():
    """{code point: (flags, combining class, decomposition, lower-case delta)} for all that are not all-default."""
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    clean = normalizers.BertNormalizer(**{**off, "clean_text": True}).normalize_str
    chinese = normalizers.BertNormalizer(**{**off, "handle_chinese_chars": True}).normalize_str
    accents = normalizers.BertNormalizer(**{**off, "strip_accents": True}).normalize_str
    all_marks = normalizers.StripAccents().normalize_str
    nfd = normalizers.NFD().normalize_str
    lower = normalizers.Lowercase().normalize_str
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    words, stripped = word_characters(), stripped_characters()
    classes = combining_classes(nfd)
    records = {}
    for code in CODE_POINTS:
        c = chr(code)
        flags = set()
        if clean(f"a{c}b") == "ab":
            flags.add("removed")
        pieces = len(split(f"a{c}b"))
        if pieces == 2:
            flags.add("space")
        elif pieces == 3:
            flags.add("punctuation")
        assert (clean(c) == " ") == ("space" in flags and "removed" not in flags), hex(code)
        assert (code in stripped) == ("space" in flags), hex(code)
        if chinese(c) == f" {c} ":
            flags.add("cjk")
        decomposition = nfd(c)
        if decomposition == c:
            decomposition = ""
            if accents("a" + c) == "a":
                flags.add("nonspacing")
        if hangul(code):
            assert decomposition == hangul(code), hex(code)
            decomposition = ""  # computed, not stored
        assert all(nfd(d) == d for d in decomposition), hex(code)
        # What the normalizer relies on: no mark of a decomposition sorts before its first character, and no character
        # that ends a word takes part in sorting.
        assert all(classes.get(ord(decomposition[0]), 0) <= classes.get(ord(d), 0) for d in decomposition), hex(code)
        assert not (classes.get(code) and flags & {"space", "punctuation", "cjk"}), hex(code)
        if all_marks("a" + c) == "a":
            flags.add("mark")
        if code in words:
            flags.add("word")
        lowered = lower(c)
        assert lower("a" + c) == "a" + lowered and lower(c + "a") == lowered + "a", hex(code)
        if len(lowered) == 2:
            assert lowered[1] == DOT, hex(code)
            flags.add("lower_adds_dot")
        else:
            assert len(lowered) == 1, hex(code)
        records[code] = (
            sum(1 << i for i, name in enumerate(FLAGS) if name in flags),
            classes.get(code, 0),
            decomposition,
            ord(lowered[0]) - code,
        )
    space_or_punctuation = 1 << FLAGS.index("space") | 1 << FLAGS.index("punctuation")
    for code, record in records.items():  # lower case never makes or unmakes a word boundary
        assert (record[0] ^ records[code + record[3]][0]) & space_or_punctuation == 0, hex(code)
    default = (0, 0, "", 0)
    return {code: records.get(code, default) for code in range(0x110000)}


def rows(values):
    text, line = [], "   "
    for value in values:
        item = f" {value},"
        if len(line) + len(item) > 120:
            text.append(line)
            line = "   "
        line += item
    return "\n".join(text + [line])


def render(records):
    decompositions, positions = [], {}
    for record in records.values():
        sequence = record[2]
        if sequence and sequence not in positions:
            positions[sequence] = len(decompositions)
            decompositions.extend(ord(d) for d in sequence)
    assert len(decompositions) < 1 << 16

    distinct = {}
    indices = [distinct.setdefault(records[code], len(distinct)) for code in range(0x110000)]
    assert len(distinct) < 1 << 16
    blocks, stage1 = {}, []
    for start in range(0, len(indices), BLOCK):
        stage1.append(blocks.setdefault(tuple(indices[start : start + BLOCK]), len(blocks)))
    assert len(blocks) < 1 << 16
    stage2 = list(itertools.chain.from_iterable(blocks))
    entries = [f"{{{f}, {c}, {len(d)}, {positions.get(d, 0)}, {lower}}}" for f, c, d, lower in distinct]

    flags = "\n".join(f"inline constexpr std::uint8_t {name} = {1 << i};" for i, name in enumerate(FLAGS))
    return f"""\
// Properties of all characters as Hugging Face's tokenizers treat them, looked up through unicode.hpp.
// Generated by tools/generate_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit. Depends on config.hpp only.
#pragma once

#include <bert/config.hpp>

#include <cstdint>

// clang-format off
BERT_NAMESPACE_BEGIN

namespace detail::unicode {{

{flags}

struct Character {{
    std::uint8_t flags;
    std::uint8_t combining_class;
    std::uint8_t decomposition_size;  // 0: does not decompose (Hangul syllables are computed)
    std::uint16_t decomposition;      // position in `decompositions`
    std::int32_t lower_delta;         // lower case is code point + delta
}};

inline constexpr std::uint32_t block_size = {BLOCK};

inline constexpr Character characters[{len(entries)}] = {{
{rows(entries)}
}};

inline constexpr std::uint32_t decompositions[{len(decompositions)}] = {{
{rows(hex(d) for d in decompositions)}
}};

inline constexpr std::uint16_t block_of[{len(stage1)}] = {{
{rows(stage1)}
}};

inline constexpr std::uint16_t character_of[{len(stage2)}] = {{
{rows(stage2)}
}};

}}  // namespace detail::unicode

BERT_NAMESPACE_END
// clang-format on
"""


def main():
    default = pathlib.Path(__file__).resolve().parents[1] / "include/bert/text/unicode_tables.hpp"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=pathlib.Path, default=default)
    output = parser.parse_args().output
    output.write_text(render(probe()), encoding="utf-8", newline="\n")
    print(f"wrote {output}", file=sys.stderr)


if __name__ == "__main__":
    main()
