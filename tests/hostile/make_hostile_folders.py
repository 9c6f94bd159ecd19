"""Makes model folders that are broken or odd on purpose: each a copy of a small good one with one thing changed, and
what opening it should come to.

Usage: make_hostile_folders.py GOLDEN_FOLDER OUTPUT_FOLDER [NAME_PART]

Writes OUTPUT_FOLDER/<case>/model for every case (or those whose name contains NAME_PART) and OUTPUT_FOLDER/cases.json, a
list of {"name", "folder", "opener", "kind", "message", "unlimited"}: what tests/hostile/open_folder.cpp is called with
("folder" may be a model of one file in it), the kind of bert::Error that is expected (null: it opens and computes;
"any": either, whatever the kind) and texts that its message has to contain.
"""

import copy
import json
import os
import shutil
import struct
import sys
from pathlib import Path

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MODULES = "modules.json"
POOLING = "1_Pooling/config.json"
DENSE = "2_Dense/config.json"
DENSE_WEIGHTS = "2_Dense/model.safetensors"
PROMPTS = "config_sentence_transformers.json"
LIMITS = "sentence_bert_config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
CONVERTED = "model.bert"
SPECIAL = "special_tokens_map.json"
ADDED = "added_tokens.json"
VOCABULARY = "vocab.txt"

FILE, FORMAT, SHAPE, VOCAB, INPUT, UNSUPPORTED = "file", "format", "shape", "vocabulary", "input", "unsupported"

CASES = []


def case(name, change, kind, *message, opener="sentence_encoder", base="sentence", unlimited=False, file=""):
    """One folder: `base` changed by change(folder). `unlimited`: it may take address space as large as its files.
    `file`: in the folder, what is opened instead of it."""
    assert name not in [known["name"] for known in CASES], name
    CASES.append(
        {
            "name": name,
            "change": change,
            "kind": kind,
            "message": message,
            "opener": opener,
            "base": base,
            "unlimited": unlimited,
            "file": file,
        }
    )


# ---------------------------------------------------------------------------------------------------- files and tensors


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def safetensors(header, data):
    """A file of this header, an object or bytes, and data."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def read_tensors(path):
    """{name: [dtype, shape, bytes]} of a good file."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    data = content[8 + length :]
    return {n: [t["dtype"], t["shape"], data[slice(*t["data_offsets"])]] for n, t in header.items()}


def tensors_header(tensors):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    return header, data


def write_tensors(path, tensors):
    path.write_bytes(safetensors(*tensors_header(tensors)))


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


# ------------------------------------------------------------------------------------------------------ ways to change


def both(*changes):
    def change(folder):
        for one in changes:
            one(folder)

    return change


def remove(name):
    def change(folder):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return change


def write(name, content):
    def change(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))

    return change


def edit(name, function):
    """function(bytes) -> bytes"""

    def change(folder):
        (folder / name).write_bytes(function((folder / name).read_bytes()))

    return change


def put(name, *path_and_value):
    """Sets json[path[0]][path[1]]... = value."""
    *keys, value = path_and_value

    def change(folder):
        root = read_json(folder / name) if (folder / name).exists() else {}
        at = root
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
        write_json(folder / name, root)

    return change


def drop(name, *keys):
    def change(folder):
        root = read_json(folder / name)
        at = root
        for key in keys[:-1]:
            at = at[key]
        del at[keys[-1]]
        write_json(folder / name, root)

    return change


def rename(old, new):
    return lambda folder: (folder / old).rename(folder / new)


def cut(name, count):
    """Takes bytes off the end."""
    return edit(name, lambda content: content[:-count])


def link(name, target):
    def change(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or path.exists():
            path.unlink()
        path.symlink_to(target)

    return change


def move_out(name, *, absolute=False):
    """Puts a file or folder beside the model's folder and a link in its place."""

    def change(folder):
        outside = folder.parent / ("outside_" + Path(name).name)
        (folder / name).rename(outside)
        up = "../" * (1 + name.count("/"))
        (folder / name).symlink_to(outside.absolute() if absolute else up + outside.name)

    return change


def fifo(name):
    def change(folder):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return change


def directory(name):
    def change(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return change


def sparse(name, size):
    """Makes the file as long as `size` without taking the space."""
    return lambda folder: os.truncate(folder / name, size)


def tensors(name, function):
    """function(tensors) changes what read_tensors() gave."""

    def change(folder):
        all_tensors = read_tensors(folder / name)
        function(all_tensors)
        write_tensors(folder / name, all_tensors)

    return change


def tensor(key, field, value, name=WEIGHTS):
    index = {"dtype": 0, "shape": 1, "data": 2}[field]

    def function(all_tensors):
        old = all_tensors[key][index]
        all_tensors[key][index] = value(old) if callable(value) else value

    return tensors(name, function)


def header(function, name=WEIGHTS):
    """function(header) changes the header object, or returns bytes to stand in its place."""

    def change(folder):
        head, data = tensors_header(read_tensors(folder / name))
        changed = function(head)
        (folder / name).write_bytes(safetensors(head if changed is None else changed, data))

    return change


def entry(key, field, value, name=WEIGHTS):
    def function(head):
        if value is None:
            del head[key][field]
        else:
            head[key][field] = value

    return header(function, name)


def value_at(key, index, value, name=WEIGHTS):
    """Puts one float into a tensor."""
    return tensor(
        key, "data", lambda data: data[: 4 * index] + struct.pack("<f", value) + data[4 * index + 4 :], name
    )


def converted(change=None):
    """Packs the model into one file, as docs/converted-weights.md describes it. change(metadata, tensors) does the
    harm, before the tensors get their places."""

    def pack(folder):
        vocabulary = (folder / VOCABULARY).read_text(encoding="utf-8").splitlines()
        packed = b"".join(token.encode("utf-8") + b"\xff" for token in vocabulary)
        all_tensors = read_tensors(folder / WEIGHTS)
        all_tensors |= {f"2_Dense/{name}": value for name, value in read_tensors(folder / DENSE_WEIGHTS).items()}
        all_tensors["tokenizer.vocabulary"] = ["U8", [len(packed)], packed]
        files = [CONFIG, MODULES, POOLING, DENSE, LIMITS, TOKENIZER_CONFIG]
        metadata = {name: (folder / name).read_text(encoding="utf-8") for name in files}
        metadata |= {VOCABULARY: "", "bert.version": "1", "bert.weights": "f32"}
        if change:
            change(metadata, all_tensors)
        head, data = tensors_header(all_tensors)
        (folder / CONVERTED).write_bytes(safetensors({"__metadata__": metadata} | head, data))

    return pack


def module(index, key, value):
    return put(MODULES, index, key, value)


def vocabulary(function):
    """Leaves vocab.txt as the only file of the tokenizer, with the lines that function(lines) makes."""

    def change(folder):
        lines = (folder / VOCABULARY).read_text(encoding="utf-8").splitlines()
        (folder / VOCABULARY).write_text("\n".join(function(lines)) + "\n", encoding="utf-8")
        (folder / TOKENIZER).unlink()

    return change


def vocabulary_bytes(content):
    return both(remove(TOKENIZER), write(VOCABULARY, content))


def without(token):
    return vocabulary(lambda lines: ["replaced" if line == token else line for line in lines])


def shards(function=None):
    """Splits the weights in two with an index; function(index) changes that."""

    def change(folder):
        all_tensors = read_tensors(folder / WEIGHTS)
        names = sorted(all_tensors)
        parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
        for file, part in parts.items():
            write_tensors(folder / file, {n: all_tensors[n] for n in part})
        (folder / WEIGHTS).unlink()
        index = {"metadata": {}, "weight_map": {n: file for file, part in parts.items() for n in part}}
        changed = function(index) if function else None
        write_json(folder / INDEX, index if changed is None else changed)

    return change


def shard_path(path):
    """Names all tensors of one shard to be in `path`."""

    def function(index):
        for name, file in index["weight_map"].items():
            if file == "a.safetensors":
                index["weight_map"][name] = path

    return shards(function)


def hub_cache(folder):
    """The layout of the hub's cache: links into a folder of blobs beside the snapshots."""
    root = folder.parent / "models--x--y"
    snapshot = root / "snapshots" / "0123abc"
    blobs = root / "blobs"
    snapshot.parent.mkdir(parents=True)
    blobs.mkdir()
    folder.rename(snapshot)
    for number, file in enumerate(sorted(p for p in snapshot.rglob("*") if p.is_file())):
        file.rename(blobs / str(number))
        file.symlink_to(os.path.relpath(blobs / str(number), file.parent))
    folder.symlink_to(snapshot.relative_to(folder.parent))


def kubernetes_volume(folder):
    """The layout of mounted configuration: links to a link to a folder, all inside."""
    data = folder / "..2024_01_01"
    data.mkdir()
    for file in [p for p in folder.iterdir() if p.is_file()]:
        file.rename(data / file.name)
        file.symlink_to("..data/" + file.name)
    (folder / "..data").symlink_to(data.name)


WORD = "embeddings.word_embeddings.weight"
POSITION = "embeddings.position_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"
NORM = "embeddings.LayerNorm.weight"
QUERY = "encoder.layer.0.attention.self.query.weight"
QUERY_BIAS = "encoder.layer.0.attention.self.query.bias"
INNER = "encoder.layer.1.intermediate.dense.weight"
HUGE = 1 << 28


def wrong_values(name, key, kind, values, *message, **options):
    """A case for each value of the wrong type or size at json[key]."""
    for label, value in values.items():
        case(f"{Path(name).stem}.{key}.{label}", put(name, key, value), kind, name, key, *message, **options)


NOT_A_SIZE = {
    "zero": 0,
    "negative": -1,
    "fraction": 2.5,
    "text": "24",
    "list": [24],
    "object": {},
    "true": True,
    "huge": 1e30,
    "beyond_64_bits": 1 << 70,
}
NOT_A_TEXT = {"number": 1, "list": ["x"], "object": {}, "true": True}
NOT_A_FLAG = {"text": "yes", "number": 1, "list": [True]}


def add_config_cases():
    case("good", lambda folder: None, None)
    case("good.bert_model", lambda folder: None, None, opener="bert_model")
    case("config.missing", remove(CONFIG), FILE, CONFIG)
    case("config.empty", write(CONFIG, ""), FORMAT, CONFIG)
    case("config.one_byte", write(CONFIG, "{"), FORMAT, CONFIG)
    case("config.zeros", write(CONFIG, b"\0" * 100), FORMAT, CONFIG)
    case("config.random_bytes", write(CONFIG, bytes(range(256))), FORMAT, CONFIG)
    case("config.utf16", write(CONFIG, '{"model_type": "bert"}'.encode("utf-16")), FORMAT, CONFIG)
    case("config.not_utf8", write(CONFIG, b'{"model_type": "\xff\xfe"}'), FORMAT, CONFIG)
    case("config.byte_order_mark", edit(CONFIG, lambda c: b"\xef\xbb\xbf" + c), None)
    case("config.windows_line_ends", edit(CONFIG, lambda c: c.replace(b"\n", b"\r\n")), None)
    case("config.text_behind_the_end", edit(CONFIG, lambda c: c + b"}"), FORMAT, CONFIG)
    case("config.list", write(CONFIG, "[]"), FORMAT, CONFIG, "object")
    case("config.number", write(CONFIG, "1"), FORMAT, CONFIG, "object")
    case("config.null", write(CONFIG, "null"), FORMAT, CONFIG, "object")
    case("config.defaults_of_bert_base", write(CONFIG, "{}"), SHAPE, WEIGHTS, "768", "24")
    case("config.number_overflows", write(CONFIG, '{"hidden_size": 1e999}'), FORMAT, CONFIG)
    case("config.nested_deeply", write(CONFIG, '{"a":' * 100_000), FORMAT, CONFIG, "nest")
    case("config.nested_lists", write(CONFIG, '{"a":' + "[" * 65 + "]" * 65 + "}"), FORMAT, CONFIG, "nest")
    case("config.brackets_in_a_text", put(CONFIG, "note", "[" * 1000), None)
    case("config.key_twice", edit(CONFIG, lambda c: b'{"hidden_size": 7,' + c.lstrip()[1:]), None)
    case("config.unknown_keys", put(CONFIG, "no_such_setting", {"a": [1, 2, 3]}), None)
    case("config.comment", edit(CONFIG, lambda c: b"// a model\n" + c), FORMAT, CONFIG)
    case("config.empty_objects", write(CONFIG, '{"k":[' + "{}," * 3_000_000 + "{}]}"), SHAPE, WEIGHTS)
    case("config.is_a_folder", directory(CONFIG), FILE, CONFIG)
    case("config.is_a_pipe", fifo(CONFIG), FILE, CONFIG)
    case("config.is_a_device", link(CONFIG, "/dev/zero"), FILE, CONFIG)
    case("config.is_huge", sparse(CONFIG, 1 << 40), FILE, CONFIG, "bytes")
    for key in ["hidden_size", "num_attention_heads", "vocab_size", "max_position_embeddings"]:
        wrong_values(CONFIG, key, FORMAT, NOT_A_SIZE)
    case("config.float_without_fraction", put(CONFIG, "hidden_size", 24.0), None)
    wrong_values(CONFIG, "model_type", FORMAT, NOT_A_TEXT)
    wrong_values(CONFIG, "hidden_act", FORMAT, NOT_A_TEXT)
    wrong_values(CONFIG, "is_decoder", FORMAT, NOT_A_FLAG)
    case("config.other_model", put(CONFIG, "model_type", "roberta"), UNSUPPORTED, CONFIG, "roberta")
    relative = "relative_key_query"
    case("config.relative_positions", put(CONFIG, "position_embedding_type", relative), UNSUPPORTED, CONFIG, relative)
    case("config.decoder", put(CONFIG, "is_decoder", True), UNSUPPORTED, CONFIG, "is_decoder")
    case("config.unknown_activation", put(CONFIG, "hidden_act", "swiglu"), UNSUPPORTED, CONFIG, "swiglu")
    case("config.heads_do_not_divide", put(CONFIG, "num_attention_heads", 5), SHAPE, CONFIG, "5", "24")
    case("config.more_heads_than_features", put(CONFIG, "num_attention_heads", 48), SHAPE, CONFIG, "48", "24")
    case("config.one_layer_more", put(CONFIG, "num_hidden_layers", 3), FORMAT, "encoder.layer.2.", "missing")
    case(
        "config.layers_beyond_counting",
        put(CONFIG, "num_hidden_layers", 200_000_000),
        FORMAT,
        "encoder.layer.2.",
        "missing",
    )
    case("config.one_layer_less", put(CONFIG, "num_hidden_layers", 1), FORMAT, WEIGHTS, "encoder.layer.1.", "unexpected")
    case("config.hidden_larger", put(CONFIG, "hidden_size", 28), SHAPE, WEIGHTS, "28", "24")
    case("config.hidden_huge", put(CONFIG, "hidden_size", HUGE), SHAPE, WEIGHTS, str(HUGE), "24")
    case("config.inner_huge", put(CONFIG, "intermediate_size", HUGE), SHAPE, WEIGHTS, str(HUGE), "50")
    case("config.vocabulary_huge", put(CONFIG, "vocab_size", HUGE), SHAPE, WEIGHTS, WORD, str(HUGE))
    case("config.positions_huge", put(CONFIG, "max_position_embeddings", HUGE), SHAPE, WEIGHTS, POSITION, str(HUGE))
    case("config.types_more", put(CONFIG, "type_vocab_size", 3), SHAPE, WEIGHTS, TYPES, "[3, 24]", "[2, 24]")
    case("config.epsilon_negative", put(CONFIG, "layer_norm_eps", -1e-12), SHAPE, CONFIG, "layer_norm_eps")
    case("config.epsilon_large", put(CONFIG, "layer_norm_eps", 5), SHAPE, CONFIG, "layer_norm_eps")
    case("config.epsilon_text", put(CONFIG, "layer_norm_eps", "tiny"), FORMAT, CONFIG, "layer_norm_eps")
    case("config.epsilon_zero", put(CONFIG, "layer_norm_eps", 0), None)
    case("config.architectures_text", put(CONFIG, "architectures", "BertModel"), FORMAT, CONFIG, "architectures")
    case("config.architectures_numbers", put(CONFIG, "architectures", [1]), FORMAT, CONFIG, "architectures")
    case("config.labels_list", put(CONFIG, "id2label", ["a"]), FORMAT, CONFIG, "id2label")
    case("config.labels_no_numbers", put(CONFIG, "id2label", {"one": "a"}), FORMAT, CONFIG, "one")
    case("config.labels_negative", put(CONFIG, "id2label", {"-1": "a"}), FORMAT, CONFIG, "-1")
    case("config.labels_beyond", put(CONFIG, "id2label", {"99999999999999999999": "a"}), FORMAT, CONFIG, "999")
    case("config.labels_by_name_list", put(CONFIG, "label2id", []), FORMAT, CONFIG, "label2id")


def add_weights_cases():
    case("weights.missing", remove(WEIGHTS), FILE, WEIGHTS)
    case("weights.only_pickle", rename(WEIGHTS, "pytorch_model.bin"), UNSUPPORTED, "pytorch_model.bin", "safetensors")
    case("weights.only_tensorflow", rename(WEIGHTS, "tf_model.h5"), UNSUPPORTED, "tf_model.h5", "safetensors")
    case("weights.empty", write(WEIGHTS, ""), FORMAT, WEIGHTS)
    case("weights.seven_bytes", write(WEIGHTS, b"\1\0\0\0\0\0\0"), FORMAT, WEIGHTS, "7")
    case("weights.length_alone", write(WEIGHTS, struct.pack("<Q", 2)), FORMAT, WEIGHTS)
    case("weights.length_zero", write(WEIGHTS, struct.pack("<Q", 0)), FORMAT, WEIGHTS)
    for label, length in {"one_more": 1 << 30, "huge": (1 << 64) - 1, "negative": 1 << 63, "wraps": (1 << 64) - 8}.items():
        case(f"weights.length_{label}", edit(WEIGHTS, lambda c, n=length: struct.pack("<Q", n) + c[8:]), FORMAT, WEIGHTS)
    case("weights.length_short", edit(WEIGHTS, lambda c: struct.pack("<Q", 100) + c[8:]), FORMAT, WEIGHTS)
    case("weights.length_big_endian", edit(WEIGHTS, lambda c: c[:8][::-1] + c[8:]), FORMAT, WEIGHTS)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 90868376\n"
    case("weights.pointer_of_git_lfs", write(WEIGHTS, pointer), FORMAT, WEIGHTS, "git lfs pull")
    case("weights.pickle_inside", write(WEIGHTS, b"PK\3\4" + b"\0" * 100), FORMAT, WEIGHTS)
    case("weights.is_a_folder", directory(WEIGHTS), FILE, WEIGHTS)
    case("weights.is_a_pipe", fifo(WEIGHTS), FILE, WEIGHTS)
    case("weights.is_a_device", link(WEIGHTS, "/dev/zero"), FILE, WEIGHTS)
    case("weights.pages_of_zeros_follow", sparse(WEIGHTS, 1 << 24), FORMAT, WEIGHTS, "fill")
    case("weights.a_terabyte_of_zeros_follows", sparse(WEIGHTS, 1 << 40), FORMAT, WEIGHTS, unlimited=True)
    case("weights.one_byte_short", cut(WEIGHTS, 1), FORMAT, WEIGHTS)
    case("weights.one_byte_long", edit(WEIGHTS, lambda c: c + b"\0"), FORMAT, WEIGHTS, "fill")
    case("weights.half", edit(WEIGHTS, lambda c: c[: len(c) // 2]), FORMAT, WEIGHTS)
    case("weights.header_not_json", header(lambda h: b"nonsense"), FORMAT, WEIGHTS)
    case("weights.header_list", header(lambda h: b"[]"), FORMAT, WEIGHTS, "object")
    case("weights.header_number", header(lambda h: b"12"), FORMAT, WEIGHTS, "object")
    case("weights.header_empty_object", header(lambda h: b"{}"), FORMAT, WEIGHTS)
    case("weights.header_nested", header(lambda h: b'{"a":' * 100_000), FORMAT, WEIGHTS, "nest")
    case("weights.header_not_utf8", header(lambda h: b'{"\xff": 1}'), FORMAT, WEIGHTS)
    case("weights.header_padded", header(lambda h: json.dumps(h).encode() + b" " * 100), None)
    case("weights.header_unaligned", header(lambda h: json.dumps(h).encode() + b" " * (8 - len(json.dumps(h)) % 8 + 1)), None)
    case("weights.header_zeros_behind", header(lambda h: json.dumps(h).encode() + b"\0"), FORMAT, WEIGHTS)
    case("weights.metadata", header(lambda h: h.update({"__metadata__": {"format": "pt"}})), None)
    case("weights.metadata_number", header(lambda h: h.update({"__metadata__": 5})), FORMAT, WEIGHTS, "__metadata__")
    case("weights.tensor_number", header(lambda h: h.update({WORD: 5})), FORMAT, WEIGHTS, WORD)
    case("weights.tensor_null", header(lambda h: h.update({WORD: None})), FORMAT, WEIGHTS, WORD)
    case("weights.tensor_list", header(lambda h: h.update({WORD: []})), FORMAT, WEIGHTS, WORD)
    case("weights.tensor_empty", header(lambda h: h.update({WORD: {}})), FORMAT, WEIGHTS, WORD, "dtype")
    case(
        "weights.tensor_twice",
        header(lambda h: json.dumps(h).encode()[:-1] + b',"%s":%s}' % (WORD.encode(), json.dumps(h[WORD]).encode())),
        FORMAT,
        WEIGHTS,
        WORD,
        "twice",
    )
    case("weights.dtype_missing", entry(WORD, "dtype", None), FORMAT, WEIGHTS, WORD, "dtype")
    case("weights.dtype_number", entry(WORD, "dtype", 4), FORMAT, WEIGHTS, "dtype")
    case("weights.dtype_unknown", entry(WORD, "dtype", "F33"), UNSUPPORTED, WEIGHTS, WORD, "F33")
    case("weights.dtype_lower_case", entry(WORD, "dtype", "f32"), UNSUPPORTED, WEIGHTS, WORD, "f32")
    case("weights.dtype_other_size", entry(WORD, "dtype", "F64"), FORMAT, WEIGHTS, WORD, "F64")
    case("weights.dtype_same_size", entry(WORD, "dtype", "I32"), UNSUPPORTED, WEIGHTS, WORD, "I32")
    case("weights.dtype_doubles", tensors(WEIGHTS, lambda t: t["encoder.layer.1.output.dense.bias"].__setitem__(
        slice(None), ["F64", [24], b"\0" * 192])), UNSUPPORTED, WEIGHTS, "F64")
    case("weights.shape_missing", entry(WORD, "shape", None), FORMAT, WEIGHTS, WORD, "shape")
    for label, shape in {
        "negative": [-122, -24],
        "fraction": [122.0, 24.5],
        "text": "[122, 24]",
        "texts": ["122", "24"],
        "nested": [[122, 24]],
        "number": 2928,
        "beyond_64_bits": [1 << 70],
    }.items():
        case(f"weights.shape_{label}", entry(WORD, "shape", shape), FORMAT, WEIGHTS, WORD, "shape")
    for label, shape in {
        "product_wraps": [1 << 32, 1 << 32, 2928],
        "product_wraps_to_the_right_size": [1 << 61, 8, 2928],
        "huge": [1 << 61, 2],
        "product_too_small": [122, 23],
        "empty": [122, 0],
        "scalar": [],
    }.items():
        case(f"weights.shape_{label}", entry(WORD, "shape", shape), FORMAT, WEIGHTS, WORD)
    case("weights.shape_swapped", entry(WORD, "shape", [24, 122]), SHAPE, WEIGHTS, WORD, "[24, 122]")
    case("weights.shape_flat", entry(WORD, "shape", [2928]), SHAPE, WEIGHTS, WORD, "[2928]")
    case("weights.shape_extra_ones", entry(WORD, "shape", [1, 122, 24]), SHAPE, WEIGHTS, WORD)
    case("weights.shape_of_many_ones", entry(WORD, "shape", [122, 24] + [1] * 2000), FORMAT, WEIGHTS, WORD)
    case("weights.offsets_missing", entry(WORD, "data_offsets", None), FORMAT, WEIGHTS, WORD, "data_offsets")
    for label, offsets in {
        "descending": [11712, 0],
        "behind_the_end": [1 << 40, (1 << 40) + 11712],
        "huge": [(1 << 62) - 1, (1 << 62) - 1],
        "beyond_64_bits": [0, 1 << 70],
        "negative": [-8, 11704],
        "fractions": [0.0, 11712.0],
        "one": [0],
        "three": [0, 11712, 11712],
        "text": "0-11712",
        "null": None,
    }.items():
        change = entry(WORD, "data_offsets", offsets) if offsets is not None else header(
            lambda h: h[WORD].update(data_offsets=None))
        case(f"weights.offsets_{label}", change, FORMAT, WEIGHTS, WORD, "data_offsets")

    def overlap(head):
        size = head[WORD]["data_offsets"][1] - head[WORD]["data_offsets"][0]
        head[WORD]["data_offsets"] = [head[POSITION]["data_offsets"][0], head[POSITION]["data_offsets"][0] + size]

    case("weights.tensors_overlap", header(overlap), FORMAT, WEIGHTS, "overlap")
    case("weights.hole_between_tensors", both(
        tensors(WEIGHTS, lambda t: t.update({"hole": ["F32", [25], b"\0" * 100]})), header(lambda h: h.pop("hole") and None)
    ), FORMAT, WEIGHTS)
    case("weights.tensor_missing", tensors(WEIGHTS, lambda t: t.pop(QUERY_BIAS) and None), FORMAT, QUERY_BIAS, "missing")
    case("weights.other_tensor_too", tensors(WEIGHTS, lambda t: t.update({"head.weight": ["F32", [2], floats(1, 2)]})), None)
    case("weights.other_types_too", tensors(WEIGHTS, lambda t: t.update(
        {"a": ["F8_E4M3", [3], b"abc"], "b": ["BOOL", [2], b"\0\1"], "c": ["I64", [], b"\0" * 8]})), None)
    case("weights.empty_tensor_too", tensors(WEIGHTS, lambda t: t.update({"nothing": ["F32", [0, 24], b""]})), None)
    case("weights.of_another_model", tensors(WEIGHTS, lambda t: [
        t.__setitem__("roberta." + n, t.pop(n)) for n in list(t)] and None), FORMAT, WORD)
    case("weights.prefixed", tensors(WEIGHTS, lambda t: [
        t.__setitem__("bert." + n, t.pop(n)) for n in list(t)] and None), None)
    case("weights.gamma_beside_weight", tensors(WEIGHTS, lambda t: t.update(
        {"embeddings.LayerNorm.gamma": t[NORM]})), FORMAT, WEIGHTS, "embeddings.LayerNorm.gamma", "unexpected")
    distance = "encoder.layer.0.attention.self.distance_embedding.weight"
    case("weights.relative_position_table", tensors(WEIGHTS, lambda t: t.update(
        {distance: ["F32", [1], floats(1)]})), FORMAT, WEIGHTS, "distance_embedding", "unexpected")
    case("weights.pooler_without_bias", tensors(WEIGHTS, lambda t: t.update(
        {"unrelated": t.pop("pooler.dense.bias")})), FORMAT, "pooler.dense.bias", "missing")
    case("weights.name_with_zero_byte", tensors(WEIGHTS, lambda t: t.update({"a\0b": ["F32", [1], floats(1)]})), None)
    case("weights.name_empty", tensors(WEIGHTS, lambda t: t.update({"": ["F32", [1], floats(1)]})), None)
    case("weights.name_long", tensors(WEIGHTS, lambda t: t.update({"x" * 100_000: ["F32", [1], floats(1)]})), None)
    many = b",".join(b'"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(150_000))
    case("weights.many_empty_tensors", header(lambda h: json.dumps(h).encode()[:-1] + b"," + many + b"}"), None)
    case("weights.header_of_lists", header(lambda h: b'{"a":{"shape":[' + b"[]," * 2_000_000 + b"1]}}"), FORMAT, WEIGHTS)
    case("weights.header_of_metadata", header(lambda h: json.dumps(h).encode()[:-1] + b',"__metadata__":{' + b",".join(
        b'"%d":""' % i for i in range(500_000)) + b"}}"), None)

    for label, number in {"nan": float("nan"), "infinity": float("inf"), "minus_infinity": float("-inf")}.items():
        for key in [QUERY, QUERY_BIAS, NORM, "pooler.dense.weight"]:
            case(f"weights.{label}_in_{key}", value_at(key, 5, number), FORMAT, WEIGHTS, key)
        case(f"weights.{label}_in_unused_embedding", value_at(WORD, 121 * 24, number), None)
        for key, index in {WORD: 2 * 24 + 3, POSITION: 0, TYPES: 1}.items():
            case(f"weights.{label}_in_{key}", value_at(key, index, number), FORMAT, key, "not finite")
    case("weights.denormal", value_at(QUERY, 3, 1e-42), None)
    case("weights.huge", tensor(QUERY, "data", lambda d: floats(*[3e38] * (len(d) // 4))), FORMAT, "not finite")
    case("weights.huge_embedding", value_at(WORD, 2 * 24, 3e38), FORMAT, "not finite")
    case("weights.all_zero", tensors(WEIGHTS, lambda t: [v.__setitem__(2, b"\0" * len(v[2])) for v in t.values()] and None), None)
    half_nan = lambda d: struct.pack("<H", 0x7E00) * (len(d) // 4)  # noqa: E731
    case("weights.half_precision_nan", tensors(WEIGHTS, lambda t: t.update(
        {QUERY: ["F16", [24, 24], half_nan(t[QUERY][2])]})), FORMAT, WEIGHTS, QUERY)


def add_shard_cases():
    case("shards.good", shards(), None)
    case("shards.beside_whole", both(shards(), lambda f: shutil.copy(f / "a.safetensors", f / WEIGHTS)), FORMAT)
    case("shards.missing", both(shards(), remove("b.safetensors")), FILE, "b.safetensors")
    case("shards.index_empty", both(shards(), write(INDEX, "")), FORMAT, INDEX)
    case("shards.index_list", both(shards(), write(INDEX, "[]")), FORMAT, INDEX)
    case("shards.index_nested", both(shards(), write(INDEX, "[" * 100_000)), FORMAT, INDEX, "nest")
    case("shards.map_missing", shards(lambda i: {"metadata": {}}), FORMAT, INDEX, "weight_map")
    case("shards.map_list", shards(lambda i: {"weight_map": ["a.safetensors"]}), FORMAT, INDEX, "weight_map")
    case("shards.map_of_numbers", shards(lambda i: {"weight_map": {"x": 1}}), FORMAT, INDEX, "x")
    case("shards.map_empty", shards(lambda i: {"weight_map": {}}), FORMAT, WORD)
    case("shards.tensor_nowhere", shards(lambda i: i["weight_map"].update({"nothing": "a.safetensors"})), FORMAT, INDEX, "nothing")
    case("shards.tensor_in_another", shards(lambda i: i["weight_map"].update(
        {n: "b.safetensors" for n in list(i["weight_map"])[:1]})), FORMAT, INDEX)
    case("shards.tensor_in_both", both(shards(), lambda f: shutil.copy(f / "a.safetensors", f / "b.safetensors")), FORMAT, "both")
    for label, path in {
        "climbs": "../outside.safetensors",
        "climbs_inside": "x/../../outside.safetensors",
        "climbs_and_comes_back": "../model/a.safetensors",
        "absolute": "/etc/passwd",
        "root": "/",
        "zero_byte": "a.safetensors\0",
    }.items():
        case(f"shards.path_{label}", shard_path(path), FORMAT, INDEX, "leaves")
    case("shards.path_empty", shard_path(""), FILE)
    case("shards.path_dot", shard_path("."), FILE)
    case("shards.path_long", shard_path("x" * 5000), FORMAT, INDEX, "5000 bytes")
    case("shards.path_spelled_often", shards(lambda i: i["weight_map"].update({f"n{k}": "./" * k + "a.safetensors" for k in range(2000)})), FORMAT, INDEX)
    case("shards.path_backslashes", shard_path("..\\outside.safetensors"), FILE, "outside.safetensors")
    case("shards.path_here", shard_path("./a.safetensors"), None)
    case("shards.path_same_name_elsewhere", both(
        shard_path("sub/b.safetensors"),
        lambda f: (f / "sub").mkdir(),
        lambda f: shutil.move(f / "a.safetensors", f / "sub" / "b.safetensors"),
        put(INDEX, "weight_map", "extra", "b.safetensors")), FORMAT, INDEX, "extra")


def add_link_cases():
    for name in [CONFIG, WEIGHTS, TOKENIZER, MODULES, POOLING, DENSE_WEIGHTS]:
        stem = name.replace("/", "_")
        case(f"links.to_itself.{stem}", link(name, Path(name).name), FILE, Path(name).name)
        case(f"links.to_nowhere.{stem}", link(name, "nowhere"), FILE, Path(name).name)
        case(f"links.out.{stem}", move_out(name), FILE, Path(name).name, "link", "outside")
        case(f"links.out_absolute.{stem}", move_out(name, absolute=True), FILE, Path(name).name, "link", "outside")
    case("links.out.folder", move_out("1_Pooling"), FILE, "1_Pooling", "link", "outside")
    case("links.to_a_secret", link(VOCABULARY, "/etc/passwd"), None)  # not read beside tokenizer.json
    case("links.to_a_secret_vocabulary", both(remove(TOKENIZER), link(VOCABULARY, "/etc/passwd")), FILE, VOCABULARY, "link")
    case("links.out.settings", both(write("../x.json", "{}"), link(PROMPTS, "../x.json")), FILE, PROMPTS, "link")
    case("links.out.tokenizer_settings", both(write("../x.json", "{}"), link(TOKENIZER_CONFIG, "../x.json")), FILE, TOKENIZER_CONFIG, "link")
    case("links.out.shard", both(shards(), move_out("b.safetensors")), FILE, "b.safetensors", "link")
    case("links.inside", both(rename(CONFIG, "real.json"), link(CONFIG, "real.json")), None)
    case("links.inside_absolute", both(rename(CONFIG, "real.json"), lambda f: (f / CONFIG).symlink_to((f / "real.json").absolute())), None)
    case("links.out_and_in_again", both(rename(CONFIG, "real.json"), link(CONFIG, "../model/real.json")), None)
    case("links.of_the_hub", hub_cache, None)
    case("links.of_the_hub_to_elsewhere", both(hub_cache, lambda f: link(CONFIG, "../../../secret.json")(f),
                                               lambda f: (f.parent / "secret.json").write_text("{}")), FILE, CONFIG, "link")
    case("links.of_kubernetes", kubernetes_volume, None)
    case("links.a_chain_out", both(write("../x.json", "{}"), link("hop.json", "../x.json"), link(PROMPTS, "hop.json")), FILE, PROMPTS, "link")
    case("links.folder_to_itself", link("1_Pooling", "1_Pooling"), FILE, "1_Pooling")


def add_module_cases():
    case("modules.empty_file", write(MODULES, ""), FORMAT, MODULES)
    case("modules.broken", write(MODULES, "[{]"), FORMAT, MODULES)
    case("modules.object", write(MODULES, "{}"), FORMAT, MODULES)
    case("modules.empty", write(MODULES, "[]"), FORMAT, MODULES)
    case("modules.numbers", write(MODULES, "[1, 2]"), FORMAT, MODULES, "type")
    case("modules.nested", write(MODULES, "[" * 100_000), FORMAT, MODULES, "nest")
    case("modules.long", write(MODULES, "[" + " " * 2_000_000 + "]"), FILE, MODULES, "bytes")
    case("modules.type_missing", module(1, "type", None), FORMAT, MODULES, "type")
    case("modules.type_number", module(1, "type", 7), FORMAT, MODULES, "type")
    case("modules.type_empty", module(1, "type", ""), UNSUPPORTED, MODULES)
    unknown = "sentence_transformers.models.LSTM"
    case("modules.type_unknown", module(2, "type", unknown), UNSUPPORTED, MODULES, unknown)
    case("modules.type_of_somebody_else", module(1, "type", "my_code.Pooling"), UNSUPPORTED, MODULES, "my_code.Pooling")
    case("modules.path_number", module(1, "path", 7), FORMAT, MODULES, "path")
    case("modules.path_climbs", module(1, "path", "../1_Pooling"), FORMAT, MODULES, "../1_Pooling")
    case("modules.path_climbs_inside", module(1, "path", "1_Pooling/../../x"), FORMAT, MODULES, "leaves")
    case("modules.path_absolute", module(2, "path", "/etc"), FORMAT, MODULES, "/etc")
    case("modules.path_zero_byte", module(2, "path", "2_Dense\0"), FORMAT, MODULES, "leaves")
    case("modules.path_missing", module(1, "path", None), None)  # the pooling's settings are then those of config.json
    case("modules.path_long", module(1, "path", "x" * 5000), FORMAT, MODULES, "5000 bytes")
    case("modules.dense_again", lambda f: write_json(f / MODULES, read_json(f / MODULES) + read_json(f / MODULES)[2:3] * 5000), UNSUPPORTED, MODULES, "2_Dense")
    case("modules.transformer_path_climbs", module(0, "path", ".."), FORMAT, MODULES, "leaves")
    case("modules.transformer_path_missing", module(0, "path", "0_Transformer"), FILE, "0_Transformer")
    case("modules.pooling_folder_missing", remove("1_Pooling"), FILE, "1_Pooling")
    case("modules.without_pooling", lambda f: write_json(f / MODULES, [m for m in read_json(f / MODULES) if "Pooling" not in m["type"]]), UNSUPPORTED, MODULES, "Pooling")
    case("modules.transformer_only", lambda f: write_json(f / MODULES, read_json(f / MODULES)[:1]), UNSUPPORTED, MODULES, "Pooling")
    case("modules.pooling_twice", module(2, "type", "sentence_transformers.models.Pooling"), UNSUPPORTED, MODULES, "Pooling")
    case("modules.transformer_last", module(3, "type", "sentence_transformers.models.Transformer"), UNSUPPORTED, MODULES, "Transformer")
    case("modules.thousands", lambda f: write_json(f / MODULES, read_json(f / MODULES)[:2] + [
        {"path": "", "type": "sentence_transformers.models.Normalize"}] * 5000), None)
    case("pooling.broken", write(POOLING, "nonsense"), FORMAT, POOLING)
    case("pooling.mode_unknown", put(POOLING, "pooling_mode", "median"), UNSUPPORTED, POOLING, "median")
    case("pooling.mode_number", put(POOLING, "pooling_mode", 1), FORMAT, POOLING, "pooling_mode")
    case("pooling.modes_with_number", put(POOLING, "pooling_mode", ["cls", 1]), FORMAT, POOLING, "pooling_mode")
    case("pooling.modes_empty", put(POOLING, "pooling_mode", []), None)
    case("pooling.modes_thousands", put(POOLING, "pooling_mode", ["cls"] * 5000), UNSUPPORTED, POOLING, "5000")
    case("pooling.legacy_mode_text", write(POOLING, '{"pooling_mode_cls_token": "yes"}'), FORMAT, POOLING, "yes")
    case("pooling.for_another_size", put(POOLING, "embedding_dimension", 768), SHAPE, "768", "24")
    wrong_values(POOLING, "include_prompt", FORMAT, NOT_A_FLAG)
    case("dense.config_missing", remove(DENSE), FILE, DENSE)
    case("dense.in_features_missing", drop(DENSE, "in_features"), FORMAT, DENSE, "in_features")
    case("dense.in_features_text", put(DENSE, "in_features", "24"), FORMAT, DENSE, "in_features")
    case("dense.out_features_zero", put(DENSE, "out_features", 0), FORMAT, DENSE, "out_features")
    case("dense.out_features_negative", put(DENSE, "out_features", -1), FORMAT, DENSE, "out_features", "-1")
    case("dense.for_another_size", put(DENSE, "in_features", 48), SHAPE, "2_Dense", "48", "24")
    case("dense.out_features_huge", put(DENSE, "out_features", HUGE), SHAPE, DENSE_WEIGHTS, "linear.weight", str(HUGE), "10")
    softmax = "torch.nn.modules.activation.Softmax"
    case("dense.activation_unknown", put(DENSE, "activation_function", softmax), UNSUPPORTED, DENSE, "Softmax")
    case("dense.activation_number", put(DENSE, "activation_function", 5), FORMAT, DENSE, "activation_function")
    case("dense.of_tokens", put(DENSE, "module_input_name", "token_embeddings"), UNSUPPORTED, DENSE, "token_embeddings")
    case("dense.weights_missing", remove(DENSE_WEIGHTS), FILE, DENSE_WEIGHTS)
    case("dense.weights_only_pickle", rename(DENSE_WEIGHTS, "2_Dense/pytorch_model.bin"), UNSUPPORTED, "pytorch_model.bin")
    case("dense.weights_cut", cut(DENSE_WEIGHTS, 4), FORMAT, DENSE_WEIGHTS)
    case("dense.weights_nan", value_at("linear.weight", 7, float("nan"), DENSE_WEIGHTS), FORMAT, DENSE_WEIGHTS, "linear.weight")
    case("dense.weight_missing", tensors(DENSE_WEIGHTS, lambda t: t.update({"weight": t.pop("linear.weight")})), FORMAT, "2_Dense", "linear.weight")
    case("dense.bias_missing", tensors(DENSE_WEIGHTS, lambda t: t.update({"bias": t.pop("linear.bias")})), FORMAT, "2_Dense", "linear.bias")
    case("dense.misshaped", tensor("linear.weight", "shape", [24, 10], DENSE_WEIGHTS), SHAPE, DENSE_WEIGHTS, "[10, 24]", "[24, 10]")
    case("prompts.broken", write(PROMPTS, '{"prompts": '), FORMAT, PROMPTS)
    case("prompts.list", put(PROMPTS, "prompts", ["query: "]), FORMAT, PROMPTS, "prompts")
    case("prompts.number", put(PROMPTS, "prompts", {"query": 3}), FORMAT, PROMPTS, "prompts")
    case("prompts.default_unknown", put(PROMPTS, "default_prompt_name", "nonsense"), FORMAT, PROMPTS, "nonsense")
    case("prompts.default_standard", put(PROMPTS, "default_prompt_name", "document"), None)
    case("prompts.similarity_unknown", put(PROMPTS, "similarity_fn_name", "jaccard"), UNSUPPORTED, PROMPTS, "jaccard")
    case("prompts.similarity_number", put(PROMPTS, "similarity_fn_name", 1), FORMAT, PROMPTS, "similarity_fn_name")
    case("prompts.long", both(put(PROMPTS, "prompts", {"query": "word " * 100_000}), put(PROMPTS, "default_prompt_name", "query")), None)
    wrong_values(LIMITS, "max_seq_length", FORMAT, {k: v for k, v in NOT_A_SIZE.items() if k != "beyond_64_bits"})
    case("limits.lower_case_text", put(LIMITS, "do_lower_case", "yes"), FORMAT, LIMITS, "do_lower_case")
    case("limits.of_the_tokenizer", put(LIMITS, "tokenizer_args", {"do_lower_case": False}), UNSUPPORTED, LIMITS, "do_lower_case")
    case("limits.of_nothing", put(LIMITS, "tokenizer_args", {"use_fast": True}), None)
    case("limits.list", write(LIMITS, "[]"), FORMAT, LIMITS, "object")
    case("limits.leave_no_room", put(LIMITS, "max_seq_length", 2), INPUT, "max_seq_length")


def add_tokenizer_cases():
    case("tokenizer.missing", both(remove(TOKENIZER), remove(VOCABULARY)), FILE, TOKENIZER)
    case("tokenizer.empty", write(TOKENIZER, ""), FORMAT, TOKENIZER)
    case("tokenizer.broken", write(TOKENIZER, '{"model": '), FORMAT, TOKENIZER)
    case("tokenizer.nested", write(TOKENIZER, '{"model":' + "[" * 100_000), FORMAT, TOKENIZER, "nest")
    case("tokenizer.version", put(TOKENIZER, "version", "2.0"), UNSUPPORTED, TOKENIZER, "2.0")
    case("tokenizer.model_missing", drop(TOKENIZER, "model"), FORMAT, TOKENIZER, "model")
    case("tokenizer.model_list", put(TOKENIZER, "model", []), FORMAT, TOKENIZER, "model")
    case("tokenizer.model_bpe", put(TOKENIZER, "model", "type", "BPE"), UNSUPPORTED, TOKENIZER, "BPE")
    case("tokenizer.unknown_token_missing", put(TOKENIZER, "model", "unk_token", "<nothing>"), VOCAB, TOKENIZER, "<nothing>")
    for label, value in {"negative": -1, "text": "100", "fraction": 0.5, "huge": 1e30}.items():
        case(f"tokenizer.longest_word_{label}", put(TOKENIZER, "model", "max_input_chars_per_word", value), FORMAT, TOKENIZER, "max_input_chars_per_word")
    case("tokenizer.longest_word_zero", put(TOKENIZER, "model", "max_input_chars_per_word", 0), None)
    case("tokenizer.vocabulary_missing", drop(TOKENIZER, "model", "vocab"), FORMAT, TOKENIZER, "vocab")
    case("tokenizer.vocabulary_list", put(TOKENIZER, "model", "vocab", ["a"]), FORMAT, TOKENIZER, "vocab")
    case("tokenizer.vocabulary_empty", put(TOKENIZER, "model", "vocab", {}), VOCAB, TOKENIZER)
    for label, value in {"negative": -1, "fraction": 1.5, "text": "7", "null": None, "list": [1], "object": {}, "beyond_32_bits": 1 << 31, "beyond_64_bits": 1 << 70}.items():
        case(f"tokenizer.id_{label}", put(TOKENIZER, "model", "vocab", "cat", value), FORMAT, TOKENIZER, "cat")
    case("tokenizer.id_far_outside", put(TOKENIZER, "model", "vocab", "cat", 2_000_000_000), VOCAB, TOKENIZER, "cat", "2000000000")
    case("tokenizer.id_twice", put(TOKENIZER, "model", "vocab", "cat", 0), None)
    case("tokenizer.token_empty", put(TOKENIZER, "model", "vocab", "", 5), None)
    case("tokenizer.token_long", put(TOKENIZER, "model", "vocab", "x" * 90, 5), None)
    case("tokenizer.token_too_long", both(put(TOKENIZER, "model", "vocab", "x" * 5000, 5), put(TOKENIZER, "model", "max_input_chars_per_word", 10_000)), UNSUPPORTED, TOKENIZER, "5000")
    case("tokenizer.larger_than_the_model", lambda f: put(TOKENIZER, "model", "vocab", "surplus", len(read_json(f / TOKENIZER)["model"]["vocab"]))(f), VOCAB, "word embeddings")
    case("tokenizer.normalizer_text", put(TOKENIZER, "normalizer", "BertNormalizer"), FORMAT, TOKENIZER, "normalizer")
    case("tokenizer.normalizer_unknown", put(TOKENIZER, "normalizer", {"type": "Precompiled"}), UNSUPPORTED, TOKENIZER, "Precompiled")
    case("tokenizer.normalizer_flag_text", put(TOKENIZER, "normalizer", "lowercase", "yes"), FORMAT, TOKENIZER, "lowercase")
    case("tokenizer.normalizers_out_of_order", put(TOKENIZER, "normalizer", {"type": "Sequence", "normalizers": [{"type": "StripAccents"}, {"type": "NFD"}]}), UNSUPPORTED, TOKENIZER, "NFD")
    case("tokenizer.pre_tokenizer_missing", put(TOKENIZER, "pre_tokenizer", None), UNSUPPORTED, TOKENIZER, "pre-tokenizer")
    case("tokenizer.pre_tokenizer_unknown", put(TOKENIZER, "pre_tokenizer", {"type": "ByteLevel"}), UNSUPPORTED, TOKENIZER, "ByteLevel")
    case("tokenizer.pre_tokenizers_none", put(TOKENIZER, "pre_tokenizer", {"type": "Sequence", "pretokenizers": []}), UNSUPPORTED, TOKENIZER)
    nested = {"type": "BertPreTokenizer"}
    for _ in range(25):
        nested = {"type": "Sequence", "pretokenizers": [nested]}
    case("tokenizer.pre_tokenizers_nested", put(TOKENIZER, "pre_tokenizer", nested), None)
    case("tokenizer.post_processor_unknown", put(TOKENIZER, "post_processor", {"type": "ByteLevel"}), UNSUPPORTED, TOKENIZER, "ByteLevel")
    case("tokenizer.post_processors_two", put(TOKENIZER, "post_processor", {"type": "Sequence", "processors": [{}, {}]}), UNSUPPORTED, TOKENIZER)

    def template(single, tokens=None):
        return put(TOKENIZER, "post_processor", {
            "type": "TemplateProcessing", "single": single, "pair": single,
            "special_tokens": tokens if tokens is not None else {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}})

    text = {"Sequence": {"id": "A", "type_id": 0}}
    cls = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    case("tokenizer.template_good", template([cls, text]), None)
    case("tokenizer.template_empty", template([]), INPUT, "0 tokens")
    case("tokenizer.template_text_twice", template([text, text]), INPUT, "0 tokens")
    case("tokenizer.template_numbers", template([1]), FORMAT, TOKENIZER)
    case("tokenizer.template_sequence_c", template([{"Sequence": {"id": "C", "type_id": 0}}]), FORMAT, TOKENIZER, "C")
    case("tokenizer.template_second_of_one", template([{"Sequence": {"id": "B", "type_id": 0}}]), FORMAT, TOKENIZER, "B")
    case("tokenizer.template_type_negative", template([{"Sequence": {"id": "A", "type_id": -1}}]), FORMAT, TOKENIZER, "type_id")
    case("tokenizer.template_type_beyond_the_model", template([{"Sequence": {"id": "A", "type_id": 7}}]), INPUT, "token type 7")
    case("tokenizer.template_token_unlisted", template([cls], {}), FORMAT, TOKENIZER, "[CLS]")
    case("tokenizer.template_id_of_nobody", template([cls, text], {"[CLS]": {"id": "[CLS]", "ids": [9999], "tokens": ["[CLS]"]}}), VOCAB, TOKENIZER, "9999")
    case("tokenizer.template_ids_without_tokens", template([cls, text], {"[CLS]": {"id": "[CLS]", "ids": [2, 3], "tokens": ["[CLS]"]}}), FORMAT, TOKENIZER, "[CLS]")
    case("tokenizer.template_of_many_pieces", template([text] * 20_000), UNSUPPORTED, TOKENIZER, "20000 pieces")
    many_ids = {"[CLS]": {"id": "[CLS]", "ids": [2] * 50_000, "tokens": [""] * 50_000}}
    case("tokenizer.template_of_many_ids", template([cls] * 200 + [text], many_ids), FORMAT, TOKENIZER, "special tokens")
    case("tokenizer.template_of_many_tokens", template([cls] * 39 + [text]), None)
    case("tokenizer.template_of_too_many_tokens", template([cls] * 41 + [text]), INPUT, "leave room")
    case("tokenizer.added_object", put(TOKENIZER, "added_tokens", {}), FORMAT, TOKENIZER, "added_tokens")
    case("tokenizer.added_numbers", put(TOKENIZER, "added_tokens", [1]), FORMAT, TOKENIZER)
    case("tokenizer.added_without_content", put(TOKENIZER, "added_tokens", [{"id": 1}]), FORMAT, TOKENIZER, "content")
    case("tokenizer.added_beyond_the_model", put(TOKENIZER, "added_tokens", [{"id": 500, "content": "<x>"}]), VOCAB, "word embeddings")
    case("tokenizer.added_that_normalizes_to_nothing", put(TOKENIZER, "added_tokens", [{"id": 1, "content": "\u0301", "normalized": True}]), VOCAB, TOKENIZER)
    case("tokenizer.added_long", put(TOKENIZER, "added_tokens", [{"id": 1, "content": "x" * 5000}]), UNSUPPORTED, TOKENIZER, "5000")
    case("tokenizer.added_of_spaces", put(TOKENIZER, "added_tokens", [{"id": 1, "content": " ", "lstrip": True, "rstrip": True}]), VOCAB, "word embeddings")
    case("tokenizer.decoder_unknown", put(TOKENIZER, "decoder", {"type": "BPEDecoder"}), UNSUPPORTED, TOKENIZER, "BPEDecoder")
    case("tokenizer.truncation_and_padding_written", both(put(TOKENIZER, "truncation", {"max_length": -5}), put(TOKENIZER, "padding", 7)), None)
    case("tokenizer_config.broken", write(TOKENIZER_CONFIG, "{"), FORMAT, TOKENIZER_CONFIG)
    case("tokenizer_config.cls_number", put(TOKENIZER_CONFIG, "cls_token", 5), FORMAT, TOKENIZER_CONFIG, "cls_token")
    case("tokenizer_config.cls_object_empty", put(TOKENIZER_CONFIG, "cls_token", {}), FORMAT, TOKENIZER_CONFIG, "content")
    case("tokenizer_config.cls_unknown", put(TOKENIZER_CONFIG, "cls_token", "<nothing>"), None)
    case("tokenizer_config.length_negative", put(TOKENIZER_CONFIG, "model_max_length", -1), FORMAT, TOKENIZER_CONFIG, "model_max_length")
    case("tokenizer_config.length_text", put(TOKENIZER_CONFIG, "model_max_length", "512"), FORMAT, TOKENIZER_CONFIG, "model_max_length")
    case("tokenizer_config.length_zero", put(TOKENIZER_CONFIG, "model_max_length", 0), INPUT, "leave room")
    case("tokenizer_config.length_beyond_the_model", put(TOKENIZER_CONFIG, "model_max_length", 100_000), None)
    listed = both(remove(TOKENIZER), put(TOKENIZER_CONFIG, "added_tokens_decoder", {"x": {"content": "[CLS]"}}))
    case("tokenizer_config.added_ids_text", listed, FORMAT, TOKENIZER_CONFIG, "added_tokens_decoder")
    case("tokenizer_config.added_ids_huge", both(remove(TOKENIZER), put(TOKENIZER_CONFIG, "added_tokens_decoder", {"99999999999": {"content": "[CLS]"}})), FORMAT, TOKENIZER_CONFIG)
    case("special_tokens.list", both(remove(TOKENIZER), write(SPECIAL, "[]")), FORMAT, SPECIAL)
    case("special_tokens.number", both(remove(TOKENIZER), put(SPECIAL, "sep_token", 1)), FORMAT, SPECIAL, "sep_token")
    case("special_tokens.unknown", both(remove(TOKENIZER), put(SPECIAL, "sep_token", "<nothing>")), VOCAB, VOCABULARY, "<nothing>")
    case("added_tokens.negative", both(remove(TOKENIZER), put(ADDED, "<x>", -5)), FORMAT, ADDED, "<x>")
    case("added_tokens.text", both(remove(TOKENIZER), put(ADDED, "<x>", "5")), FORMAT, ADDED, "<x>")

    case("vocabulary.good", vocabulary(lambda lines: lines), None)
    case("vocabulary.windows_line_ends", vocabulary(lambda lines: [line + "\r" for line in lines]), None)
    case("vocabulary.no_line_end_at_the_end", both(remove(TOKENIZER), cut(VOCABULARY, 1)), None)
    case("vocabulary.empty", vocabulary_bytes(b""), VOCAB, VOCABULARY)
    case("vocabulary.empty_lines", vocabulary_bytes(b"\n" * 100), VOCAB, VOCABULARY)
    case("vocabulary.line_ends_alone", vocabulary_bytes(b"\n" * 8_000_000), VOCAB, VOCABULARY)
    case("vocabulary.one_long_line", vocabulary_bytes(b"x" * 8_000_000), VOCAB, VOCABULARY)
    case("vocabulary.zeros", vocabulary_bytes(b"\0" * 1000), VOCAB, VOCABULARY)
    case("vocabulary.not_utf8", both(
        remove(TOKENIZER), edit(VOCABULARY, lambda c: c.replace(b"\ncat\n", b"\n\xff\xfe\n"))), FORMAT, VOCABULARY, "UTF-8")
    case("vocabulary.utf16", both(remove(TOKENIZER), edit(VOCABULARY, lambda c: c.decode().encode("utf-16"))), VOCAB, VOCABULARY, "special token")
    case("vocabulary.too_long", both(remove(TOKENIZER), sparse(VOCABULARY, 1 << 40)), FILE, VOCABULARY, "bytes")
    case("vocabulary.without_unknown", without("[UNK]"), VOCAB, "[UNK]")
    case("vocabulary.without_class", without("[CLS]"), VOCAB, "[CLS]")
    case("vocabulary.without_separator", without("[SEP]"), VOCAB, "[SEP]")
    case("vocabulary.larger_than_the_model", vocabulary(lambda lines: lines + ["surplus"]), VOCAB, "word embeddings")
    case("vocabulary.many_words", vocabulary_bytes(b"".join(b"%x\n" % i for i in range(700_000))), VOCAB, VOCABULARY)
    case("vocabulary.words_twice", vocabulary(lambda lines: lines[:-3] + lines[5:8]), None)
    # Sets of letters that do not fit beside each other: what would make a sparse table of them large.
    letters = [chr(33 + i) for i in range(94)]
    words = [a + b + c for i, a in enumerate(letters) for j, b in enumerate(letters)
             for c in (letters[:47:3] if (i + j) % 2 else letters[47::3])]
    case("vocabulary.sparse_branches", vocabulary_bytes("\n".join(words).encode()), VOCAB, VOCABULARY)
    case("vocabulary.is_a_pipe", both(remove(TOKENIZER), fifo(VOCABULARY)), FILE, VOCABULARY)


def add_head_cases():
    """Folders of heads, each opened for its task."""
    good = lambda folder: None  # noqa: E731
    for base, opener in {
        "masked_lm": "fill_mask", "pretraining": "next_sentence", "question_answering": "question_answering",
        "classifier": "text_classifier", "token_classifier": "token_classifier", "cross_encoder": "reranker",
        "sparse_sum": "splade", "colbert": "colbert", "causal_lm": "causal_lm", "seq2seq": "seq2seq",
    }.items():
        case(f"heads.{opener}.good", good, None, opener=opener, base=base)
        case(f"heads.{opener}.weights_cut", cut(WEIGHTS, 2), FORMAT, WEIGHTS, opener=opener, base=base)
        case(f"heads.{opener}.weights_missing", remove(WEIGHTS), FILE, WEIGHTS, opener=opener, base=base)
        case(f"heads.{opener}.config_missing", remove(CONFIG), FILE, CONFIG, opener=opener, base=base)
        case(f"heads.{opener}.config_empty_object", write(CONFIG, "{}"), "any", opener=opener, base=base)
        case(f"heads.{opener}.of_another_model", put(CONFIG, "model_type", "t5"), UNSUPPORTED, "t5", opener=opener, base=base)

    def head_case(name, base, opener, key, kind, *message, to=None):
        def change(folder):
            all_tensors = read_tensors(folder / WEIGHTS)
            old = all_tensors[key]
            if to is None:
                del all_tensors[key]
            else:
                all_tensors[key] = to(old)
            write_tensors(folder / WEIGHTS, all_tensors)

        case(f"heads.{name}", change, kind, key, *message, opener=opener, base=base)

    nan = lambda t: [t[0], t[1], floats(float("nan")) + t[2][4:]]  # noqa: E731
    turned = lambda t: [t[0], t[1][::-1], t[2]]  # noqa: E731
    head_case("mask_transform_nan", "masked_lm", "fill_mask", "cls.predictions.transform.dense.weight", FORMAT, to=nan)
    head_case("mask_bias_missing", "masked_lm", "fill_mask", "cls.predictions.bias", FORMAT, "missing")
    head_case("answers_turned", "question_answering", "question_answering", "qa_outputs.weight", SHAPE, to=turned)
    head_case("answers_nan", "question_answering", "question_answering", "qa_outputs.bias", FORMAT, to=nan)
    head_case("classifier_turned", "classifier", "text_classifier", "classifier.weight", SHAPE, to=turned)
    head_case("classifier_missing", "classifier", "text_classifier", "classifier.weight", FORMAT, "missing")
    head_case("tokens_missing", "token_classifier", "token_classifier", "classifier.bias", FORMAT, "missing")
    for base, opener in {"classifier": "text_classifier", "token_classifier": "token_classifier", "cross_encoder": "reranker"}.items():
        no_outputs = tensors(WEIGHTS, lambda t: t.update({"classifier.weight": ["F32", [0, 24], b""], "classifier.bias": ["F32", [0], b""]}))
        case(f"heads.{opener}.no_labels", both(put(CONFIG, "id2label", {}), no_outputs), SHAPE, "classifier", opener=opener, base=base)
    case("heads.labels_many", lambda f: put(CONFIG, "id2label", {str(i): "x" for i in range(1000)})(f), SHAPE, "classifier", opener="text_classifier", base="classifier")
    case("heads.problem_unknown", put(CONFIG, "problem_type", "guessing"), UNSUPPORTED, "guessing", opener="text_classifier", base="classifier")
    case("heads.problem_number", put(CONFIG, "problem_type", 3), FORMAT, "problem_type", opener="text_classifier", base="classifier")
    generation = "generation_config.json"
    for label, content in {"empty": "", "list": "[]", "nested": "[" * 100_000}.items():
        case(f"generation.{label}", write(generation, content), FORMAT, generation, opener="causal_lm", base="causal_lm")
    for key, values in {
        "max_length": {"text": "x", "negative": -1, "fraction": 1.5}, "num_beams": {"zero": 0, "huge": 1e30},
        "eos_token_id": {"text": "x", "negative": -1}, "temperature": {"text": "hot"}, "bad_words_ids": {"number": 1, "flat": [1]},
        "suppress_tokens": {"texts": ["x"]}, "early_stopping": {"number": 3},
    }.items():
        for label, value in values.items():
            case(f"generation.{key}.{label}", put(generation, key, value), FORMAT, generation, key, opener="causal_lm", base="causal_lm")
    case("generation.sequences_many", put(generation, "num_return_sequences", 200_000), FORMAT, generation, "num_return_sequences", opener="causal_lm", base="causal_lm")
    case("generation.unknown_setting", put(generation, "sequence_bias", [[[1], 2.0]]), UNSUPPORTED, generation, "sequence_bias", opener="causal_lm", base="causal_lm")
    case("decoder.is_encoder", put(CONFIG, "is_decoder", False), UNSUPPORTED, CONFIG, "is_decoder", opener="causal_lm", base="causal_lm")
    case("decoder.half_missing", drop(CONFIG, "decoder"), FORMAT, CONFIG, "decoder", opener="seq2seq", base="seq2seq")
    case("decoder.half_list", put(CONFIG, "encoder", []), FORMAT, CONFIG, "encoder", opener="seq2seq", base="seq2seq")
    case("decoder.encoder_nan", value_at("encoder.embeddings.LayerNorm.weight", 0, float("nan")), FORMAT, WEIGHTS, "encoder.embeddings.LayerNorm.weight", opener="seq2seq", base="seq2seq")
    case("colbert.metadata_list", write("artifact.metadata", "[]"), FORMAT, "artifact.metadata", opener="colbert", base="colbert")
    case("colbert.query_length_zero", put("artifact.metadata", "query_maxlen", 0), FORMAT, "query_maxlen", opener="colbert", base="colbert")
    case("colbert.query_length_huge", put("artifact.metadata", "query_maxlen", 1 << 28), SHAPE, str(1 << 28), opener="colbert", base="colbert")


def add_converted_cases():
    """Models of one file."""

    def file_case(name, change, kind, *message, **options):
        case(f"converted.{name}", converted(change), kind, *message, file=CONVERTED, **options)

    def says(key, value):
        return lambda metadata, tensors: metadata.update({key: value})

    def vocabulary_of(content, dtype="U8"):
        return lambda metadata, tensors: tensors.update({"tokenizer.vocabulary": [dtype, [len(content)], content]})

    file_case("good", None, None)
    case("converted.cut", both(converted(), cut(CONVERTED, 1)), FORMAT, CONVERTED, file=CONVERTED)
    case("converted.header_alone", both(converted(), edit(CONVERTED, lambda c: c[:8])), FORMAT, CONVERTED, file=CONVERTED)
    case("converted.in_a_folder", converted(), None)
    file_case("int8_by_name_alone", says("bert.weights", "int8"), FORMAT, CONVERTED, "bert.int8_block")
    for label, value in {"number": 1, "list": [], "null": None, "object": {}}.items():
        file_case(f"version_{label}", says("bert.version", value), FORMAT, CONVERTED, "__metadata__")
    file_case("version_empty", says("bert.version", ""), UNSUPPORTED, CONVERTED)
    file_case("config_of_another_model", says(CONFIG, '{"model_type": "t5"}'), UNSUPPORTED, "t5")
    file_case("config_nested", says(CONFIG, '{"a":' * 100_000), FORMAT, CONFIG, "nest")
    file_case("config_of_empty_objects", says(CONFIG, '{"k":[' + "{}," * 1_000_000 + "{}]}"), SHAPE, CONVERTED)
    file_case("names_of_files_that_lead_out", says("../../x.json", "{}"), None)
    file_case("modules_lead_out", says(MODULES, '[{"type": "sentence_transformers.models.Transformer", "path": "../x"}]'), FORMAT, "../x")
    file_case("many_files", lambda metadata, tensors: metadata.update({f"{i}.json": "" for i in range(100_000)}), None)
    file_case("vocabulary_empty", vocabulary_of(b""), FORMAT, CONVERTED)
    file_case("vocabulary_of_floats", vocabulary_of(b"\0" * 4, "F32"), FORMAT, "tokenizer.vocabulary")
    file_case("vocabulary_without_an_end", vocabulary_of(b"[UNK]\xff[CLS]\xff[SEP]"), FORMAT, CONVERTED, "FF")
    file_case("vocabulary_of_one_long_token", vocabulary_of(b"x" * 8_000_000 + b"\xff"), VOCAB)
    file_case("vocabulary_of_ends_alone", vocabulary_of(b"\xff" * 8_000_000), VOCAB)
    file_case("vocabulary_of_one_word_again", vocabulary_of(b"x\xff" * 4_000_000), VOCAB)
    file_case("vocabulary_of_absent_tokens", vocabulary_of(b"\xfe\xff" * 4_000_000), VOCAB)
    file_case("vocabulary_of_many_words", vocabulary_of(b"".join(b"%x\xff" % i for i in range(700_000))), VOCAB)
    file_case("weights_nan", lambda m, t: t.update({NORM: ["F32", [24], floats(*[float("nan")] * 24)]}), FORMAT, CONVERTED, NORM)

    checked = {"opener": "verified_encoder"}
    file_case("verification_missing", None, UNSUPPORTED, CONVERTED, "carries no", **checked)
    good = {"texts": ["cat"], "expected": [[0.0] * 10], "original": [[0.0] * 10]}
    file_case("verification_of_other_embeddings", says("bert.verification", json.dumps(good)), FORMAT, CONVERTED, "deviate", **checked)
    file_case("verification_not_looked_at", says("bert.verification", "{"), None)
    for label, text in {"empty_object": "{}", "list": "[]", "open": "{", "nested": '{"texts":' + "[" * 100_000}.items():
        file_case(f"verification_{label}", says("bert.verification", text), FORMAT, CONVERTED, **checked)
    for label, part in {
        "texts_empty": {"texts": []}, "texts_numbers": {"texts": [1]}, "texts_twice": {"texts": ["cat", "cat"]},
        "rows_of_none": {"expected": [[]]}, "rows_flat": {"expected": [1.0] * 10}, "rows_huge": {"expected": [[1e300] * 10]},
        "rows_of_texts": {"original": [["1"] * 10]}, "rows_missing": {"original": None},
    }.items():
        file_case(f"verification_{label}", says("bert.verification", json.dumps(good | part)), FORMAT, CONVERTED, **checked)
    wider = good | {"expected": [[0.0] * 11]}
    file_case("verification_of_another_width", says("bert.verification", json.dumps(wider)), FORMAT, CONVERTED, "deviate", **checked)
    uneven = {"texts": [""] * 100_000, "expected": [[0] * 100_000] + [[]] * 99_999}
    file_case("verification_of_one_wide_row", says("bert.verification", json.dumps(uneven)), FORMAT, CONVERTED, **checked)
    many = good | {"texts": [""] * 1_000_000}
    file_case("verification_of_many_texts", says("bert.verification", json.dumps(many)), FORMAT, CONVERTED, **checked)


def add_folder_cases():
    case("folder.empty", lambda f: [remove(p.name)(f) for p in list(f.iterdir())] and None, FILE)
    case("folder.empty_bert_model", lambda f: [remove(p.name)(f) for p in list(f.iterdir())] and None, FILE, CONFIG, opener="bert_model")
    case("folder.missing", lambda f: shutil.rmtree(f), FILE, "model")
    case("folder.is_a_file", lambda f: (shutil.rmtree(f), f.write_text("text")) and None, FORMAT, "model")
    case("folder.is_a_link_to_itself", lambda f: (shutil.rmtree(f), f.symlink_to("model")) and None, FILE, "model")
    case("folder.is_a_link", lambda f: (f.rename(f.parent / "real"), f.symlink_to("real")) and None, None)
    case("folder.has_many_files", lambda f: [write(f"checkpoint-{i}/x", "x")(f) for i in range(1000)] and None, None)
    case("folder.cut_vocabulary", lambda f: (put(TOKENIZER, "model", "vocab", {
        t: i for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat"])})(f), None)[1], None)


def make_bases(golden):
    """The good folders, by name: {file: content}."""
    sentence = golden / "models" / "sentence"
    bases = {"sentence": [sentence / "transformer", sentence / "variants" / "dense_tanh"]}
    for head in ["masked_lm", "pretraining", "question_answering", "classifier", "token_classifier", "colbert"]:
        bases[head] = [golden / "heads" / head]
    bases["cross_encoder"] = [golden / "heads" / "single_label", golden / "heads" / "cross_encoder"]
    bases["sparse_sum"] = [golden / "heads" / "masked_lm", golden / "heads" / "sparse_sum"]
    for decoder in ["causal_lm", "seq2seq"]:
        bases[decoder] = [golden / "decoders" / decoder]
    return bases


def main():
    golden, output = Path(sys.argv[1]), Path(sys.argv[2])
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    add_config_cases()
    add_weights_cases()
    add_shard_cases()
    add_link_cases()
    add_module_cases()
    add_tokenizer_cases()
    add_head_cases()
    add_converted_cases()
    add_folder_cases()
    bases = make_bases(golden)
    listed = []
    for one in CASES:
        if part not in one["name"]:
            continue
        folder = output / one["name"].replace("/", "_") / "model"
        for source in bases[one["base"]]:
            shutil.copytree(source, folder, dirs_exist_ok=True)
        one["change"](folder)
        listed.append({k: one[k] for k in ("name", "opener", "kind", "message", "unlimited")}
                      | {"folder": str(folder / one["file"])})
    (output / "cases.json").write_text(json.dumps(listed, indent=1))
    print(f"{len(listed)} folders in {output}")


if __name__ == "__main__":
    main()
