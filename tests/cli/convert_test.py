"""Runs bert convert and bert verify, and other commands on what they wrote.

Usage: convert_test.py BINARY GOLDEN_FOLDER
"""

import fcntl
import json
import os
import struct
import sys
import unittest

from cli_case import GOLDEN, CliCase, run


class Convert(CliCase):
    def test_converts_and_verifies(self):
        texts = "the dog\nthe cat sat"
        plain = self.lines("embed", self.model, stdin=texts)
        for weights, tolerance in (("f32", 0), ("f16", 2e-3), ("bf16", 0.02), ("int8", 0.05)):
            file = self.path / f"{weights}.bert"
            record = json.loads(self.ok("convert", self.model, file, "--weights", weights, "--json"))
            self.assertEqual(record, {"file": str(file), "bytes": file.stat().st_size})
            same = self.lines("embed", file, stdin=texts)
            self.assertEqual([r["text"] for r in same], [r["text"] for r in plain])
            for a, b in zip(same, plain):
                self.assert_close(a["embedding"], b["embedding"], tolerance)
            computed = "f32" if weights == "f16" else weights
            if weights != "f16":
                self.assertEqual(same, self.lines("embed", self.model, "--weights", computed, stdin=texts))
            report = json.loads(self.ok("verify", file, "--json", "--threads", "1"))
            self.assertIs(report["passed"], True)
            self.assertEqual(report["compared_with"], "the embeddings that the model carries")
            self.assertEqual((report["weights"], report["threads"]), (computed, 1))
            self.assertLessEqual(report["deviation"], report["tolerance"])
            self.assertGreater(report["cosine_to_original"], 0.99)
            self.assertGreater(report["tokens_per_second"], 0)
            self.assertGreater(report["milliseconds_to_first_vector"], 0)
            tables = json.loads(self.ok("inspect", "--cpu", "--json"))["cpu"]["kernels_available"]
            self.assertIn(report["kernels"], tables)
            # Any reader of the format finds the weights under their names, and the files in the metadata.
            data = file.read_bytes()
            (length,) = struct.unpack("<Q", data[:8])
            header = json.loads(data[8 : 8 + length])
            matrix = header["encoder.layer.0.output.dense.weight"]
            self.assertEqual(matrix["dtype"], {"f32": "F32", "f16": "F16", "bf16": "BF16", "int8": "I8"}[weights])
            self.assertEqual(json.loads(header["__metadata__"]["config.json"])["hidden_size"], 24)
        self.assertIn("passed: true", self.ok("verify", file))
        folder = json.loads(self.ok("inspect", self.model, "--json"))
        converted = json.loads(self.ok("inspect", file, "--json"))
        for key in ("model", "tasks", "tokenizer", "sentence_embeddings"):
            self.assertEqual(converted[key], folder[key])
        self.assertEqual(self.ok("tokenize", file, stdin=texts), self.ok("tokenize", self.model, stdin=texts))

    def test_a_file_that_is_there_is_kept(self):
        file = self.path / "kept.bert"
        file.write_text("as it was")
        self.fails("convert", self.model, file, code=2, naming=("kept.bert", "--force"))
        self.fails("convert", self.path / "absent", file, "--force", naming=("absent",))
        self.assertEqual(file.read_text(), "as it was")
        self.ok("convert", self.model, file, "--force")
        self.assertEqual([p.name for p in self.path.glob("kept*")], ["kept.bert"])
        pipe = self.path / "pipe.bert"
        os.mkfifo(pipe)
        self.fails("convert", self.model, pipe, "--force", code=2, naming=("pipe.bert", "regular"))
        self.assertTrue(pipe.is_fifo())

    def test_one_writer_at_a_time(self):
        file = self.path / "locked.bert"
        with open(self.path / "locked.bert.part", "wb") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            self.fails("convert", self.model, file, naming=("locked.bert.part", "busy"))
        self.ok("convert", self.model, file)
        self.assertEqual([p.name for p in self.path.glob("locked*")], ["locked.bert"])

    def test_verify_tells_what_is_wrong(self):
        file = self.path / "wrong.bert"
        self.ok("convert", self.model, file, "--weights", "int8")
        good = file.read_bytes()
        data = bytearray(good)
        data[-1000] ^= 1
        file.write_bytes(data)
        self.fails("verify", file, naming=("wrong.bert", "checksum"))
        data = bytearray(good)
        at = data.index(b'\\"expected\\":[[') + 15
        data[at : at + 3] = b"9.9"
        file.write_bytes(data)
        result = run("verify", file, "--json")
        self.assertEqual(result.returncode, 1)
        self.assertIs(json.loads(result.stdout)["passed"], False)
        self.assertRegex(result.stderr.decode(), r"\Abert: [^\n]+wrong.bert[^\n]*\n\Z")
        file.write_bytes(good[:-1])
        self.fails("embed", file, stdin="a", naming=("wrong.bert",))

    def test_verify_compares_folders_with_plain_code(self):
        for weights in ("f32", "bf16", "int8"):
            report = json.loads(self.ok("verify", self.model, "--weights", weights, "--json"))
            self.assertIs(report["passed"], True)
            self.assertIn("plain C++", report["compared_with"])
            self.assertNotIn("cosine_to_original", report)

    def test_gguf_files_are_models(self):
        file = GOLDEN / "gguf" / "q8_0.gguf"
        (record,) = self.lines("embed", file, stdin="the cat")
        self.assertEqual(len(record["embedding"]), 32)
        self.ok("convert", file, self.path / "gguf.bert", "--weights", "int8")
        self.assertEqual(
            self.lines("embed", self.path / "gguf.bert", stdin="the cat"),
            self.lines("embed", file, "--weights", "int8", stdin="the cat"),
        )


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
