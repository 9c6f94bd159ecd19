#!/usr/bin/env python3
"""Makes a safetensors folder of a BERT checkpoint in an older form.

Usage: from_checkpoint.py SOURCE TARGET

SOURCE is a folder with pytorch_model.bin (or its shards), or a TensorFlow checkpoint as Google published BERT: a folder
with bert_config.json, vocab.txt and one checkpoint, or the checkpoint's own path without ".index". TARGET, which is
made, gets model.safetensors and everything else that the source says about the model.

Needs Python 3.8 and numpy, neither PyTorch nor TensorFlow. A .bin file is a pickle, which can run any program when it is
opened the usual way; here it can make tensors, numbers, texts and containers of them, and nothing else is called.
"""

import argparse
import collections
import io
import json
import os
import pickle
import shutil
import struct
import sys
import zipfile
from pathlib import Path

try:
    import numpy as np
except ImportError:
    sys.exit("from_checkpoint: numpy is missing")


class CheckpointError(Exception):
    pass


# ----------------------------------------------------------------------------------------------- tensors and safetensors

# Of safetensors: its name, and the numpy type that has the same bytes (there is none for bfloat16).
F32, F16, BF16, F64 = ("F32", "<f4"), ("F16", "<f2"), ("BF16", "<u2"), ("F64", "<f8")
I64, I32, I16, I8, U8, BOOL = ("I64", "<i8"), ("I32", "<i4"), ("I16", "<i2"), ("I8", "i1"), ("U8", "u1"), ("BOOL", "?")


class Tensor:
    """`dtype` is one of the pairs above; `values` an array of its numpy type; `source` tells tensors of the same memory."""

    def __init__(self, dtype, values, source=None):
        self.dtype, self.values, self.source = dtype, values, source


def write_safetensors(path, tensors):
    sizes = {name: tensor.values.dtype.itemsize for name, tensor in tensors.items()}
    names = sorted(tensors, key=lambda name: (-sizes[name], name))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        tensor = tensors[name]
        end = offset + tensor.values.size * sizes[name]
        header[name] = {"dtype": tensor.dtype[0], "shape": list(tensor.values.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(np.ascontiguousarray(tensors[name].values).tobytes())
        file.flush()
        os.fsync(file.fileno())


# ------------------------------------------------------------------------------------------------------- PyTorch's .bin

STORAGES = {
    "FloatStorage": F32, "HalfStorage": F16, "BFloat16Storage": BF16, "DoubleStorage": F64, "LongStorage": I64,
    "IntStorage": I32, "ShortStorage": I16, "CharStorage": I8, "ByteStorage": U8, "BoolStorage": BOOL,
}  # fmt: skip


class StorageType:
    def __init__(self, dtype):
        self.dtype = dtype


class Storage:
    """Numbers in a row, which tensors are views of. Filled in after the pickle has been read, in the older format."""

    def __init__(self, dtype, key, count):
        self.dtype, self.key, self.count, self.values = dtype, key, count, None


class View:
    """A tensor as the pickle describes it."""

    def __init__(self, storage, offset, shape, strides):
        sizes = [*shape, *strides, offset]
        if not isinstance(storage, Storage) or len(shape) != len(strides):
            raise CheckpointError("a tensor without a storage")
        if not all(isinstance(n, int) and n >= 0 for n in sizes):
            raise CheckpointError(f"a tensor of shape {shape} and strides {strides}")
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    def tensor(self):
        values = self.storage.values
        if 0 not in self.shape:
            last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
            if values is None or last >= values.size:
                raise CheckpointError(f"a tensor of shape {self.shape} reaches beyond its storage")
        size = values.dtype.itemsize
        view = np.ndarray(self.shape, values.dtype, values[self.offset :], 0, [s * size for s in self.strides])
        return Tensor(self.storage.dtype, view, (self.storage.key, self.offset, self.shape, self.strides))


def rebuild_tensor(storage, offset, shape, strides, *_):
    return View(storage, offset, shape, strides)


def rebuild_parameter(tensor, *_):
    return tensor


class Unpickler(pickle.Unpickler):
    """Knows the names that a file of tensors needs, and calls no others."""

    KNOWN = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch", "Size"): tuple,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    }

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if module in ("torch", "torch.storage") and name in STORAGES:
            return StorageType(STORAGES[name])
        if (module, name) in self.KNOWN:
            return self.KNOWN[module, name]
        raise CheckpointError(f"it asks for {module}.{name}, which no file of weights needs")

    def persistent_load(self, reference):
        if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
            raise CheckpointError("a storage in an unknown form")
        kind, key, count = reference[1], str(reference[2]), reference[4]
        if not isinstance(kind, StorageType) or not isinstance(count, int):
            raise CheckpointError("a storage of an unknown type")
        if len(reference) > 5 and reference[5] is not None:
            raise CheckpointError("a storage that is a view of another: save the model with a newer PyTorch")
        return self.storages.setdefault(key, Storage(kind.dtype, key, count))


def read_zip(path):
    """The format since PyTorch 1.6: a zip file of a pickle, and of the storages one by one."""
    storages = {}
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(pickles) != 1:
            raise CheckpointError("no data.pkl in it")
        folder = pickles[0][: -len("data.pkl")]
        if folder + "byteorder" in archive.namelist() and archive.read(folder + "byteorder") != b"little":
            raise CheckpointError("its numbers are big-endian")
        content = Unpickler(io.BytesIO(archive.read(pickles[0])), storages).load()
        for key, storage in storages.items():
            storage.values = np.frombuffer(archive.read(folder + "data/" + key), storage.dtype[1])
    return content


LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def read_legacy(path):
    """The format before: pickles one after another, then the storages' bytes, each after its number of elements."""
    storages = {}
    with open(path, "rb") as file:
        if Unpickler(file, storages).load() != LEGACY_MAGIC or Unpickler(file, storages).load() != 1001:
            raise CheckpointError("it is no file of PyTorch")
        system = Unpickler(file, storages).load()
        if not system.get("little_endian", True):
            raise CheckpointError("its numbers are big-endian")
        content = Unpickler(file, storages).load()
        for key in Unpickler(file, storages).load():
            storage = storages.get(str(key))
            (count,) = struct.unpack("<q", file.read(8))
            if storage is None or count < 0 or count < storage.count:
                raise CheckpointError(f"storage {key} is not the one that the tensors describe")
            size = np.dtype(storage.dtype[1]).itemsize
            data = file.read(count * size)
            if len(data) < count * size:
                raise CheckpointError(f"it ends within storage {key}")
            storage.values = np.frombuffer(data, storage.dtype[1])
    return content


def read_torch(path):
    """The tensors of a .bin file, by name."""
    try:
        content = read_zip(path) if zipfile.is_zipfile(path) else read_legacy(path)
    except CheckpointError:
        raise
    except Exception as error:  # whatever a broken pickle or zip file leads to
        raise CheckpointError(f"it cannot be read: {type(error).__name__}: {error}") from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise CheckpointError("it holds no tensors by name")
    views = {str(name): value for name, value in content.items() if isinstance(value, View)}
    if not views:
        raise CheckpointError("it holds no tensors by name")
    return {name: view.tensor() for name, view in views.items()}


def clean(tensors):
    """Without the prefix of parallel training and without second names of tied weights; doubles as floats."""
    if all(name.startswith("module.") for name in tensors):
        tensors = {name[len("module.") :]: tensor for name, tensor in tensors.items()}
    result, seen = {}, set()
    # The word embeddings keep their name where a decoder shares their memory.
    for name in sorted(tensors, key=lambda name: ("embeddings" not in name, name)):
        tensor = tensors[name]
        if tensor.source is not None and tensor.source in seen:
            continue
        seen.add(tensor.source)
        result[name] = Tensor(F32, tensor.values.astype("<f4")) if tensor.dtype == F64 else tensor
    return result


# --------------------------------------------------------------------------------------------------------- TensorFlow 1

TABLE_MAGIC = 0xDB4775248B80FB57
TF_TYPES = {1: F32, 2: F64, 3: I32, 9: I64, 10: BOOL, 14: BF16, 19: F16}


class Bytes:
    """A part of the index, read from front to back."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, count):
        if count > len(self.data) - self.at:
            raise CheckpointError("its index ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise CheckpointError("its index holds a number without an end")

    def done(self):
        return self.at >= len(self.data)


def table_block(data, offset, size):
    """The entries of a block of LevelDB's table format: keys share their beginnings with the key before."""
    if offset + size + 5 > len(data):
        raise CheckpointError("its index names a block that is not in it")
    if data[offset + size] != 0:
        raise CheckpointError("its index is compressed, which TensorFlow's checkpoints are not")
    (restarts,) = struct.unpack("<I", data[offset + size - 4 : offset + size]) if size >= 4 else (0,)
    if size < 4 or 4 * restarts > size - 4:
        raise CheckpointError("its index holds a broken block")
    block = Bytes(data[offset : offset + size - 4 - 4 * restarts])
    key = b""
    while not block.done():
        shared, fresh, length = block.varint(), block.varint(), block.varint()
        key = key[:shared] + block.take(fresh)
        yield key, block.take(length)


def read_table(path):
    """The index: an SSTable of the kind that LevelDB has."""
    data = path.read_bytes()
    if len(data) < 48 or struct.unpack("<Q", data[-8:]) != (TABLE_MAGIC,):
        raise CheckpointError("its index is no TensorFlow index")
    footer = Bytes(data[-48:-8])
    footer.varint(), footer.varint()  # the block of blocks' statistics
    entries = {}
    for _, handle in table_block(data, footer.varint(), footer.varint()):
        handle = Bytes(handle)
        entries.update(table_block(data, handle.varint(), handle.varint()))
    return entries


def message(data):
    """The fields of a protocol buffer: (number, value), numbers and bytes as they are."""
    data = Bytes(data)
    while not data.done():
        key = data.varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, data.varint()
        elif kind == 2:
            yield key >> 3, data.take(data.varint())
        elif kind in (1, 5):
            yield key >> 3, data.take(8 if kind == 1 else 4)
        else:
            raise CheckpointError("its index holds a broken message")


def read_bundle(prefix):
    """The tensors of a checkpoint of TensorFlow's "tensor bundle" format, by name."""
    entries = read_table(Path(str(prefix) + ".index"))
    header = dict(message(entries.pop(b"", b"")))
    shards = header.get(1, 0)
    if header.get(2, 0) != 0:
        raise CheckpointError("its numbers are big-endian")
    if b"_CHECKPOINTABLE_OBJECT_GRAPH" in entries:
        raise CheckpointError("it is an object-based checkpoint of TensorFlow 2, not one of the published BERT models")
    files, tensors = {}, {}
    try:
        for name, entry in entries.items():
            fields = {"shape": [], 3: 0, 4: 0, 5: 0}
            for number, value in message(entry):
                if number == 2:  # TensorShapeProto: dimensions, each with its size
                    fields["shape"] = [dict(message(d)).get(1, 0) for n, d in message(value) if n == 2]
                elif number == 7:
                    raise CheckpointError(f"tensor {name.decode()} is stored in slices")
                else:
                    fields[number] = value
            dtype = TF_TYPES.get(fields.get(1))
            if dtype is None:
                continue  # texts and others that no model is made of
            shard = fields[3]
            if shard not in files:
                files[shard] = open(f"{prefix}.data-{shard:05d}-of-{shards:05d}", "rb")
            files[shard].seek(fields[4])
            data = files[shard].read(fields[5])
            size = np.dtype(dtype[1]).itemsize
            for extent in fields["shape"]:
                size *= extent
            if len(data) != fields[5] or len(data) != size:
                raise CheckpointError(f"tensor {name.decode()} of shape {fields['shape']} should have {size} bytes")
            tensors[name.decode()] = Tensor(dtype, np.frombuffer(data, dtype[1]).reshape(fields["shape"]))
    finally:
        for file in files.values():
            file.close()
    return tensors


# The heads of the published programs, run_pretraining.py, run_squad.py and run_classifier.py.
TF_HEADS = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
}
TF_TRAINING = {"adam_m", "adam_v", "AdamWeightDecayOptimizer", "AdamWeightDecayOptimizer_1", "global_step"}


def translate(tensors):
    """TensorFlow's names and layouts to those of transformers."""
    result = {}
    for name, tensor in tensors.items():
        parts = name.split("/")
        if TF_TRAINING & set(parts):
            continue
        values = tensor.values
        if name in TF_HEADS:
            new = TF_HEADS[name]
        else:
            parts = [p.replace("layer_", "layer.") if p.startswith("layer_") else p for p in parts]
            last = parts.pop()
            if last == "kernel":  # stored input by output
                values = values.T
                parts.append("weight")
            elif last in ("gamma", "beta"):
                parts.append({"gamma": "weight", "beta": "bias"}[last])
            elif last.endswith("_embeddings"):
                parts += [last, "weight"]
            else:
                parts.append(last)
            new = ".".join(parts)
        result[new] = Tensor(tensor.dtype, values)
    if "bert.embeddings.word_embeddings.weight" not in result:
        raise CheckpointError("it holds no BERT model: bert/embeddings/word_embeddings is missing")
    return result


def architecture(names):
    if "qa_outputs.weight" in names:
        return "BertForQuestionAnswering"
    if "classifier.weight" in names:
        return "BertForSequenceClassification"
    if "cls.seq_relationship.weight" in names:
        return "BertForPreTraining"
    return "BertForMaskedLM" if "cls.predictions.bias" in names else "BertModel"


# ------------------------------------------------------------------------------------------------------------- folders

WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def read_bins(folder):
    """The tensors of a folder's .bin file or files."""
    index = folder / WEIGHTS[1]
    names = [WEIGHTS[0]]
    if not (folder / WEIGHTS[0]).is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    tensors = {}
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(f'{index} names "{name}", which is not in the folder')
        try:
            read = read_torch(folder / name)
        except CheckpointError as error:
            raise CheckpointError(f"{folder / name}: {error}") from error
        for key, tensor in read.items():
            tensor.source = tensor.source and (name, *tensor.source)
        tensors.update(read)
    return clean(tensors)


def from_torch(source, target):
    """Copies the folder and those below it, with the .bin files of each as one safetensors file."""
    for folder in [source, *sorted(p for p in source.iterdir() if p.is_dir() and not p.name.startswith("."))]:
        out = target / folder.relative_to(source)
        out.mkdir(exist_ok=True)
        if any((folder / name).is_file() for name in WEIGHTS):
            write_safetensors(out / "model.safetensors", read_bins(folder))
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix in (".json", ".txt", ".metadata", ".model"):
                if path.name != WEIGHTS[1]:
                    shutil.copyfile(path, out / path.name)


def from_tensorflow(prefix, target):
    source = prefix.parent
    try:
        tensors = clean(translate(read_bundle(prefix)))
    except CheckpointError as error:
        raise CheckpointError(f"{prefix}: {error}") from error
    config = json.loads((source / "bert_config.json").read_text(encoding="utf-8"))
    config.update(model_type="bert", architectures=[architecture(tensors)])
    if "classifier.weight" in tensors:
        config["num_labels"] = tensors["classifier.weight"].values.shape[0]
    vocabulary = (source / "vocab.txt").read_text(encoding="utf-8")
    # Nothing but the folder's name says whether letters are lowered; but then no token has a capital one.
    words = (word for word in vocabulary.split() if not (word.startswith("[") and word.endswith("]")))
    lower = not any("A" <= letter <= "Z" for word in words for letter in word)
    write_safetensors(target / "model.safetensors", tensors)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(source / "vocab.txt", target / "vocab.txt")
    settings = {"do_lower_case": lower, "model_max_length": config.get("max_position_embeddings", 512)}
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def convert(source, target):
    """The target appears as a whole or not at all."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CheckpointError(f"{target} exists and is not empty")
    part = target.with_name(target.name + ".part")
    part.mkdir(parents=True)
    try:
        convert_into(part, source)
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def convert_into(target, source):
    if Path(str(source) + ".index").is_file():
        return from_tensorflow(source, target)
    if not source.is_dir():
        raise CheckpointError(f"{source} is neither a folder nor a TensorFlow checkpoint")
    if any((source / name).is_file() for name in WEIGHTS):
        return from_torch(source, target)
    indices = sorted(source.glob("*.index"))
    if len(indices) != 1:
        raise CheckpointError(
            f"{source} should hold pytorch_model.bin or one TensorFlow checkpoint, found {len(indices)} of these"
        )
    return from_tensorflow(indices[0].with_suffix(""), target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder, or path of a TensorFlow checkpoint without .index")
    parser.add_argument("target", type=Path, help="folder to make")
    options = parser.parse_args()
    try:
        convert(options.source, options.target)
    except (CheckpointError, OSError, ValueError, KeyError) as error:
        sys.exit(f"from_checkpoint: {error}")


if __name__ == "__main__":
    main()
