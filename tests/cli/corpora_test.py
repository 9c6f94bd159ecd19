"""Embeds corpora with the command line tool: formats in and out, runs that are killed, changed, or out of space.

Usage: corpora_test.py BINARY GOLDEN_FOLDER
"""

import csv
import fcntl
import io
import json
import os
import pty
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BINARY = sys.argv[1]
GOLDEN = Path(sys.argv[2])
WORDS = "the dog sat on the mat and the cat ran in the end".split()


def read_rows(path):
    """Rows of a .npy or .safetensors file."""
    data = Path(path).read_bytes()
    if data[:6] == b"\x93NUMPY":
        (length,) = struct.unpack("<H", data[8:10])
        start = 10 + length
        assert start % 64 == 0 and data[start - 1 : start] == b"\n"
        rows, columns = eval(data[10:start].decode(), {})["shape"]
    else:
        (length,) = struct.unpack("<Q", data[:8])
        start = 8 + length
        (tensor,) = json.loads(data[8:start]).values()
        rows, columns = tensor["shape"]
        assert tensor["data_offsets"] == [0, rows * columns * 4]
    assert len(data) == start + rows * columns * 4
    return [struct.unpack_from(f"<{columns}f", data, start + i * columns * 4) for i in range(rows)]


class Corpora(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = GOLDEN / "models" / "sentence" / "transformer"

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name)

    def command(self, *arguments):
        return [BINARY, "embed", str(self.model), *map(str, arguments)]

    def run_tool(self, *arguments, stdin=b"", **options):
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, timeout=120, **options)

    def ok(self, *arguments, stdin=b""):
        result = self.run_tool(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def fails(self, code, *arguments, naming=(), stdin=b"", **options):
        result = self.run_tool(*arguments, stdin=stdin, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        message = result.stderr.decode()
        self.assertRegex(message, r"\Abert: [^\n]+\n\Z")
        for part in naming:
            self.assertIn(part, message)
        return result.stdout

    def texts(self, *arguments, stdin=b""):
        return [json.loads(line)["text"] for line in self.ok(*arguments, stdin=stdin).splitlines()]

    def corpus(self, name="corpus.txt", count=30000):
        draw = random.Random(1)
        path = self.path / name
        with open(path, "w") as file:
            for _ in range(count):
                file.write(" ".join(draw.choices(WORDS, k=draw.randint(0, 30))) + "\n")
        return path

    def leftovers(self):
        return sorted(p.name for p in self.path.iterdir() if ".part" in p.name or ".state" in p.name)

    # formats

    def test_reads_csv(self):
        rows = [["id", "body"], ["1", "the dog"], ["2", 'say "the\r\ncat", twice'], ["3", ""], ["4", "the \u00e9nd"]]
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        (self.path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
        records = [json.loads(r) for r in self.ok("--column", "body", self.path / "a.csv").splitlines()]
        self.assertEqual([[r["id"], r["body"]] for r in records], rows[1:])
        by_lines = [json.loads(r) for r in self.ok(stdin="the dog\n").splitlines()]
        self.assertEqual(records[0]["embedding"], by_lines[0]["embedding"])
        piped = self.ok("--format", "csv", "--column", "body", "-", stdin=text.getvalue())
        self.assertEqual(len(piped.splitlines()), 4)

    def test_reads_tsv(self):
        (self.path / "a.tsv").write_text('id\ttext\n1\t"the dog\n\n2\tthe "cat"\n3\t\n')
        self.assertEqual(self.texts(self.path / "a.tsv"), ['"the dog', 'the "cat"', ""])

    def test_names_what_is_wrong_in_tables(self):
        bad = self.path / "bad.csv"
        bad.write_text("id,body\n1,a\n")
        self.fails(1, bad, naming=['"text"', '"id", "body"', "bad.csv:1"])
        bad.write_text('text,id\n"a\nb",1\nc\n')
        self.fails(1, bad, naming=["bad.csv:4", "expected 2 columns, given 1"])
        bad.write_text('text\na\n"b\nc\n')
        self.fails(1, bad, naming=["bad.csv:3", "quote"])
        bad.write_text("")
        self.fails(1, bad, naming=["bad.csv", "empty"])
        self.fails(1, self.path, naming=[str(self.path), "folder"])
        bad.write_text("id,text,text\n1,a,b\n")
        self.fails(1, bad, naming=["bad.csv:1", 'two columns "text"'])
        bad.write_text("text,,\na,,\n")  # as spreadsheets fill up rows
        self.ok(bad)

    def test_other_commands_read_the_same(self):
        (self.path / "a.csv").write_text('n,text\n1,"the dog"\n')
        for command in (["tokenize", self.model, "--ids-only"], ["summarize", self.model], ["keywords", self.model]):
            run = lambda *rest: subprocess.run(
                [BINARY, *map(str, command), *map(str, rest)], capture_output=True, input=b"the dog", timeout=60
            )
            table, plain = run(self.path / "a.csv"), run("--format", "lines")
            self.assertEqual(table.returncode, 0, table.stderr)
            if command[0] != "tokenize":
                table, plain = json.loads(table.stdout), json.loads(plain.stdout)
                self.assertEqual(table.pop("n"), "1")
                self.assertEqual(table, plain)
            else:
                self.assertEqual(table.stdout, plain.stdout)

    def test_writes_the_same_numbers_in_every_format(self):
        stdin = 'the dog\n\nthe "cat", twice\n'
        jsonl = self.ok("-o", self.path / "a.jsonl", stdin=stdin)
        self.assertEqual(jsonl, b"")
        expected = [json.loads(line) for line in (self.path / "a.jsonl").read_text().splitlines()]
        floats = [struct.unpack("<24f", struct.pack("<24f", *r["embedding"])) for r in expected]
        for name in ("a.npy", "a.safetensors", "a.csv"):
            self.ok("-o", self.path / name, stdin=stdin)
        self.ok("--output-format", "npy", "-o", self.path / "vectors", stdin=stdin)
        for name in ("a.npy", "a.safetensors", "vectors"):
            self.assertEqual(read_rows(self.path / name), floats)
        with open(self.path / "a.csv", newline="") as file:
            header, *rows = csv.reader(file)
        self.assertEqual(header, ["text"] + [f"dim_{i}" for i in range(24)])
        self.assertEqual([row[0] for row in rows], [r["text"] for r in expected])
        self.assertEqual([[float(x) for x in row[1:]] for row in rows], [r["embedding"] for r in expected])
        self.assertEqual(self.leftovers(), [])
        self.fails(2, "--output-format", "npy", stdin=stdin, naming=["needs a file"])
        for name in ("none.npy", "none.safetensors"):
            self.ok("-o", self.path / name)
            self.assertEqual(read_rows(self.path / name), [])

    def test_order_and_bits_do_not_depend_on_company(self):
        corpus = self.corpus(count=5000)
        self.ok(corpus, "-o", self.path / "all.npy")
        rows = read_rows(self.path / "all.npy")
        lines = corpus.read_text().splitlines()
        self.assertEqual(len(rows), len(lines))
        for i in random.Random(2).sample(range(5000), 5):
            (alone,) = map(json.loads, self.ok(stdin=lines[i] + "\n").splitlines())
            self.assertEqual(struct.unpack("<24f", struct.pack("<24f", *alone["embedding"])), rows[i])

    # records that cannot be read

    def test_bad_records(self):
        bad = self.path / "bad.jsonl"
        bad.write_text('{"text": "the dog"}\n{"text": \n{"text": 3}\n' + "[" * 100000 + '\n{"text": "the cat"}\n')
        out = self.fails(1, bad, naming=["bad.jsonl:2"])
        self.assertEqual([json.loads(line)["text"] for line in out.splitlines()], ["the dog"])
        result = self.run_tool(bad, "--on-error", "skip")
        self.assertEqual(result.returncode, 0)
        self.assertEqual([json.loads(r)["text"] for r in result.stdout.splitlines()], ["the dog", "the cat"])
        notes = result.stderr.decode().splitlines()
        for note, place in zip(notes, ("bad.jsonl:2", "bad.jsonl:3", "bad.jsonl:4", "3 records skipped")):
            self.assertIn(place, note)
        self.fails(2, bad, "--on-error", "maybe")

    def test_long_texts_are_named_by_line(self):
        corpus = self.path / "long.txt"
        corpus.write_text("the dog\n" + "the cat " * 50 + "\nthe end\n")
        self.fails(1, corpus, "--long-text", "error", naming=["long.txt:2", "40 tokens"])
        result = self.run_tool(corpus, "--long-text", "error", "--on-error", "skip")
        self.assertEqual(len(result.stdout.splitlines()), 2)
        self.assertIn(b"1 record skipped", result.stderr)

    def test_a_mended_corpus_goes_on(self):
        bad = self.path / "bad.jsonl"
        good = ['{"text": "the dog"}\n'] * 3000 + ['{"text": "the cat"}\n']
        bad.write_text("".join(good[:-1]) + "broken\n")
        out = self.path / "out.npy"
        self.fails(1, bad, "-o", out, naming=["bad.jsonl:3001"])
        self.assertEqual(json.loads((self.path / "out.npy.state").read_text())["rows"], 3000)
        self.assertFalse(out.exists())
        bad.write_text("".join(good))
        self.ok(bad, "-o", out)
        self.ok(bad, "-o", self.path / "fresh.npy")
        self.assertEqual(out.read_bytes(), (self.path / "fresh.npy").read_bytes())

    # overwriting and resuming

    def test_overwrites_on_demand_only(self):
        out = self.path / "kept.npy"
        out.write_bytes(b"old")
        self.fails(2, "-o", out, stdin="the dog", naming=["kept.npy", "--force"])
        self.assertEqual(out.read_bytes(), b"old")
        self.fails(1, self.path / "absent.txt", "-o", out, "--force", naming=["absent.txt"])
        self.assertEqual(out.read_bytes(), b"old")
        self.ok("-o", out, "--force", stdin="the dog")
        self.assertEqual(len(read_rows(out)), 1)
        self.assertEqual(self.leftovers(), [])

    def test_takes_no_file_of_others(self):
        part = self.path / "new.npy.part"
        part.write_bytes(b"mine")
        self.fails(2, "-o", self.path / "new.npy", stdin="the dog", naming=["new.npy.part", "--force"])
        self.fails(2, part, "-o", self.path / "new.npy", naming=["new.npy.part", "--force"])
        self.assertEqual(part.read_bytes(), b"mine")
        out = self.path / "late.npy"
        process = subprocess.Popen(self.command("-o", out), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        while not Path(str(out) + ".state").exists() and process.poll() is None:
            time.sleep(0.005)
        out.write_bytes(b"mine")
        message = process.communicate(b"the dog\n", timeout=60)[1]
        self.assertEqual((process.returncode, out.read_bytes()), (2, b"mine"), message)
        self.assertIn(b"late.npy", message)
        out.unlink()
        self.ok("-o", out, stdin="the dog\n")
        self.assertEqual(len(read_rows(out)), 1)

    def saved(self, state):
        """When a state was written, and the rows it counts."""
        try:
            return state.stat().st_mtime_ns, json.loads(state.read_text())["rows"]
        except FileNotFoundError:
            return 0, 0

    def wait_until_saved(self, process, state):
        """Waits until a run that was just started has saved rows, or has ended."""
        now = before = self.saved(state)
        while process.poll() is None and (now == before or now[1] == 0):
            time.sleep(0.005)
            now = self.saved(state)

    def interrupted(self, corpus, out, signal_number=signal.SIGINT, *arguments):
        """Ends a run after its first rows were saved, and returns its code and the saved state."""
        state = Path(str(out) + ".state")
        process = subprocess.Popen(self.command(corpus, "-o", out, *arguments), stderr=subprocess.PIPE)
        self.wait_until_saved(process, state)
        process.send_signal(signal_number)
        message = process.communicate()[1].decode()
        return process.returncode, message, json.loads(state.read_text())

    def test_notices_what_changed(self):
        corpus, out = self.corpus(count=60000), self.path / "out.npy"
        code, _, state = self.interrupted(corpus, out)
        self.assertEqual(code, 130)
        before = (self.path / "out.npy.part").read_bytes()
        self.fails(2, corpus, "-o", out, "--pooling", "cls", naming=["out.npy.state", "pooling", "--force"])
        self.fails(2, corpus, "-o", out, "--query", naming=["prompt"])
        self.fails(2, corpus, "-o", out, "--max-length", 9, naming=["max length"])
        original, text = self.model, corpus.read_bytes()
        self.model = self.path / "model"
        shutil.copytree(original, self.model)
        weights = bytearray((self.model / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (self.model / "model.safetensors").write_bytes(weights)
        self.fails(2, corpus, "-o", out, naming=["model"])
        self.model = original
        for changed in (b"x" + text[1:], text[:10] + b"\n" + text[11:], text[:100]):
            corpus.write_bytes(changed)
            self.fails(2, corpus, "-o", out, naming=["out.npy.state", "input", "--force"])
        corpus.write_bytes(text)
        self.assertEqual((self.path / "out.npy.part").read_bytes(), before)
        (self.path / "out.npy.state").write_text("{")
        self.fails(2, corpus, "-o", out, naming=["out.npy.state", "damaged"])
        (self.path / "out.npy.state").write_text(json.dumps(state))
        os.truncate(self.path / "out.npy.part", 200)
        self.fails(2, corpus, "-o", out, naming=["out.npy.part", "shorter"])
        self.ok(corpus, "-o", out, "--force")
        self.ok(corpus, "-o", self.path / "fresh.npy")
        self.assertEqual(out.read_bytes(), (self.path / "fresh.npy").read_bytes())

    def test_ctrl_c_leaves_whole_records(self):
        corpus, out = self.corpus(count=60000), self.path / "out.jsonl"
        for number in (signal.SIGINT, signal.SIGTERM):
            code, message, state = self.interrupted(corpus, out, number)
            self.assertEqual(code, 130, message)
            self.assertRegex(message, r"\Abert: interrupted after \d+ texts; [^\n]+\n\Z")
            part = (self.path / "out.jsonl.part").read_bytes()
            self.assertEqual(len(part), state["bytes"])
            self.assertEqual(part.count(b"\n"), state["rows"])
            self.assertEqual(json.loads(part.splitlines()[-1])["text"], corpus.read_text().splitlines()[state["rows"] - 1])
        self.ok(corpus, "-o", out)
        self.ok(corpus, "-o", self.path / "fresh.jsonl")
        self.assertEqual(out.read_bytes(), (self.path / "fresh.jsonl").read_bytes())

    def test_ctrl_c_while_waiting_for_input(self):
        process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(30), (130, -signal.SIGINT))  # the latter before the model is loaded
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def test_goes_on_after_kills_at_random_times(self):
        corpus = self.corpus(count=60000)
        begin = time.time()
        self.ok(corpus, "-o", self.path / "whole.npy")
        whole = time.time() - begin
        seed = random.randrange(1 << 30)
        draw = random.Random(seed)
        out, state = self.path / "killed.npy", self.path / "killed.npy.state"
        saved = [0]
        for attempt in range(12):
            process = subprocess.Popen(self.command(corpus, "-o", out), stderr=subprocess.DEVNULL)
            if attempt % 2 == 0:  # for there to be something to go on from, however fast or busy the machine is
                self.wait_until_saved(process, state)
            time.sleep(draw.uniform(0, 0.1) * whole)
            process.kill()
            process.wait()
            if out.exists():
                break
            saved.append(self.saved(state)[1])
            self.assertGreaterEqual(saved[-1], saved[-2], f"seed {seed}")
        self.assertGreater(max(saved), 0, f"seed {seed}")
        if state.exists() or not out.exists():
            self.ok(corpus, "-o", out)
        self.assertEqual(out.read_bytes(), (self.path / "whole.npy").read_bytes(), f"seed {seed}")
        self.assertEqual(self.leftovers(), [])

    def test_finishes_what_has_its_name_but_not_yet_its_end(self):
        corpus, out = self.path / "corpus.jsonl", self.path / "out.npy"
        good = '{"text": "the dog"}\n' * 10
        corpus.write_text(good + "broken\n")
        self.fails(1, corpus, "-o", out)
        corpus.write_text(good)
        # As a run leaves it that is killed after it renamed the file and before it removed the state.
        (self.path / "out.npy.part").rename(out)
        self.ok(corpus, "-o", out)
        self.ok(corpus, "-o", self.path / "fresh.npy")
        self.assertEqual(out.read_bytes(), (self.path / "fresh.npy").read_bytes())
        self.assertEqual(self.leftovers(), [])

    def test_an_unfinished_run_does_not_hide_a_file(self):
        corpus, out = self.corpus(count=60000), self.path / "out.npy"
        self.interrupted(corpus, out)
        out.write_bytes(b"old")
        self.fails(2, corpus, "-o", out, naming=["exists"])
        self.assertEqual(out.read_bytes(), b"old")
        self.interrupted(corpus, out, signal.SIGINT, "--force")
        self.ok(corpus, "-o", out)  # what was forced once goes on
        self.assertEqual(len(read_rows(out)), 60000)

    def test_one_run_at_a_time(self):
        corpus, out = self.corpus(count=60000), self.path / "out.npy"
        code, _, _ = self.interrupted(corpus, out)
        with open(self.path / "out.npy.part", "r+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            self.fails(2, corpus, "-o", out, naming=["out.npy.part", "another run"])
        self.ok(corpus, "-o", out)

    # where output goes

    def test_full_disks(self):
        self.assertTrue(Path("/dev/full").is_char_device())
        with open("/dev/full", "wb") as full:
            for arguments in (["embed", self.model], ["tokenize", self.model], ["--help"], ["--version"]):
                result = subprocess.run(
                    [BINARY, *map(str, arguments)], input=b"the dog\n" * 3000, stdout=full, stderr=subprocess.PIPE
                )
                self.assertEqual(result.returncode, 1, arguments)
                self.assertRegex(result.stderr, rb"\Abert: [^\n]*standard output[^\n]*\n\Z")
        self.fails(1, "-o", "/dev/full", stdin="the dog\n", naming=["/dev/full", "No space"])
        self.assertTrue(Path("/dev/full").is_char_device())
        self.ok("-o", "/dev/null", stdin="the dog\n")
        self.assertTrue(Path("/dev/null").is_char_device())

    def test_goes_on_when_there_is_space_again(self):
        corpus, out = self.corpus(count=20000), self.path / "out.npy"

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        self.fails(1, corpus, "-o", out, naming=["out.npy.part", "could not be written"], preexec_fn=limit)
        self.assertFalse(out.exists())
        self.ok(corpus, "-o", out)
        self.ok(corpus, "-o", self.path / "fresh.npy")
        self.assertEqual(out.read_bytes(), (self.path / "fresh.npy").read_bytes())

    def test_closed_pipes(self):
        process = subprocess.Popen(
            self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        process.stdin.write(b"the dog\n" * 2048)  # a window, with no end of input behind it
        process.stdin.flush()
        self.assertRegex(process.stderr.read(), rb"\Abert: [^\n]*standard output[^\n]*\n\Z")
        self.assertEqual(process.wait(60), 1)
        process.stderr.close()
        process.stdin.close()

    def test_completes_in_bash(self):
        script = subprocess.run([BINARY, "--completion"], capture_output=True, text=True, check=True).stdout
        script += 'COMP_WORDS=(bert "$@"); COMP_CWORD=$#; _bert; echo "${COMPREPLY[*]}"'

        def complete(*words):
            return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True).stdout.split()

        self.assertEqual(complete("emb"), ["embed", "embed-sparse"])
        self.assertEqual(complete("embed", "--output"), ["--output", "--output-format"])
        self.assertEqual(complete("embed", "some_file"), [])

    def test_progress_is_for_terminals(self):
        corpus = self.corpus(count=5000)
        self.assertEqual(self.run_tool(corpus, "-o", self.path / "a.npy", "--long-text", "windows").stderr, b"")
        master, slave = pty.openpty()
        process = subprocess.Popen(self.command(corpus, "-o", self.path / "b.npy"), stderr=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(master)
        self.assertEqual(process.wait(), 0)
        self.assertRegex(shown, rb"\r100% \[#{24}\] 5000 texts, \d+/s, 0:00:00 left")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
