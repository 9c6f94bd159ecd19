"""Makes, changes, damages and searches stores of bert index.

Usage: store_test.py BINARY GOLDEN_FOLDER
"""

import json
import os
import pty
import random
import shutil
import struct
import subprocess
import sys
import time
import unittest

from cli_case import BINARY, CliCase, run


def write_npy(path, rows):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    data = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


WORDS = "the dog cat sat ran mat bird sang river bank money house tree sky man woman".split()


def sentences(count, seed):
    choose = random.Random(seed)
    return [" ".join(choose.choice(WORDS) for _ in range(choose.randint(3, 9))) for _ in range(count)]


DOCUMENTS = [
    {"id": "a", "text": "the dog sat", "year": 2020, "tags": ["pet", "rest"]},
    {"id": "b", "text": "the cat ran", "year": 2021, "tags": ["pet"]},
    {"id": 3, "text": "the bird sang", "year": 2021, "draft": True},
]


class Stores(CliCase):
    def setUp(self):
        self.store = self.path / self._testMethodName

    def jsonl(self, documents):
        return "".join(json.dumps(document) + "\n" for document in documents)

    def index(self, documents, *options, model=True):
        given = ("--model", self.model) if model else ()
        (report,) = self.lines(
            "index", self.store, "-", *given, "--format", "jsonl", *options, stdin=self.jsonl(documents)
        )
        return report

    def has(self, what):
        """Whether the tool was built with a library, asked of the tool itself."""
        probe = self.path / f"{self._testMethodName} with {what}"
        return run("index", probe, "--model", self.model, "--" + what, stdin="the dog").returncode == 0

    def hits(self, query, *options):
        (record,) = self.lines("search", self.store, query, *options)
        self.assertEqual(record["query"], query)
        return record["hits"]

    def ids(self, query, *options):
        return [hit["document"]["id"] for hit in self.hits(query, *options)]

    def generations(self):
        return sorted(p.name for p in self.store.iterdir() if p.name.isdigit())

    # making and changing

    def test_finds_what_a_search_of_the_texts_finds(self):
        documents = [{"id": i, "text": text} for i, text in enumerate(sentences(300, 1))]
        report = self.index(documents)
        self.assertEqual((report["documents"], report["added"], report["generation"]), (300, 300, 1))
        queries = sentences(5, 2)
        (self.path / "all.jsonl").write_text(self.jsonl(documents))
        arguments = [x for query in queries for x in ("-q", query)]
        expected = self.lines("search", self.model, self.path / "all.jsonl", *arguments)
        for records in (
            self.lines("search", self.store, *arguments),
            self.lines("search", self.store, stdin="\n".join(queries) + "\n"),
        ):
            self.assertEqual(records, expected)

    def test_adds_updates_and_deletes(self):
        self.index(DOCUMENTS)
        self.assertEqual(self.index(DOCUMENTS, model=False)["unchanged"], 3)
        self.assertEqual(self.generations(), ["1"])
        changed = [{**DOCUMENTS[0], "text": "the man ran"}, {**DOCUMENTS[1], "year": 1999}, {"id": "d", "text": "sky"}]
        report = self.index(changed, "--delete", 3, model=False)
        counts = [report[key] for key in ("documents", "added", "updated", "unchanged", "deleted")]
        self.assertEqual(counts, [3, 1, 2, 0, 1])
        self.assertEqual(self.generations(), ["2"])
        found = {hit["document"]["id"]: hit["document"] for hit in self.hits("the dog sat")}
        self.assertEqual(found, {d["id"]: d for d in changed})
        # What was changed step by step equals what is made at once.
        at_once = self.path / "at once"
        order = [changed[1], changed[0], changed[2]]
        self.ok("index", at_once, "--model", self.model, "--format", "jsonl", stdin=self.jsonl(order))
        self.assertEqual((at_once / "1" / "vectors.f32").read_bytes(), (self.store / "2" / "vectors.f32").read_bytes())
        (report,) = self.lines("index", self.store, "--delete", "a", "--delete", "b", "--delete", "d")
        self.assertEqual((report["documents"], report["deleted"]), (0, 3))
        self.assertEqual(self.hits("the dog"), [])
        self.fails("index", self.store, "--delete", "a", naming=["no document", '"a"'])

    def test_plain_lines_get_numbers(self):
        self.ok("index", self.store, "--model", self.model, stdin="the dog\nthe cat\n")
        (report,) = self.lines("index", self.store, "--delete", 0)
        self.assertEqual(report["documents"], 1)
        self.ok("index", self.store, stdin="the bird\n")
        self.assertEqual(sorted(self.ids("the bird")), [1, 2])

    def test_numbers_and_given_ids_come_together(self):
        self.index([{"text": "the dog"}, {"id": 0, "text": "the cat"}, {"text": "the bird"}, {"id": 2, "text": "the sky"}])
        self.assertEqual(sorted(self.ids("the dog")), [0, 1, 2, 3])

    def test_takes_vectors_from_a_file(self):
        (self.path / "docs.jsonl").write_text(self.jsonl(DOCUMENTS))
        self.ok("embed", self.model, "--document", self.path / "docs.jsonl", "-o", self.path / "docs.npy")
        self.index(DOCUMENTS, "--vectors", self.path / "docs.npy")
        given = self.hits("the dog sat")
        shutil.rmtree(self.store)
        self.index(DOCUMENTS)
        for a, b in zip(given, self.hits("the dog sat")):
            self.assertEqual(a["document"], b["document"])
            self.assertAlmostEqual(a["score"], b["score"], delta=1e-6)

    # ways of searching

    def test_filters(self):
        self.index(DOCUMENTS)
        self.assertEqual(set(self.ids("the dog", "--where", "year=2021")), {"b", 3})
        self.assertEqual(self.ids("the dog", "--where", "year=2021", "--where", "tags=pet"), ["b"])
        self.assertEqual(self.ids("the dog", "--where", "draft=true"), [3])
        self.assertEqual(self.ids("the dog", "--where", "year=1900"), [])
        self.assertEqual(self.ids("the dog", "--where", "id=a"), ["a"])
        self.index([{"id": 1234567890123456788 + i, "text": "the sky"} for i in (0, 1)])
        self.assertEqual(self.ids("the dog", "--where", "id=1234567890123456789"), [1234567890123456789])
        self.assertEqual(set(self.ids("the dog", "--where", "year=2021.0")), {"b", 3})
        self.fails("search", self.store, "the dog", "--where", "yaer=2021", naming=["yaer"])
        self.fails("search", self.store, "the dog", "--where", "year", naming=["key=value"])

    def test_searches_approximately(self):
        if not self.has("hnsw"):
            self.skipTest("built without hnswlib")
        documents = [{"id": i, "text": text} for i, text in enumerate(sentences(2000, 3))]
        self.index(documents, "--hnsw")
        queries = "\n".join(sentences(50, 4))
        (report,) = self.lines("search", self.store, "--recall", "--ef", 200, stdin=queries)
        self.assertEqual(report["queries"], 50)
        self.assertGreater(report["recall@10"], 0.9)
        self.assertLessEqual(report["recall@10"], 1)
        (low,) = self.lines("search", self.store, "--recall", "--ef", 1, stdin=queries)
        self.assertLess(low["recall@10"], report["recall@10"])
        exact = self.hits(documents[7]["text"])
        near = self.hits(documents[7]["text"], "--approximate", "--ef", 200)
        self.assertAlmostEqual(near[0]["score"], exact[0]["score"], delta=1e-5)
        # Deleted documents are not found, later ones are.
        gone = near[0]["document"]["id"]
        self.index([{"id": "late", "text": documents[7]["text"]}], "--delete", gone, model=False)
        ids = self.ids(documents[7]["text"], "--approximate", "--ef", 200)
        self.assertNotIn(gone, ids)
        self.assertIn("late", ids)
        # Most of them deleted: the graph is made anew.
        deletions = [x for i in range(1500) if i != gone for x in ("--delete", i)]
        self.ok("index", self.store, *deletions)
        (report,) = self.lines("search", self.store, "--recall", "--ef", 200, stdin=queries)
        self.assertGreater(report["recall@10"], 0.9)

    def test_searches_words(self):
        if not self.has("bm25"):
            self.skipTest("built without SQLite's FTS5")
        texts = ["Falling rates.", "R\u00c9SUM\u00c9 of the river", 'the "quoted" river bank', "NEAR AND OR NOT", "sky"]
        self.index([{"id": i, "text": text} for i, text in enumerate(texts)], "--bm25")
        self.assertEqual(self.ids("resume", "--mode", "bm25"), [1])
        self.assertEqual(self.ids("River?! bank", "--mode", "bm25"), [2, 1])
        self.assertEqual(set(self.ids("sky/falling,near", "--mode", "bm25")), {0, 3, 4})
        self.assertEqual(set(self.ids('"quoted" OR sky', "--mode", "bm25")), {2, 3, 4})  # "or" is a word
        for odd in ('"', "*", "NEAR(", "text:sky", "^", "( )", "'", "+", " "):
            self.hits(odd, "--mode", "bm25")
        self.assertEqual(self.ids("sky", "--mode", "bm25", "--where", "id=0"), [])
        fused = self.hits("river bank", "--mode", "hybrid")
        self.assertEqual(len(fused), len(texts))
        for hit in fused:
            ranks = [hit[key] for key in ("dense_rank", "bm25_rank") if key in hit]
            self.assertAlmostEqual(hit["score"], sum(1 / (60 + rank) for rank in ranks), delta=1e-7)
        self.assertEqual([h["score"] for h in fused], sorted((h["score"] for h in fused), reverse=True))
        self.index([{"id": 4, "text": "the sea"}], "--delete", 2, model=False)
        self.assertEqual(self.ids("sky", "--mode", "bm25"), [])
        self.assertEqual(self.ids("quoted", "--mode", "bm25"), [])
        self.assertEqual(self.ids("sea", "--mode", "bm25"), [4])

    def test_asks_at_a_terminal(self):
        self.index([{"id": "x", "text": "the dog \u001b[31m sat\u009b"}, {"id": "y", "text": "the cat"}])
        terminal, inner = pty.openpty()
        command = subprocess.Popen([BINARY, "search", str(self.store)], stdin=inner, stdout=inner, stderr=inner)
        os.close(inner)
        os.write(terminal, b"the dog\n\n")
        shown = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # how the end looks on Linux
                break
            if not part:
                break
            shown += part
        os.close(terminal)
        self.assertEqual(command.wait(timeout=60), 0)
        self.assertIn(b"query> ", shown)
        self.assertIn(b'"x"  the dog [31m sat', shown)
        self.assertNotIn(b"\x1b", shown)

    # what goes wrong

    def test_another_model(self):
        self.index(DOCUMENTS)
        other = self.path / "other"
        shutil.copytree(self.model, other)
        self.ok("search", self.store, "the dog", "--model", other)
        config = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
        self.fails("search", self.store, "the dog", "--model", other, naming=["another model", str(other)])
        self.fails("index", self.store, "--model", other, stdin="a", naming=["another model"])
        self.fails("search", self.store, "the dog", "--model", self.path / "nowhere", naming=["nowhere"])
        self.fails("search", self.store, "the dog", "--pooling", "cls", naming=["--pooling", "settled"])
        self.fails("index", self.store, "--measure", "dot", stdin="a", naming=["--measure", "settled"])
        self.fails("search", self.store, "the dog", "--format", "jsonl", naming=["--format"])

    def test_another_model_in_a_folder_of_any_name(self):
        model = self.path / "nested"
        shutil.copytree(self.model, model / "encoder")
        modules = json.loads((self.model / "modules.json").read_text())
        for module in modules:
            module["path"] = f"encoder/{module['path']}"
        (model / "modules.json").write_text(json.dumps(modules))
        self.ok("index", self.store, "--model", model, stdin="the dog")
        weights = bytearray((model / "encoder" / "model.safetensors").read_bytes())
        weights[-2] ^= 1
        (model / "encoder" / "model.safetensors").write_bytes(weights)
        self.fails("search", self.store, "the dog", naming=["another model"])

    def test_wrong_vectors(self):
        vectors = self.path / "v.npy"

        def given(rows, *naming):
            write_npy(vectors, rows)
            options = ("--model", self.model, "--vectors", vectors)
            self.fails("index", self.store, *options, stdin="the dog\nthe cat\n", naming=naming)
            self.assertFalse(self.store.exists())

        (record,) = self.lines("embed", self.model, stdin="the dog")
        row = record["embedding"]
        given([row, row[:-1] + [float("nan")]], "document 1", "NaN")
        given([[float("-inf")] + row[1:], row], "document 0", "infinite")
        given([row], "2 documents", "given 1")
        given([row[:-1], row[:-1]], "dimensions", f"given {len(row) - 1}")
        vectors.write_bytes(b"\x93NUMPY\x01\x00\xff\xff{")
        self.fails("index", self.store, "--model", self.model, "--vectors", vectors, stdin="a", naming=["v.npy"])
        self.index(DOCUMENTS)
        write_npy(vectors, [[1.0, 2.0]])
        self.fails("index", self.store, "--vectors", vectors, stdin="a", naming=["dimensions", "given 2"])
        self.assertEqual(len(self.hits("the dog")), 3)

    def test_wrong_documents(self):
        def refused(documents, *naming):
            self.fails(
                "index", self.store, "--model", self.model, "--format", "jsonl", stdin=self.jsonl(documents), naming=naming
            )
            self.assertFalse(self.store.exists())

        refused([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "document 1", '"a"', "twice")
        refused([{"id": 1.5, "text": "x"}], "document 0", "integer")
        refused([{"id": None, "text": "x"}], "document 0")
        self.index([{"id": "7", "text": "the dog"}, {"id": 7, "text": "the cat"}])
        self.assertEqual(len(self.hits("the dog")), 2)

    def test_what_is_no_store(self):
        self.fails("index", self.store, stdin="a", naming=["--model"])
        self.assertFalse(self.store.exists())
        self.store.mkdir()
        (self.store / "diary.txt").write_text("dear")
        self.fails("index", self.store, "--model", self.model, stdin="a", naming=["diary.txt"])
        self.assertEqual([p.name for p in self.store.iterdir()], ["diary.txt"])
        photos = self.path / "photos"
        (photos / "2023").mkdir(parents=True)
        (photos / "2023" / "a.jpg").write_text("dear")
        self.fails("index", photos, "--model", self.model, stdin="a", naming=["2023"])
        self.ok("index", self.store.with_name("filled"), "--model", self.model, stdin="a")
        for name in ("2", "7"):
            (self.store.with_name("filled") / name).mkdir()
            (self.store.with_name("filled") / name / "a.jpg").write_text("dear")
        run("index", self.store.with_name("filled"), stdin="b")
        for folder in (photos / "2023", self.store.with_name("filled") / "2", self.store.with_name("filled") / "7"):
            self.assertEqual([p.name for p in folder.iterdir()], ["a.jpg"])
        self.fails("index", self.store / "diary.txt", "--model", self.model, stdin="a", naming=["not a folder"])
        self.fails("search", self.path / "nowhere", "the dog", stdin="a", naming=["nowhere"])

    def test_damage(self):
        kinds = [kind for kind in ("hnsw", "bm25") if self.has(kind)]
        self.index(DOCUMENTS, *("--" + kind for kind in kinds))
        ways = {"vectors.f32": (), "documents.jsonl": (), "keys.u64": ()}
        if "hnsw" in kinds:
            ways["graph.hnsw"] = ("--approximate",)
        if "bm25" in kinds:
            ways["bm25.sqlite"] = ("--mode", "bm25")
        for name, options in ways.items():
            file = self.store / "1" / name
            whole = file.read_bytes()
            flipped = bytearray(whole)
            flipped[len(whole) // 2] ^= 4
            for bad in (bytes(flipped), whole[:-1], whole + b"\0", b""):
                file.write_bytes(bad)
                self.fails("search", self.store, "the dog", *options, naming=[name])
            file.unlink()
            self.fails("search", self.store, "the dog", *options, naming=[name])
            file.write_bytes(whole)
        self.assertEqual(len(self.hits("the dog")), 3)
        manifest = self.store / "bert-store.json"
        whole = manifest.read_text()
        for key, value in (
            ("version", 2),
            ("generation", 99),
            ("documents", 2),
            ("documents", 1 << 40),
            ("dimension", 0),
            ("dimension", -1),
            ("measure", "taste"),
            ("files", {}),
            ("files", []),
            ("model", None),
            ("format", "cake"),
        ):
            manifest.write_text(json.dumps({**json.loads(whole), key: value}))
            self.fails("search", self.store, "the dog", naming=[str(self.store)])
        manifest.write_text(whole[:50])
        self.fails("search", self.store, "the dog", naming=["bert-store.json"])

    def test_what_a_store_was_made_without(self):
        self.index(DOCUMENTS)
        self.fails("search", self.store, "the dog", "--mode", "hybrid", naming=["--bm25"])
        self.fails("search", self.store, "the dog", "--approximate", naming=["--hnsw"])
        self.fails("search", self.store, "--recall", stdin="the dog", naming=["--hnsw"])
        self.fails("search", self.store, "the dog", self.path / "docs.jsonl", naming=["store"])

    def test_a_killed_writer_leaves_the_store_as_it_was(self):
        self.index(DOCUMENTS)
        before = self.hits("the dog")
        documents = self.path / "many.jsonl"
        documents.write_text(self.jsonl({"id": f"new {i}", "text": text} for i, text in enumerate(sentences(30000, 5))))
        killed = 0
        for delay in (0.005, 0.02, 0.1, 0.3, 0.6, 1):
            command = subprocess.Popen([BINARY, "index", str(self.store), str(documents)], stderr=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL)
            time.sleep(delay)
            command.kill()
            killed += command.wait() == -9
            found = self.hits("the dog")
            if json.loads((self.store / "bert-store.json").read_text())["generation"] > 1:
                break
            self.assertEqual(found, before)
        self.assertGreater(killed, 0)
        self.index([{"id": "last", "text": "sky"}], model=False)
        self.assertEqual(len(self.generations()), 1)

    def test_one_writer_at_a_time(self):
        import fcntl

        self.index(DOCUMENTS)
        with open(self.store / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.fails("index", self.store, stdin="a", naming=["another process"])
            self.assertEqual(len(self.hits("the dog")), 3)
        # A generation that is being read outlives the change.
        with open(self.store / "1" / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.ok("index", self.store, stdin="a")
            self.assertEqual(self.generations(), ["1", "2"])
        self.ok("index", self.store, stdin="b")
        self.assertEqual(self.generations(), ["3"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
