"""Reads and writes Parquet and Arrow files with the command line tool, with pyarrow on the other side.

Usage: arrow_test.py BINARY GOLDEN_FOLDER (built with or without the Arrow C++ library)
Exit code 77: skipped, as the tool was built without it or Python has no pyarrow.
"""

import datetime
import decimal
import json
import math
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

from cli_case import BINARY, CliCase

try:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet
except ImportError:
    pa = None

TEXTS = ["the dog", "the \u00e9nd\n\"of\"", "", "the cat sat on the mat"]


def arrow_there():
    """Whether the tool was built with the library: it says so before it looks for the file."""
    result = subprocess.run([BINARY, "embed", "nothing", "-o", "x.parquet"], capture_output=True)
    return b"built without the Arrow C++ library" not in result.stderr


class Arrow(CliCase):
    def table(self):
        count = len(TEXTS)
        return pa.table(
            {
                "id": pa.array(range(count), pa.int32()),
                "body": pa.array(TEXTS),
                "share": pa.array([0.1, None, 3.0, -2.5], pa.float32()),
                "exact": pa.array([1 / 3] * count),
                "yes": [True, False, None, True],
                "tags": pa.array([["a", "b"], [], None, ["c"]]),
                "nested": pa.array([{"a": 1, "b": [{"c": "x"}]}] * count),
                "coded": pa.array(["u", "v", "u", None]).dictionary_encode(),
                "large": pa.array(["w"] * count, pa.large_string()),
                "day": pa.array([datetime.date(2024, 1, 2)] * count),
                "sum": pa.array([decimal.Decimal("1.25")] * count),
                "pairs": pa.array([[("k", 1)]] * count, pa.map_(pa.string(), pa.int64())),
                "two": pa.array([[1.0, 2.5]] * count, pa.list_(pa.float32(), 2)),
                "huge": pa.array([2**64 - 1] * count, pa.uint64()),
                "half": pa.array([1.5] * count, pa.float16()),
                "none": pa.nulls(count),
            }
        )

    def written(self):
        """The table in every kind of file, in batches of three rows."""
        table = self.table()
        pa.parquet.write_table(table, self.path / "t.parquet", row_group_size=3)
        views = table.append_column("view", pa.array(["v"] * len(TEXTS), pa.string_view()))
        with pa.ipc.new_file(self.path / "t.arrow", views.schema) as writer:
            writer.write_table(views, max_chunksize=3)
        with pa.ipc.new_stream(self.path / "stream.arrow", views.schema) as writer:
            writer.write_table(views, max_chunksize=3)
        pa.feather.write_feather(table, self.path / "t.feather", compression="lz4")
        return [self.path / name for name in ("t.parquet", "t.arrow", "stream.arrow", "t.feather")]

    def test_reads_every_kind_of_file(self):
        stdin = "\n".join(json.dumps({"text": text}) for text in TEXTS)
        expected = [r["embedding"] for r in self.lines("embed", self.model, "--format", "jsonl", stdin=stdin)]
        for file in self.written():
            records = self.lines("embed", self.model, file, "--column", "body")
            self.assertEqual([r["body"] for r in records], TEXTS)
            self.assertEqual([r["embedding"] for r in records], expected)
            first = records[0]
            self.assertEqual([r["id"] for r in records], [0, 1, 2, 3])
            self.assertEqual([r["share"] for r in records], [0.1, None, 3.0, -2.5])
            self.assertEqual([r["yes"] for r in records], [True, False, None, True])
            self.assertEqual([r["tags"] for r in records], [["a", "b"], [], None, ["c"]])
            self.assertEqual([r["coded"] for r in records], ["u", "v", "u", None])
            self.assertEqual(first["exact"], 1 / 3)
            self.assertEqual(first["nested"], {"a": 1, "b": [{"c": "x"}]})
            self.assertEqual((first["large"], first["day"], first["sum"]), ("w", "2024-01-02", "1.25"))
            self.assertEqual(first["pairs"], [{"key": "k", "value": 1}])
            self.assertEqual((first["two"], first["huge"], first["half"]), ([1.0, 2.5], 2**64 - 1, 1.5))
            self.assertIsNone(first["none"])
            self.assertEqual(first.get("view", "v"), "v")

    def test_other_commands_and_names_read_the_same(self):
        file = self.written()[0]
        other = self.path / "no ending"
        other.write_bytes(file.read_bytes())
        tokens = self.ok("tokenize", self.model, other, "--format", "parquet", "--column", "body")
        self.assertEqual(len(tokens.splitlines()), len(TEXTS))
        report = json.loads(self.ok("index", self.path / "store", "--model", self.model, "--field", "body", file))
        self.assertEqual(report["documents"], len(TEXTS))

    def test_says_what_is_wrong(self):
        parquet, arrow, stream, _ = self.written()
        self.fails("embed", self.model, parquet, "--column", "nothing", naming=["t.parquet", '"nothing"', '"body"'])
        self.fails("embed", self.model, parquet, "--column", "id", naming=["t.parquet:1"])
        self.fails("embed", self.model, self.path / "absent.parquet", naming=["absent.parquet"])
        self.fails("embed", self.model, "--format", "parquet", stdin=parquet.read_bytes(), naming=["standard input"])
        for whole in (parquet, arrow, stream):
            data = whole.read_bytes()
            for cut in (0, 3, 5, 8, len(data) // 2, len(data) - 1):
                damaged = self.path / ("cut" + whole.suffix)
                damaged.write_bytes(data[:cut])
                if whole == stream and cut == len(data) - 1:
                    continue  # what is missing is the mark of the end
                # Batches that are whole may have been read and even written before the end is missed.
                result = subprocess.run(
                    [BINARY, "embed", self.model, damaged, "--column", "body"], capture_output=True, timeout=60
                )
                self.assertEqual(result.returncode, 1, (whole, cut, result))
                self.assertRegex(result.stderr.decode(), r"\Abert: [^\n]*cut\.[^\n]+\n\Z")
        records = self.lines(
            "embed", self.model, self.null_in_text(), "--column", "body", "--on-error", "skip"
        )
        self.assertEqual([r["body"] for r in records], ["the dog", "the cat"])
        self.fails("tokenize", self.model, self.null_in_text(), "--column", "body", naming=["null.parquet:2"])

    def null_in_text(self):
        pa.parquet.write_table(pa.table({"body": ["the dog", None, "the cat"]}), self.path / "null.parquet")
        return self.path / "null.parquet"

    def test_damaged_bytes_do_not_crash(self):
        draw = random.Random(7)
        for file in self.written():
            data = file.read_bytes()
            for _ in range(15):
                broken = bytearray(data)
                for _ in range(draw.randint(1, 4)):
                    broken[draw.randrange(len(broken))] = draw.randrange(256)
                damaged = self.path / ("damaged" + file.suffix)
                damaged.write_bytes(broken)
                result = subprocess.run(
                    [BINARY, "embed", self.model, damaged, "--column", "body"], capture_output=True, timeout=60
                )
                self.assertIn(result.returncode, (0, 1), (file, bytes(broken), result))

    def test_writes_parquet(self):
        records = [
            {"id": 1, "text": "the dog", "x": 1, "ok": True, "mixed": "a", "tags": ["a"], "embedding": "old"},
            {"text": "the cat sat", "x": 2.5, "mixed": 3, "id": None},
            {"id": 2**63 - 1, "text": "", "ok": None, "tags": {"b": [1]}, "late": "here"},
        ]
        stdin = "\n".join(json.dumps(record) for record in records)
        expected = self.lines("embed", self.model, "--format", "jsonl", stdin=stdin)
        out = self.path / "out.parquet"
        self.ok("embed", self.model, "--format", "jsonl", "-o", out, stdin=stdin)
        table = pa.parquet.read_table(out)
        self.assertEqual(table.column_names, ["id", "text", "x", "ok", "mixed", "tags", "late", "embedding"])
        kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
        self.assertEqual(kinds["id"], "int64")
        self.assertEqual((kinds["x"], kinds["ok"]), ("double", "bool"))
        self.assertEqual({kinds[name] for name in ("text", "mixed", "tags", "late")}, {"string"})
        rows = table.to_pylist()
        dimension = len(expected[0]["embedding"])
        self.assertEqual(table.schema.field("embedding").type, pa.list_(pa.float32(), dimension))
        for row, record in zip(rows, expected):
            self.assertEqual(pa.array(record["embedding"], pa.float32()).to_pylist(), row["embedding"])
        self.assertEqual([row["id"] for row in rows], [1, None, 2**63 - 1])
        self.assertEqual([row["x"] for row in rows], [1.0, 2.5, None])
        self.assertEqual([row["ok"] for row in rows], [True, None, None])
        self.assertEqual([row["mixed"] for row in rows], ['"a"', "3", None])
        self.assertEqual([row["tags"] for row in rows], ['["a"]', None, '{"b":[1]}'])
        self.assertEqual([row["late"] for row in rows], [None, None, "here"])
        self.assertEqual(sorted(p.name for p in self.path.glob("out.parquet*")), ["out.parquet"])
        # And reads what it wrote.
        again = self.lines("embed", self.model, out)
        self.assertEqual([r["embedding"] for r in again], [r["embedding"] for r in expected])

    def test_writes_many_rows_and_none(self):
        out = self.path / "many.parquet"
        self.ok("embed", self.model, "-o", out, stdin="the dog\nthe cat\n" * 3000)
        table = pa.parquet.read_table(out)
        self.assertEqual(table.column("text").to_pylist(), ["the dog", "the cat"] * 3000)
        lengths = [math.hypot(*row) for row in table.column("embedding").to_pylist()[::500]]
        for length in lengths:
            self.assertAlmostEqual(length, 1, delta=1e-5)
        none = self.path / "none.parquet"
        self.ok("embed", self.model, "-o", none)
        self.assertEqual(pa.parquet.read_table(none).num_rows, 0)
        self.fails("embed", self.model, "-o", "/dev/stdout", "--output-format", "parquet", code=2, naming=["file"])
        self.fails("embed", self.model, "-o", out, stdin="the dog", code=2, naming=["--force"])

    def test_goes_on_after_kills(self):
        draw = random.Random(3)
        corpus = self.path / "corpus.parquet"
        texts = [" ".join(draw.choices("the dog sat on a mat".split(), k=draw.randint(0, 30))) for _ in range(20000)]
        pa.parquet.write_table(pa.table({"text": texts, "n": range(len(texts))}), corpus, row_group_size=5000)
        unbroken = self.path / "unbroken.parquet"
        start = time.monotonic()
        self.ok("embed", self.model, corpus, "-o", unbroken)
        duration = time.monotonic() - start
        killed = self.path / "killed.parquet"
        state = self.path / "killed.parquet.state"
        kills = 0
        for _ in range(20):
            process = subprocess.Popen([BINARY, "embed", self.model, corpus, "-o", killed], stderr=subprocess.PIPE)
            try:
                process.communicate(timeout=draw.uniform(0, duration))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
            else:
                self.assertEqual(process.returncode, 0)
            if killed.exists() and not state.exists():
                break
        self.assertGreater(kills, 0)
        if state.exists() or not killed.exists():
            self.ok("embed", self.model, corpus, "-o", killed)
        self.assertEqual(killed.read_bytes(), unbroken.read_bytes())
        self.assertEqual(pa.parquet.read_table(killed).column("n").to_pylist(), list(range(len(texts))))

    def test_goes_on_after_its_last_steps(self):
        corpus = self.path / "last.txt"
        corpus.write_text("the dog\nthe cat\n" * 50)
        unbroken = self.path / "last.unbroken.parquet"
        self.ok("embed", self.model, corpus, "-o", unbroken)
        out, state = self.path / "last.parquet", self.path / "last.parquet.state"
        obstacle = self.path / "last.parquet.made"
        (obstacle / "full").mkdir(parents=True)
        self.fails("embed", self.model, corpus, "-o", out, naming=["last.parquet.made"])
        self.assertFalse(out.exists())
        shutil.rmtree(obstacle)
        # As if it had been killed when the output had its name already.
        content = json.loads(state.read_text())
        state.write_text(json.dumps({**content, "made": unbroken.stat().st_size}))
        shutil.copy(unbroken, out)
        self.ok("embed", self.model, corpus, "-o", out)
        self.assertEqual(out.read_bytes(), unbroken.read_bytes())
        self.assertEqual(sorted(p.name for p in self.path.glob("last.parquet*")), ["last.parquet"])
        # A file of that name that is another's stays.
        (obstacle / "full").mkdir(parents=True)
        out.unlink()
        self.fails("embed", self.model, corpus, "-o", out)
        shutil.rmtree(obstacle)
        out.write_bytes(b"of another")
        self.fails("embed", self.model, corpus, "-o", out, code=2, naming=["--force"])
        self.assertEqual(out.read_bytes(), b"of another")


if __name__ == "__main__":
    if pa is None or not arrow_there():
        print("the tool was built without the Arrow C++ library, or Python has no pyarrow")
        sys.exit(77)
    os.environ.pop("BERT_KERNELS", None)
    unittest.main(argv=sys.argv[:1])
