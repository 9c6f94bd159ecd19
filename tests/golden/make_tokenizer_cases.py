#!/usr/bin/env python3
"""Makes tokenizer/: what Hugging Face's `tokenizers` and transformers' BertTokenizer give for chosen texts, and hashes
of what they give for every Unicode character.

Usage: make_tokenizer_cases.py FOLDER, where FOLDER holds sentence-transformers/all-MiniLM-L6-v2 as published.
"""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import tokenizers
import transformers
from tokenizer_reference import Reference, bert_tokenizer, special_tokens
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from transformers import BertTokenizer

ROOT = Path(__file__).resolve().parent / "tokenizer"
FOLDERS = ROOT / "folders"

TEXTS = [
    "", " ", "\t\n\r", "\u200b", "\ufeff", "\x00", "\ufffd", "a", "A", "?", "é", "É", "e\u0301", "\u0301", "\u0301a", "İ", "aİb", "ß",
    "The cat sat on the mat.", "unaffable embeddings, isn't it?", "don't can't WON'T", "e-mail@example.com",
    "Łódź façade naïve Ångström", "Lo\u0301dz\u0301 fac\u0327ade nai\u0308ve", "ΣΊΣΥΦΟΣ Σ", "Москва ёлка Йод", "हिन्दी में", "ภาษาไทย",
    "العَرَبِيَّة", "שָׁלוֹם", "한국어 말 각", "漢字かな交じり文", "豈更\U0002f800", "\U0002b820\U0002b91f\U0002b920\U0002ceaf",
    "a漢b字c", "中文，没有空格。", "👩\u200d👩\u200d👧 🙂🙂", "a\u00a0b\u3000c\u2028d\u2029e\u202ff\u205fg\u1680h", "a\x0bb\x0cc\x1cd\x1fe\x7ff\x85g\xadh",
    "a\u0000b", "\u0000a", "a\u0000", "a\u200bb\u200dc\u2060d", "a\u0323\u0301b\u0301\u0323c", "a\u0344b", "\u0344\u0323", "é\u0323x",
    "\u0f71\u0f72\u0f73\u0f74\u0f75\u0f80\u0f81", "가\u0301각\u0323", "\u1e9b\u0323", "\u212b\u2126\u212a", "\u0958\u095c", "ǅ ǆ Ǆ", "ﬁ Ⅷ ⅷ ①",
    "x" * 99, "x" * 100, "x" * 101, "é" * 100, "e\u0301" * 100, "é" * 101, "İ" * 50, "İ" * 51, "漢" * 101, "a" * 100 + " b", "\u0301" * 101 + "a",
    "a1b2 3c 4.5,6", "$100 + 50% = <x> ^ `y` | ~z", "«a» “b” ‘c’ …d— e–f", "¡hola! ¿qué?", "a_b #tag @user", "[MASK]", "a[MASK]b [SEP]", "[mask]",
    "[CLS] a [SEP] b [SEP]", "[UNK] [PAD]", "[ MASK ]", "[MASK", "[[MASK]]", "the\r\ncat\r\n", "a  b   c", " a ", "\u1ab0\u1dff\u20d0\ufe20a",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐐀𐐨", "Ⓐⓐ ᏸꭰ Ა ა", "\U0001e900\U0001e922", "\u061c\u2066a\u2069", "\U000e0041a", "\ue000\U000f0000", "\u0378\u05ff\U0001ffff",
    "ꞋꞌꟲꟳꟴꟵ", "\u1e9e\u0587", "Hello World", "the the the the the the the the the the the the", "cat cat sat",
]  # fmt: skip

PAIRS = [
    ("the cat", "sat on"), ("", ""), ("", "a"), ("a", ""), ("é漢", "İ [MASK]"), ("the cat sat on the mat", "a"),
    ("a b c d", "the cat sat on the mat"), ("[SEP]", "[CLS]"), ("\u0301", "\u0301a"),
]  # fmt: skip

LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") + list(
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”‘’…—–¡¿，。éÉßσςΣίΊмосквёйеहनदमिा्ภาษไทย漢字かな交文豈更\u0301\u0323\u0307\u0308\u0345🙂İiıåÅωΩ각가"
)
PIECES = ["the", "cat", "sat", "on", "mat", "un", "##aff", "##able", "embed", "##ding", "##s", "isn", "it", "don", "##'", "Hello", "hello", "World",
          "fa", "##ca", "##de", "naive", "lo", "##dz", "fo", "##o", "foo", "bar", "##bar", "xx", "##xxxx", "##\u1100", "ᄒ", "##ᅡ", "##ᆫ"]  # fmt: skip
NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary(prefix="##"):
    tokens = NAMES + PIECES + LETTERS + ["##" + c for c in LETTERS]
    tokens = [prefix + t[2:] if t.startswith("##") else t for t in tokens]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def with_names(tokenizer):
    tokenizer.add_special_tokens(special_tokens())
    return tokenizer


def added_flags():
    """One added token for each combination of flags, and some that meet each other."""
    tokenizer = with_names(bert_tokenizer(vocabulary()))
    names = []
    for single_word, lstrip, rstrip, normalized in itertools.product([False, True], repeat=4):
        flags = dict(single_word=single_word, lstrip=lstrip, rstrip=rstrip, normalized=normalized)
        name = "<É" + "".join(key[0] if value else "-" for key, value in flags.items()) + ">"
        names.append(name)
        tokenizer.add_tokens([AddedToken(name, special=len(names) % 3 == 0, **flags)])
        word = "W" + "".join("y" if value else "n" for value in flags.values())
        names.append(word)
        tokenizer.add_tokens([AddedToken(word, **flags)])
    tokenizer.add_tokens([AddedToken("New York", normalized=True), AddedToken("New York City", normalized=True)])
    tokenizer.add_tokens([AddedToken("漢字", normalized=True), AddedToken("  ", normalized=False)])
    texts = []
    for name in names:
        texts += [name, f"a {name} b", f"a{name}b", f"é  {name}\u3000\u0301 x", f"_{name}_", f"{name}{name} {name}", name.lower(), name.replace("É", "e\u0301")]
    texts += ["new york city", "NEW  YORK", "New York New York City!", "a漢字b 漢 字", "a  b", "   ", "[MASK]  New York", "a\u0301New York\u0301"]
    return tokenizer, texts


def json_tokenizers():
    """{name: (tokenizer, texts)}, saved as tokenizer.json."""
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    result = {
        "uncased": bert_tokenizer(vocabulary()),
        "cased": bert_tokenizer(vocabulary(), "bert", lowercase=False),
        "cased_no_accents": bert_tokenizer(vocabulary(), lowercase=False, strip_accents=True),
        "uncased_accents": bert_tokenizer(vocabulary(), lowercase=True, strip_accents=False),
        "unclean": bert_tokenizer(vocabulary(), clean_text=False, handle_chinese_chars=False),
        "plain": bert_tokenizer(vocabulary(), **off),
        "no_template": bert_tokenizer(vocabulary(), template=None),
        "short_words": bert_tokenizer(vocabulary(), max_input_chars_per_word=5),
        "prefix_other": bert_tokenizer(vocabulary("@@"), prefix="@@"),
        "prefix_empty": bert_tokenizer(vocabulary(""), prefix=""),
        "ids_with_holes": bert_tokenizer({token: 3 * i + 7 for token, i in vocabulary().items()}),
    }
    for name, parts in {
        "lowercase_first": [normalizers.Lowercase(), normalizers.BertNormalizer(lowercase=False, strip_accents=True)],
        "nfd_strip": [normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()],
        "strip_only": [normalizers.StripAccents()],
    }.items():
        result[name] = bert_tokenizer(vocabulary())
        result[name].normalizer = normalizers.Sequence(parts)
    result["no_normalizer"] = bert_tokenizer(vocabulary())
    result["no_normalizer"].normalizer = None
    result["odd_template"] = bert_tokenizer(vocabulary())
    result["odd_template"].post_processor = processors.TemplateProcessing(
        single="[SEP]:5 $A:3 [X]:2",
        pair="$B:4 [X] $A:2 [CLS]:7",
        special_tokens=[("[SEP]", 3), ("[CLS]", 2), {"id": "[X]", "ids": [2, 3, 4], "tokens": ["x", "y", "z"]}],
    )
    result["no_decoder"] = bert_tokenizer(vocabulary())
    result["no_cleanup"] = bert_tokenizer(vocabulary())
    result["no_cleanup"].decoder = decoders.WordPiece(prefix="##", cleanup=False)
    result = {name: (with_names(tokenizer), TEXTS) for name, tokenizer in result.items()}
    result["added_flags"] = added_flags()
    return result


def folder_tokenizers():
    """Folders without tokenizer.json, as transformers' BertTokenizer reads them."""
    lines = list(vocabulary())
    added = {"content": "Foo", "single_word": True, "lstrip": False, "rstrip": True, "normalized": True, "special": False}
    mask = {"content": "[MASK]", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}
    folders = {
        "vocab_only": {},
        "vocab_cased": {"tokenizer_config.json": {"do_lower_case": False, "model_max_length": 77}},
        "vocab_flags": {"tokenizer_config.json": {"strip_accents": False, "tokenize_chinese_chars": False, "model_max_length": int(1e30)}},
        "vocab_added": {"tokenizer_config.json": {"added_tokens_decoder": {"400": {**added, "content": "bar"}, "399": added},
                                                  "additional_special_tokens": ["<e>"], "mask_token": {"__type": "AddedToken", **mask}},
                        "special_tokens_map.json": {"mask_token": "ignored"}},
        "vocab_named": {"special_tokens_map.json": {"mask_token": mask, "cls_token": "[CLS]", "additional_special_tokens": ["<e>"]},
                        "added_tokens.json": {"Foo": 412, "[CLS]": 2, "[SEP]": 3, "bar": 411}},
        "vocab_names": {"tokenizer_config.json": {"cls_token": "cat", "sep_token": "sat", "unk_token": "un", "pad_token": "on", "mask_token": "<mask>"}},
    }  # fmt: skip
    contents = {name: "\n".join(lines) + "\n" for name in folders}
    contents["vocab_crlf"] = "\r\n".join(lines) + "\r\n"
    contents["vocab_untidy"] = "\n".join(lines[:60] + ["", "the ", "cat\u3000", "\u00a0", "the"] + lines[60:]) + "\n\n  \nend"
    texts = TEXTS + ["Foo a Foobar Foo  bar bars", "<e><E>", "a  [MASK]", "<mask> cat sat un on", "end"]
    for name, content in contents.items():
        folder = FOLDERS / name
        folder.mkdir(parents=True)
        (folder / "vocab.txt").write_text(content, encoding="utf-8", newline="")
        for file, value in folders.get(name, {}).items():
            (folder / file).write_text(json.dumps(value, ensure_ascii=False))
        yield name, BertTokenizer.from_pretrained(folder)._tokenizer, texts


def write_tokenizers():
    shutil.rmtree(ROOT, ignore_errors=True)
    FOLDERS.mkdir(parents=True)
    result = {}
    for name, (tokenizer, texts) in json_tokenizers().items():
        folder = FOLDERS / name
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        result[name] = tokenizer, texts
    # Variants of files that must not change the result: recorded truncation, a model without its type, settings that
    # tokenizer.json overrides.
    path = FOLDERS / "uncased" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    del content["model"]["type"]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    (path.parent / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "model_max_length": 512}))
    (path.parent / "vocab.txt").write_text("[UNK]\nnot\nthis\n")
    content = json.loads((FOLDERS / "no_decoder" / "tokenizer.json").read_text(encoding="utf-8"))
    content["decoder"] = None
    (FOLDERS / "no_decoder" / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    result["no_decoder"] = Tokenizer.from_str(json.dumps(content)), result["no_decoder"][1]
    for name, tokenizer, texts in folder_tokenizers():
        result[name] = tokenizer, texts
    return result


def truncations():
    for length, stride in [(12, 0), (8, 0), (8, 2), (7, 3), (5, 1), (4, 0), (3, 0), (2, 0), (1, 0), (6, 4), (6, 3)]:
        for side in ("right", "left"):
            yield {"max_length": length, "stride": stride, "truncation_side": side, "overflowing": True}


def requests(name, texts):
    units = itertools.cycle(["byte", "code_point"])
    every = name in ("uncased", "added_flags")
    for i, text in enumerate(texts):
        if every or i % 6 == len(name) % 6 or name in ("cased", "unclean", "plain") and i % 2:
            yield {"text": text, "options": {"offset_unit": next(units)}}
    for first, second in PAIRS if every else PAIRS[3:6]:
        yield {"text": first, "pair": second}
        yield {"text": first, "pair": second, "options": {"add_special_tokens": False}}
    if name in ("uncased", "odd_template", "cased"):
        long = "the cat sat on the mat, isn't it? unaffable"
        for options in itertools.islice(truncations(), 0, None, 1 if name == "uncased" else 5):
            yield {"text": long, "options": options}
            if options["max_length"] not in (12, 8, 7, 5, 4, 3):
                continue
            for strategy in ("longest_first", "only_first", "only_second"):
                yield {"text": "the cat sat on", "pair": "a b c d e f", "options": {**options, "truncation": strategy}}
                yield {"text": "the mat", "pair": "a", "options": {**options, "truncation": strategy}}
        for side in ("left", "right"):
            options = {"pad_to": 9, "padding_side": side, "max_length": 8, "stride": 1, "overflowing": True}
            yield {"text": "the cat", "options": options}
            yield {"text": "the cat", "pair": "sat", "options": options}
            yield {"text": long, "options": options}


def comparable(reference, request):
    """Whether the reference takes part: it checks a stride against a room that is not the one of a pair."""
    options = request.get("options", {})
    if not options.get("stride") or "max_length" not in options:
        return True
    return options["stride"] <= options["max_length"] - reference.tokenizer.num_special_tokens_to_add(False)


def write_cases(all_tokenizers):
    count = 0
    with open(ROOT / "cases.jsonl", "w", encoding="utf-8") as out:
        for name, (tokenizer, texts) in all_tokenizers.items():
            tokenizer.no_truncation(), tokenizer.no_padding()
            reference = Reference(tokenizer)
            for request in requests(name, texts):
                if not comparable(reference, request):
                    continue
                answer = reference.answer(request)
                line = {"tokenizer": name, **request, "expected": answer}
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
            tokenizer.no_truncation(), tokenizer.no_padding()
            ids = tokenizer.encode("the cat isn't on unaffable [MASK] mats . don't ! fo bar 's [SEP]").ids + [10**6]
            for skip in (True, False):
                line = {"tokenizer": name, "decode": ids, "skip": skip, "expected": tokenizer.decode(ids, skip_special_tokens=skip)}
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
    return count


BLOCK = 256
FULL_PLANES = (0, 1, 2, 3, 14)  # the others hold nothing but unassigned and private-use characters
VOCABULARY_PLANES = (0, 1, 2, 14)  # those with characters that decompose, change case or are stripped


def mix(values):
    """The finalizer of SplitMix64 on an array of 64-bit numbers."""
    values = values.astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hash_rows(rows):
    """Sum of mix(value + position * odd constant) over the values of all rows: depends on every value and its place."""
    flat = np.asarray(rows, dtype=np.uint64).reshape(-1)
    places = np.arange(1, flat.size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return int(mix(flat + places).sum(dtype=np.uint64))


def sweep_text(start, added):
    """Every character of a block alone, within a word, before marks, and between marks and decomposing characters."""
    parts = []
    for code in range(start, start + BLOCK):
        if 0xD800 <= code <= 0xDFFF:
            continue
        c = chr(code)
        parts.append(f"{c}TOK{c} {c}LST RST{c} " if added else f"{c} a{c}b {c}\u0301\u0323c e\u0344{c}\u0323d ")
    return "".join(parts)


def sweep_tokenizers():
    """A vocabulary of characters, so that ids tell the normalized text, under every combination of flags."""
    codes = [c for c in range(0x110000) if c >> 16 in VOCABULARY_PLANES and not 0xD800 <= c <= 0xDFFF]
    words = {"[UNK]": 0, **{chr(c): c + 1 for c in codes}}
    tokenizer = bert_tokenizer(words, template=None, prefix="")
    for clean, chinese, accents, lower in itertools.product([False, True], repeat=4):
        name = f"clean_text {clean:d}, handle_chinese_chars {chinese:d}, strip_accents {accents:d}, lowercase {lower:d}"
        flags = dict(clean_text=clean, handle_chinese_chars=chinese, strip_accents=accents, lowercase=lower)
        tokenizer.normalizer = normalizers.BertNormalizer(**flags)
        yield name, tokenizer, clean and chinese and accents == lower
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFD(), normalizers.StripAccents()])
    yield "lowercase_first, decompose, strip_marks", tokenizer, False
    tokenizer.normalizer = None
    tokenizer.add_tokens(
        [
            AddedToken("TOK", single_word=True, normalized=False),
            AddedToken("LST", lstrip=True, normalized=False),
            AddedToken("RST", rstrip=True, normalized=False),
        ]
    )
    yield "added tokens", tokenizer, False


def write_sweep():
    blocks = {start: 0 for start in range(0, 0x110000, BLOCK)}
    configurations = {}
    for name, tokenizer, all_planes in sweep_tokenizers():
        total = 0
        for start in blocks:
            if start >> 16 not in FULL_PLANES and not all_planes:
                continue
            text = sweep_text(start, name == "added tokens")
            encoding = tokenizer.encode(text)
            places = np.cumsum([0] + [len(c.encode()) for c in text])
            offsets = places[np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)]
            rows = np.column_stack([encoding.ids, offsets, encoding.word_ids]) if encoding.ids else []
            value = hash_rows(rows)
            blocks[start] = int(mix(np.array([blocks[start] ^ value], dtype=np.uint64))[0])
            total = int(mix(np.array([total ^ value], dtype=np.uint64))[0])
        configurations[name] = f"{total:016x}"
    result = {"configurations": configurations, "blocks": [f"{h:016x}" for h in blocks.values()]}
    (ROOT / "sweep.json").write_text(json.dumps(result, indent=0), encoding="utf-8")


def write_minilm(folder):
    """Ids and code-point offsets of the real vocabulary, without special tokens."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation(), tokenizer.no_padding()
    texts = json.loads((ROOT.parent / "minilm" / "texts.json").read_text(encoding="utf-8"))
    texts = [t for t in texts if len(t) < 400] + TEXTS
    with open(ROOT / "minilm.jsonl", "w", encoding="utf-8") as out:
        for text in dict.fromkeys(texts):
            encoding = tokenizer.encode(text, add_special_tokens=False)
            line = {"text": text, "ids": encoding.ids, "offsets": list(itertools.chain.from_iterable(encoding.offsets))}
            out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    count = write_cases(write_tokenizers())
    write_sweep()
    write_minilm(Path(sys.argv[1]))
    versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    print(f"{count} cases")


if __name__ == "__main__":
    main()
