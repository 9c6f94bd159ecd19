"""Checks tools/from_checkpoint.py on checkpoints that PyTorch and TensorFlow wrote (tests/golden/checkpoints), on pickles
that want to run programs, and on files that are cut short.

Usage: from_checkpoint_test.py ROOT [BERT_BINARY]. Ends with 77 where numpy is missing.
"""

import collections
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import types
import unittest
import zipfile
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("numpy is missing")
    sys.exit(77)

ROOT = Path(sys.argv[1])
BINARY = sys.argv[2] if len(sys.argv) > 2 else ""
GOLDEN = ROOT / "tests" / "golden" / "checkpoints"
TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


def run(source, target):
    command = [sys.executable, ROOT / "tools" / "from_checkpoint.py", source, target]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header.pop("__metadata__", None) in (None, {"format": "pt"})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[begin:end], TYPES[entry["dtype"]])
        tensors[name] = (entry["dtype"], values.reshape(entry["shape"]))
    return tensors


class FakeTorch:
    """Pickles as PyTorch's, without PyTorch: classes of its names, and storages by reference."""

    def __init__(self):
        self.torch = types.ModuleType("torch")
        self.utils = types.ModuleType("torch._utils")

        def rebuild(*_):
            raise AssertionError("not to be called")

        rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
        self.utils._rebuild_tensor_v2 = rebuild
        for name in ("FloatStorage", "HalfStorage", "DoubleStorage"):
            setattr(self.torch, name, type(name, (), {"__module__": "torch"}))
        self.storages = {}

    def tensor(self, storage, values, shape, strides, offset=0):
        key = str(len(self.storages))
        self.storages[key] = values.tobytes()
        reference = Reference(("storage", getattr(self.torch, storage), key, "cpu", values.size))
        arguments = (reference, offset, shape, strides, False, collections.OrderedDict())

        class Tensor:
            def __reduce__(_):
                return self.utils._rebuild_tensor_v2, arguments

        return Tensor()

    def write(self, path, content):
        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                return value.value if isinstance(value, Reference) else None

        modules = {"torch": self.torch, "torch._utils": self.utils}
        before = {name: sys.modules.get(name) for name in modules}
        sys.modules.update(modules)
        buffer = io.BytesIO()
        Pickler(buffer, 2).dump(content)
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", buffer.getvalue())
            for key, data in self.storages.items():
                archive.writestr(f"archive/data/{key}", data)


class Reference:
    def __init__(self, value):
        self.value = value


class FromCheckpoint(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.path = Path(self.temporary.name)
        self.target = self.path / "target"

    def tearDown(self):
        self.temporary.cleanup()

    def converted(self, source):
        result = run(source, self.target)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        return read_safetensors(self.target / "model.safetensors")

    def refused(self, source, *parts):
        result = run(source, self.target)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertTrue(result.stderr.startswith("from_checkpoint: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)
        self.assertFalse((self.target / "model.safetensors").exists())
        self.assertFalse(self.target.with_name("target.part").exists())

    def folder(self, name="torch"):
        folder = self.path / "source"
        shutil.copytree(GOLDEN / name, folder)
        return folder

    def test_every_form_gives_the_same_tensors(self):
        expected = read_safetensors(GOLDEN / "expected.safetensors")
        for form in ("torch", "torch_legacy", "tensorflow"):
            with self.subTest(form):
                shutil.rmtree(self.target, ignore_errors=True)
                given = self.converted(GOLDEN / form)
                self.assertEqual(sorted(given), sorted(expected))
                for name, (dtype, values) in expected.items():
                    self.assertEqual(given[name][0], dtype, name)
                    np.testing.assert_array_equal(given[name][1], values, name)
                config = json.loads((self.target / "config.json").read_text())
                self.assertEqual(config["model_type"], "bert")
                self.assertEqual(config["architectures"], ["BertForPreTraining"])
                self.assertTrue((self.target / "vocab.txt").is_file())

    @unittest.skipUnless(BINARY, "needs the command line tool")
    def test_the_library_opens_it(self):
        for form in ("torch_legacy", "tensorflow"):
            shutil.rmtree(self.target, ignore_errors=True)
            self.converted(GOLDEN / form)
            result = subprocess.run([BINARY, "inspect", self.target, "--json"], capture_output=True, timeout=120)
            self.assertEqual(result.returncode, 0, result.stderr)
            tasks = json.loads(result.stdout)["tasks"]
            self.assertIn("fill-mask", tasks)
            self.assertIn("next-sentence", tasks)
            result = subprocess.run(
                [BINARY, "embed", self.target], input=b"the cat sat", capture_output=True, timeout=120
            )
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_tensorflow_checkpoint_by_its_own_path(self):
        self.converted(GOLDEN / "tensorflow" / "bert_model.ckpt")
        settings = json.loads((self.target / "tokenizer_config.json").read_text())
        self.assertEqual(settings, {"do_lower_case": True, "model_max_length": 16})

    def test_a_vocabulary_with_capitals_is_cased(self):
        folder = self.folder("tensorflow")
        with open(folder / "vocab.txt", "a") as file:
            file.write("Berlin\n")
        self.converted(folder)
        self.assertFalse(json.loads((self.target / "tokenizer_config.json").read_text())["do_lower_case"])

    def test_modules_and_shards(self):
        fake = FakeTorch()
        ones = np.arange(6, dtype="<f4")
        source = self.path / "source"
        (source / "2_Dense").mkdir(parents=True)
        fake.write(
            source / "2_Dense" / "pytorch_model.bin",
            {"linear.weight": fake.tensor("FloatStorage", ones, (2, 3), (3, 1))},
        )
        (source / "2_Dense" / "config.json").write_text("{}")
        for shard, name in ((1, "a"), (2, "b")):
            part = FakeTorch()
            part.write(
                source / f"pytorch_model-{shard}.bin", {name: part.tensor("FloatStorage", ones * shard, (6,), (1,))}
            )
        index = {"weight_map": {"a": "pytorch_model-1.bin", "b": "pytorch_model-2.bin"}}
        (source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        (source / "README.md").write_text("not a file of the model")
        given = self.converted(source)
        self.assertEqual(sorted(given), ["a", "b"])  # of equal places in different files, both stay
        np.testing.assert_array_equal(given["b"][1], ones * 2)
        dense = read_safetensors(self.target / "2_Dense" / "model.safetensors")
        np.testing.assert_array_equal(dense["linear.weight"][1], ones.reshape(2, 3))
        self.assertEqual(
            sorted(p.name for p in self.target.rglob("*") if p.is_file()),
            ["config.json", "model.safetensors", "model.safetensors"],
        )
        shutil.rmtree(self.target)
        (source / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": "../x.bin"}}))
        self.refused(source, "../x.bin")

    def test_views_types_and_names(self):
        fake = FakeTorch()
        numbers = np.arange(12, dtype="<f4")
        content = {
            "module.transposed": fake.tensor("FloatStorage", numbers, (3, 2), (1, 3), 1),
            "module.double": fake.tensor("DoubleStorage", numbers.astype("<f8"), (12,), (1,)),
            "module.half": fake.tensor("HalfStorage", numbers.astype("<f2"), (2, 6), (6, 1)),
            "module.empty": fake.tensor("FloatStorage", numbers[:0], (0, 5), (5, 1)),
        }
        source = self.path / "source"
        source.mkdir()
        fake.write(source / "pytorch_model.bin", {"state_dict": content, "epoch": 3})
        given = self.converted(source)
        self.assertEqual(sorted(given), ["double", "empty", "half", "transposed"])
        np.testing.assert_array_equal(given["transposed"][1], [[1, 4], [2, 5], [3, 6]])
        self.assertEqual(given["double"][0], "F32")
        np.testing.assert_array_equal(given["double"][1], numbers)
        self.assertEqual(given["half"][0], "F16")
        self.assertEqual(given["empty"][1].shape, (0, 5))

    def test_pickles_run_nothing(self):
        trace = self.path / "trace"

        class Program:
            def __reduce__(self):
                return os.system, (f"touch '{trace}'",)

        source = self.path / "source"
        source.mkdir()
        FakeTorch().write(source / "pytorch_model.bin", {"weight": Program()})
        self.refused(source, "pytorch_model.bin", "system")
        (source / "pytorch_model.bin").write_bytes(pickle.dumps(Program()))
        self.refused(source, "pytorch_model.bin", "system")
        self.assertFalse(trace.exists())

    def test_tensors_beyond_their_storage_are_refused(self):
        for shape, strides, offset in [
            ((4, 4), (4, 1), 0),
            ((2,), (1,), 11),
            ((2,), (-1,), 0),
            ((2,), (1 << 60,), 0),
            ((2, 2), (1,), 0),
        ]:
            fake = FakeTorch()
            source = self.path / "source"
            source.mkdir(exist_ok=True)
            numbers = np.arange(12, dtype="<f4")
            fake.write(
                source / "pytorch_model.bin", {"w": fake.tensor("FloatStorage", numbers, shape, strides, offset)}
            )
            self.refused(source, "pytorch_model.bin")

    def test_files_cut_short_are_refused(self):
        for form, name in (
            ("torch", "pytorch_model.bin"),
            ("torch_legacy", "pytorch_model.bin"),
            ("tensorflow", "bert_model.ckpt.index"),
            ("tensorflow", "bert_model.ckpt.data-00000-of-00001"),
        ):
            data = (GOLDEN / form / name).read_bytes()
            for size in (0, 1, 40, len(data) // 3, len(data) - 1):
                with self.subTest(f"{form}/{name} of {size}"):
                    shutil.rmtree(self.path / "source", ignore_errors=True)
                    folder = self.folder(form)
                    (folder / name).write_bytes(data[:size])
                    self.refused(folder)

    def test_what_is_missing_is_named(self):
        self.refused(self.path / "absent", "absent")
        empty = self.path / "empty"
        empty.mkdir()
        self.refused(empty, "pytorch_model.bin")
        folder = self.folder("tensorflow")
        (folder / "vocab.txt").unlink()
        self.refused(folder, "vocab.txt")
        (folder / "bert_config.json").unlink()
        self.refused(folder, "bert_config.json")
        (folder / "bert_model.ckpt.data-00000-of-00001").unlink()
        self.refused(folder, "data-00000-of-00001")
        self.target.mkdir()
        (self.target / "something").write_text("")
        self.refused(GOLDEN / "torch", "not empty")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
