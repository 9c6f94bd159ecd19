"""bert download against a server that answers as the hub does, whole and broken.

Usage: download_test.py BINARY GOLDEN_FOLDER
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from cli_case import BINARY, GOLDEN
from fake_hub import COMMIT, FakeHub, hash_of

SETTINGS = ("HF_", "XDG_CACHE_HOME", "HUGGINGFACE_", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


class Download(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.path = Path(self.temporary.name)
        self.home = self.path / "home"
        self.cache = self.path / "hf" / "hub"
        self.files = self.path / "files"
        sentence = GOLDEN / "models" / "sentence"
        shutil.copytree(sentence / "transformer", self.files)
        shutil.copytree(sentence / "variants" / "dense_tanh", self.files, dirs_exist_ok=True)
        (self.files / "README.md").write_text("not needed")
        (self.files / "onnx").mkdir()
        (self.files / "onnx" / "config.json").write_text("{}")
        self.hub = FakeHub(self.files)
        self.addCleanup(self.hub.stop)
        self.folder = self.cache / "models--owner--model"
        self.snapshot = self.folder / "snapshots" / COMMIT
        self.weights = self.folder / "blobs" / hash_of(self.files / "model.safetensors")
        self.size = (self.files / "model.safetensors").stat().st_size

    def environment(self, **settings):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS) and k != "BERT_KERNELS"}
        given = {"HOME": self.home, "HF_ENDPOINT": self.hub.endpoint, "HF_HOME": self.path / "hf", **settings}
        return {**kept, **{k: str(v) for k, v in given.items() if v is not None}}

    def bert(self, *arguments, stdin=None, **settings):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=100, text=True, input=stdin,
                              env=self.environment(**settings))

    def ok(self, *arguments, **settings):
        result = self.bert(*arguments, **settings)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def fails(self, *arguments, naming=(), code=1, **settings):
        result = self.bert(*arguments, **settings)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        self.assertRegex(result.stderr, r"\Abert: [^\n]+\n\Z")
        for part in naming:
            self.assertIn(part, result.stderr)

    def assert_whole(self):
        """Each needed file is there with its bytes, and nothing else."""
        found = {p.relative_to(self.snapshot).as_posix() for p in self.snapshot.rglob("*") if not p.is_dir()}
        every = {p.relative_to(self.files).as_posix() for p in self.files.rglob("*") if p.is_file()}
        self.assertEqual(found, every - {"README.md", "onnx/config.json"})
        for name in found:
            self.assertEqual((self.snapshot / name).read_bytes(), (self.files / name).read_bytes(), name)
        self.assertEqual(list(self.folder.rglob("*.incomplete")), [])

    def assert_unseen(self):
        """Nothing that is not whole looks like a model, to us or to the hub's Python client."""
        self.assertFalse((self.folder / "refs" / "main").exists())
        self.assertFalse((self.snapshot / "model.safetensors").exists())
        self.fails("download", "--offline", "owner/model")
        for blob in self.folder.glob("blobs/*"):
            if blob.suffix != ".incomplete":
                self.assertIn(blob.name, [hash_of(p) for p in self.files.rglob("*") if p.is_file()])

    def test_a_model(self):
        self.assertEqual(self.ok("download", "owner/model"), f"{self.snapshot}\n")
        self.assert_whole()
        # The layout of the hub's Python client.
        self.assertEqual((self.folder / "refs" / "main").read_text(), COMMIT)
        self.assertEqual(os.readlink(self.snapshot / "model.safetensors"), f"../../blobs/{self.weights.name}")
        self.assertEqual(os.readlink(self.snapshot / "1_Pooling" / "config.json"),
                         "../../../blobs/" + hash_of(self.files / "1_Pooling" / "config.json"))
        # The name stands for the folder from now on.
        expected = self.ok("embed", self.files, stdin="the dog")
        self.assertEqual(self.ok("embed", "owner/model", stdin="the dog"), expected)
        self.assertEqual(self.ok("inspect", "--json", "owner/model"), self.ok("inspect", "--json", self.files))
        self.assertTrue(self.ok("tokenize", "owner/model", stdin="the dog"))
        self.assertIn('"corpus_id":0', self.ok("search", "owner/model", "-q", "dog", stdin="the dog"))
        self.assertIn('"point":', self.ok("plot", "owner/model", "--json", stdin="the dog\nthe cat"))
        self.ok("index", self.path / "store", "--model", "owner/model", stdin='{"id": 1, "text": "the dog"}')
        self.assertIn("the dog", self.ok("search", self.path / "store", "-q", "dog"))

    def test_what_is_there_is_not_fetched_again(self):
        self.ok("download", "owner/model")
        self.hub.requests.clear()
        record = json.loads(self.ok("download", "--json", "owner/model"))
        self.assertEqual(record, {"model": "owner/model", "commit": COMMIT, "folder": str(self.snapshot)})
        self.assertEqual([path for path, _ in self.hub.gets("hub")], ["/api/models/owner/model/revision/main"])
        self.assertEqual(self.hub.gets(), [])

    def test_offline(self):
        self.fails("download", "--offline", "owner/model", naming=["owner/model", "not in"])
        self.ok("download", "owner/model")
        self.hub.requests.clear()
        for settings in ({}, {"HF_HUB_OFFLINE": "1"}):
            flag = [] if settings else ["--offline"]
            self.assertEqual(self.ok("download", "owner/model", *flag, **settings), f"{self.snapshot}\n")
            self.fails("download", "owner/other", *flag, **settings)
            self.fails("download", "owner/model", "--revision", "v2", *flag, **settings, naming=["v2"])
        self.assertEqual(self.hub.requests, [])

    def test_where_the_cache_is(self):
        for settings, cache in (
            ({"HF_HUB_CACHE": self.path / "a"}, self.path / "a"),
            ({"HF_HOME": "~/b"}, self.home / "b" / "hub"),
            ({"HF_HOME": None, "XDG_CACHE_HOME": self.path / "c"}, self.path / "c" / "huggingface" / "hub"),
            ({"HF_HOME": None}, self.home / ".cache" / "huggingface" / "hub"),
        ):
            folder = cache / "models--owner--model" / "snapshots" / COMMIT
            self.assertEqual(self.ok("download", "owner/model", **settings), f"{folder}\n")
            self.assertTrue((folder / "model.safetensors").exists())

    def test_revisions(self):
        self.ok("download", "owner/model", "--revision", "refs/pr/1")
        self.assertEqual((self.folder / "refs" / "refs" / "pr" / "1").read_text(), COMMIT)
        self.assertFalse((self.folder / "refs" / "main").exists())
        self.assertEqual(self.ok("download", "owner/model", "--revision", COMMIT), f"{self.snapshot}\n")
        self.assertEqual(self.ok("download", "--offline", "owner/model", "--revision", COMMIT), f"{self.snapshot}\n")
        self.fails("download", "owner/model", "--revision", "v9", naming=["owner/model", "v9"])

    def test_refused_names(self):
        for name in ("../model", "owner/..", "/etc", "owner/a/b", "own er/model", "owner/mo%2fdel", "owner/model.git",
                     "-owner/model", "owner/", "", "owner/a--b", "owner/m\u00f6del", "a" * 97):
            self.fails("download", "--", name, code=2)
        for revision in ("../main", "a//b", "/main", "main/", "a b", ".git", "", "refs/../../x", "a\\b"):
            self.fails("download", "owner/model", f"--revision={revision}", code=2)
        self.assertEqual(self.hub.requests, [])
        self.assertFalse(self.cache.exists())

    def test_files_outside_are_not_written(self):
        self.hub.listed = ["../config.json", "/config.json", "x/../../config.json"]
        self.ok("download", "owner/model")
        self.assert_whole()
        modules = json.loads((self.files / "modules.json").read_text())
        for path in ("..", "../x", "/etc", "a/../../b", 7, None):
            shutil.rmtree(self.folder)
            (self.files / "modules.json").write_text(json.dumps([*modules, {"path": path}]))
            self.fails("download", "owner/model", naming=["modules.json"])
        (self.files / "modules.json").write_text("{")
        self.fails("download", "owner/model", naming=["modules.json"])

    def test_a_connection_that_breaks(self):
        self.hub.cuts = [1000, 5000, 0]
        self.ok("download", "owner/model")
        self.assert_whole()
        dense = [headers.get("Range") for path, headers in self.hub.gets() if path.startswith("/2_Dense")]
        whole = [headers.get("Range") for path, headers in self.hub.gets() if path == "/model.safetensors"]
        self.assertIn("bytes=1000-", dense + whole)

    def test_a_server_that_keeps_breaking(self):
        self.hub.cuts = [1000] + [0] * 4
        shutil.rmtree(self.files / "2_Dense")
        shutil.copytree(GOLDEN / "models" / "sentence" / "variants" / "prompts", self.files, dirs_exist_ok=True)
        self.fails("download", "owner/model", naming=["model.safetensors"])
        self.assert_unseen()
        self.assertEqual(Path(f"{self.weights}.incomplete").stat().st_size, 1000)
        # The next run goes on from there.
        self.hub.cuts = []
        self.hub.requests.clear()
        self.ok("download", "owner/model")
        self.assertEqual([headers.get("Range") for _, headers in self.hub.gets()], ["bytes=1000-"])
        self.assertEqual(self.weights.stat().st_size, self.size)

    def begin_with(self, data):
        self.weights.parent.mkdir(parents=True)
        Path(f"{self.weights}.incomplete").write_bytes(data)

    def test_what_was_begun_is_finished(self):
        data = (self.files / "model.safetensors").read_bytes()
        for begun, ranges in ((data[:777], True), (data[:777], False), (data, True), (data + b"x", True)):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.begin_with(begun)
            self.hub.ranges = ranges
            self.ok("download", "owner/model")
            self.assert_whole()

    def test_a_begin_that_is_damaged_is_not_kept(self):
        for size in (777, self.size):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.begin_with(b"x" * size)
            self.ok("download", "owner/model")
            self.assert_whole()

    def test_a_range_other_than_asked_for(self):
        self.begin_with((self.files / "model.safetensors").read_bytes()[:777])
        self.hub.range_shift = 5
        self.fails("download", "owner/model", naming=["777", "782"])
        self.assert_unseen()

    def test_damage_in_transit(self):
        for name in ("model.safetensors", "config.json"):
            wrong = "0" * len(hash_of(self.files / name))
            self.hub.etags = {name: wrong}
            self.fails("download", "owner/model", naming=[name, wrong, "damaged"])
            self.assertFalse((self.folder / "blobs" / wrong).exists())
            self.assert_unseen()
            shutil.rmtree(self.folder)
        self.hub.etags = {}
        self.hub.extra = b"more"
        self.fails("download", "owner/model", naming=["more than"])
        self.assert_unseen()

    def test_a_hash_that_is_none(self):
        for etag in ("", "abc", "../" * 10 + "x" * 10, "G" * 40):
            self.hub.etags = {"config.json": etag}
            self.fails("download", "owner/model", naming=["config.json", "hash"])
        self.assert_unseen()

    def test_models_that_are_refused(self):
        self.fails("download", "owner/other", naming=["owner/other", "no model", "HF_TOKEN"])
        self.hub.token = "secret"
        self.fails("download", "owner/model", naming=["no model", "HF_TOKEN"])
        self.fails("download", "owner/model", HF_TOKEN="wrong", naming=["token given has no access"])
        self.hub.refusal = "GatedRepo"
        self.fails("download", "owner/model", naming=["gated", self.hub.endpoint + "/owner/model", "HF_TOKEN"])

    def test_the_token_goes_to_the_hub_alone(self):
        self.hub.token = "secret"
        self.ok("download", "owner/model", HF_TOKEN="secret")
        self.assertTrue(self.hub.gets())
        for _, headers in self.hub.gets():
            self.assertNotIn("Authorization", headers)
        shutil.rmtree(self.folder)
        (self.path / "hf" / "token").write_text("secret\n")
        self.ok("download", "owner/model")
        shutil.rmtree(self.folder)
        self.fails("download", "owner/model", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")

    def test_a_server_that_is_busy(self):
        self.hub.statuses = [(503, {}), (429, {})]
        self.ok("download", "owner/model")
        self.assert_whole()
        self.hub.statuses = [(403, {"X_Error_Message": "not from here"})]
        self.fails("download", "owner/model", naming=["403", "not from here"])

    def test_answers_that_are_no_hub(self):
        self.hub.statuses = [(200, {})]
        self.fails("download", "owner/model", naming=["expected a JSON object"])

    def test_no_server(self):
        self.hub.stop()
        self.fails("download", "owner/model", naming=[self.hub.endpoint])

    def test_a_model_that_was_renamed(self):
        self.hub.names = "owner/model", "owner/new"
        self.ok("download", "owner/model")
        self.assert_whole()

    def test_models_without_modules(self):
        for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
            (self.files / name).unlink()
        for name in ("1_Pooling", "2_Dense", "3_Normalize"):
            shutil.rmtree(self.files / name)
        self.ok("download", "owner/model")
        self.assert_whole()
        self.assertTrue((self.folder / ".no_exist" / COMMIT / "modules.json").exists())
        self.assertEqual(self.ok("embed", "owner/model", stdin="a"), self.ok("embed", self.files, stdin="a"))
        # Another client may have fetched single files: then it is unknown what the model is.
        (self.folder / ".no_exist" / COMMIT / "modules.json").unlink()
        self.fails("embed", "owner/model", stdin="a", naming=["modules.json", "bert download"])
        (self.snapshot / "model.safetensors").unlink()
        self.fails("embed", "owner/model", stdin="a", naming=["no weights", "bert download"])

    def test_shards(self):
        (self.files / "model.safetensors").rename(self.files / "model-00001-of-00001.safetensors")
        weights = {"weight_map": {"embeddings.word_embeddings.weight": "model-00001-of-00001.safetensors"}}
        (self.files / "model.safetensors.index.json").write_text(json.dumps(weights))
        self.ok("download", "owner/model")
        self.assert_whole()

    def test_models_without_safetensors(self):
        (self.files / "model.safetensors").rename(self.files / "pytorch_model.bin")
        shutil.rmtree(self.files / "2_Dense")
        self.fails("download", "owner/model", naming=["owner/model", "safetensors", "from_checkpoint.py"])

    def test_interruption(self):
        self.hub.cuts = [100] * 20  # with the waits between, longer than this takes
        with subprocess.Popen([BINARY, "download", "owner/model"], env=self.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            while not self.hub.gets():
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.communicate(timeout=20), (b"", b""))
            self.assertEqual(process.returncode, 130)
        self.hub.cuts = []
        self.assert_unseen()
        self.ok("download", "owner/model")
        self.assert_whole()

    def test_two_at_once(self):
        self.hub.cuts = [1000]
        processes = [subprocess.Popen([BINARY, "download", "owner/model"], env=self.environment(), stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) for _ in range(4)]
        for process in processes:
            self.assertEqual(process.communicate(timeout=60), (f"{self.snapshot}\n".encode(), b""))
        self.assert_whole()

    def test_a_cache_that_cannot_be_written(self):
        (self.path / "file").write_text("")
        self.fails("download", "owner/model", HF_HUB_CACHE=self.path / "file", naming=["file"])


if __name__ == "__main__":
    help_text = subprocess.run([BINARY, "download", "a/b"], capture_output=True, text=True,
                               env={"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": "/nonexistent"}).stderr
    if "without libcurl" in help_text:
        print("skipped: bert was built without libcurl")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
