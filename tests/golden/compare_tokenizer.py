#!/usr/bin/env python3
"""Compares bert::Tokenizer with Hugging Face's `tokenizers` on random texts. Run by hand:

    g++ -std=c++17 -O2 -I include tests/golden/dump_tokenizer.cpp -o dump_tokenizer
    python tests/golden/compare_tokenizer.py ./dump_tokenizer --texts 200000 [--model model-folder]

Needs the Python packages `tokenizers` and `numpy`.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

from tokenizer_reference import Reference, bert_tokenizer, special_tokens
from tokenizers import AddedToken, Tokenizer, normalizers

MARKS = [chr(c) for c in range(0x110000) if unicodedata.combining(chr(c)) or unicodedata.category(chr(c)) == "Mn"]
SPACES = [chr(c) for c in range(0x3001) if chr(c).isspace()] + list("\x00\x01\x1c\x7f\x85\u200b\u200d\ufeff\ufffd")
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~¡§«»¿‐–—‘’“”…、。「」！？，．")
WORDS = "the of and unaffable embeddings Łódź façade naïve İstanbul ΣΊΣΥΦΟΣ Москва ёлка हिन्दी ไทย 한국어 漢字 かな العربية".split()
ODD = list("İıſßẞΣςşţ\u0344\u0340\u0341\u0343\u0374\u037e\u0f73\u0f75\u0f81\u1e9b\u212b\u2126\ufb1d\u0958가각힣漢豈\U0002f800\U0002b820\U0002ceb0🙂👩‍👩‍👧")
TOKENS = ["[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]", "[mask]", "<e>", "Foo", "foo bar", "straße", "É", "<l>", "<r>", "<w>", "<b>"]


def random_character(rng):
    kind = rng.random()
    if kind < 0.3:
        return chr(rng.randrange(0x20, 0x7F))
    if kind < 0.5:
        return chr(rng.randrange(0x80, 0x600))
    if kind < 0.6:
        return rng.choice(MARKS)
    if kind < 0.7:
        return rng.choice(ODD)
    if kind < 0.75:
        return rng.choice(SPACES)
    if kind < 0.8:
        return rng.choice(PUNCTUATION)
    while True:
        code = rng.randrange(0x3000, 0xFFFF) if kind < 0.9 else rng.randrange(0x110000)
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code)


def random_text(rng):
    parts = []
    for _ in range(rng.choice([0, 1, 2, 3, 5, 8, 13, 21])):
        kind = rng.random()
        if kind < 0.25:
            parts.append(rng.choice(WORDS))
        elif kind < 0.4:
            parts.append(rng.choice(TOKENS))
        elif kind < 0.45:
            parts.append(rng.choice("aé漢\u0301") * rng.choice([1, 2, 98, 99, 100, 101, 102]))
        elif kind < 0.55:
            base = rng.choice(["e", "", "가", "a", " "])
            parts.append(base + "".join(rng.choice(MARKS + ODD) for _ in range(rng.randrange(1, 7))))
        else:
            parts.append("".join(random_character(rng) for _ in range(rng.randrange(1, 6))))
        parts.append(rng.choice(["", "", " ", " ", "  ", rng.choice(SPACES), rng.choice(PUNCTUATION)]))
    return "".join(parts)


def random_options(rng, pair):
    options = {"offset_unit": rng.choice(["byte", "code_point"])}
    if rng.random() < 0.2:
        options["add_special_tokens"] = False
    if rng.random() < 0.4:
        options["max_length"] = rng.randrange(1, 16)
        options["truncation"] = rng.choice(["longest_first", "only_first"] + (["only_second"] if pair else []))
        options["truncation_side"] = rng.choice(["left", "right"])
        options["stride"] = min(rng.choice([0, 0, 1, 2, 3]), max(options["max_length"] - 2, 0))
        options["overflowing"] = True
    if rng.random() < 0.2:
        options["pad_to"] = rng.randrange(1, 30)
        options["padding_side"] = rng.choice(["left", "right"])
    return options


def tokenizers(rng, model):
    """Random tokenizers: flags, vocabulary and added tokens all vary."""
    letters = [chr(c) for c in range(0x21, 0x250)] + list("ΣσςΊίабвёйгд漢字가각각\u0301\u0307\u0323豈।") + MARKS[:40]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    while True:
        flags = dict(
            clean_text=rng.random() < 0.8,
            handle_chinese_chars=rng.random() < 0.8,
            strip_accents=rng.choice([None, True, False]),
            lowercase=rng.random() < 0.6,
        )
        if model and rng.random() < 0.3:
            tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            tokenizer.normalizer = normalizers.BertNormalizer(**flags)
        else:
            pieces = set(names) | set(rng.sample(letters, len(letters) // 2 * 2 - rng.randrange(60)))
            pieces |= {"##" + c for c in letters if rng.random() < 0.9}
            pieces |= {w.lower()[:3] for w in WORDS} | {"##" + w[2:4] for w in WORDS} | {"the", "##able", "un", "##aff"}
            vocabulary = {piece: i for i, piece in enumerate(sorted(pieces))}
            tokenizer = bert_tokenizer(vocabulary, template=rng.choice(["template", "bert"]), **flags)
            tokenizer.add_special_tokens(special_tokens())
            choice = rng.random()
            bert = tokenizer.normalizer
            if choice < 0.1:
                tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), bert])
            elif choice < 0.15:
                tokenizer.normalizer = normalizers.Sequence(
                    [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]
                )
            elif choice < 0.2:
                tokenizer.normalizer = normalizers.Sequence([normalizers.StripAccents(), normalizers.Lowercase()])
            elif choice < 0.25:
                tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
        added, seen = [], set()
        for token in rng.sample(TOKENS[5:], rng.randrange(0, 6)):
            normal = normalizers.Lowercase().normalize_str(token)
            if normal in seen:
                continue  # two tokens of one normal form: the reference picks one at random
            seen.add(normal)
            added.append(
                AddedToken(
                    token,
                    single_word=rng.random() < 0.4,
                    lstrip=rng.random() < 0.4,
                    rstrip=rng.random() < 0.4,
                    normalized=rng.random() < 0.5,
                    special=rng.random() < 0.3,
                )
            )
        tokenizer.add_tokens(added)
        yield tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", type=pathlib.Path)
    args = parser.parse_args()
    rng = random.Random(args.seed)

    folder = pathlib.Path(tempfile.mkdtemp())
    program = subprocess.Popen([args.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    compared = errors = mismatches = 0
    per_tokenizer = 1000
    for number, tokenizer in enumerate(tokenizers(rng, args.model)):
        if compared >= args.texts or mismatches > 20:
            break
        path = folder / f"{number}.json"
        tokenizer.save(str(path))
        reference = Reference(tokenizer)
        requests = []
        for _ in range(per_tokenizer):
            request = {"text": random_text(rng)}
            if rng.random() < 0.3:
                request["pair"] = random_text(rng)
            request["options"] = random_options(rng, "pair" in request)
            requests.append(request)
        lines = [json.dumps({"load": str(path)})] + [json.dumps(r) for r in requests]
        expected = [reference.answer(r) for r in requests]
        ids = [[row[0] for row in answer[0]] if answer else [] for answer in expected]
        lines += [json.dumps({"decode": i, "skip": k % 2 == 0}) for k, i in enumerate(ids)]
        # Written in small portions, read back at once, so that neither pipe fills up.
        answers = []
        for line in lines:
            program.stdin.write(line + "\n")
            program.stdin.flush()
            answers.append(json.loads(program.stdout.readline()))
        if answers[0] is not None:
            print("load:", answers[0], tokenizer.normalizer)
            mismatches += 1
            continue
        for request, want, got in zip(requests, expected, answers[1:]):
            compared += 1
            if want is None:  # the reference refuses, or does not truncate where it should
                errors += 1
                same = isinstance(got, str) and got.startswith("error: input error")
            else:
                same = want == got
            if not same:
                mismatches += 1
                print(f"tokenizer {path}: {json.dumps(request)}\n  want {want}\n  got  {got}")
        for k, (i, got) in enumerate(zip(ids, answers[1 + per_tokenizer :])):
            want = tokenizer.decode(i, skip_special_tokens=k % 2 == 0)
            if want != got:
                mismatches += 1
                print(f"tokenizer {path}: decode {i}\n  want {want!r}\n  got  {got!r}")
    print(f"{compared} texts compared ({errors} refused by both), {mismatches} mismatches", file=sys.stderr)
    sys.exit(mismatches != 0)


if __name__ == "__main__":
    main()
