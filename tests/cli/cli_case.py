"""What tests of the command line tool share: running it, and looking at what comes out.

The tests are called with BINARY GOLDEN_FOLDER.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BINARY = sys.argv[1]
GOLDEN = Path(sys.argv[2])


def run(*arguments, stdin=b""):
    if isinstance(stdin, str):
        stdin = stdin.encode()
    environment = {k: v for k, v in os.environ.items() if k != "BERT_KERNELS"}
    return subprocess.run(
        [BINARY, *map(str, arguments)], input=stdin, capture_output=True, timeout=120, env=environment
    )


class CliCase(unittest.TestCase):
    """Has a folder for files, self.path, and a model with prompts, self.model."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.path = Path(cls.temporary.name)
        sentence = GOLDEN / "models" / "sentence"
        cls.model = cls.path / "a model"
        shutil.copytree(sentence / "transformer", cls.model)
        shutil.copytree(sentence / "variants" / "prompts", cls.model, dirs_exist_ok=True)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def ok(self, *arguments, stdin=b""):
        result = run(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.decode()

    def fails(self, *arguments, stdin=b"", naming=(), code=1):
        """Expects that the work fails, or, with code 2, that the command is not understood."""
        result = run(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, code, result)
        self.assertEqual(result.stdout, b"")
        message = result.stderr.decode()
        self.assertRegex(message, r"\Abert: [^\n]+\n\Z")
        for part in naming:
            self.assertIn(part, message)

    def lines(self, *arguments, stdin=b""):
        return [json.loads(line) for line in self.ok(*arguments, stdin=stdin).split("\n") if line]

    def assert_close(self, a, b, tolerance=1e-6):
        self.assertEqual(len(a), len(b))
        for x, y in zip(a, b):
            self.assertAlmostEqual(x, y, delta=tolerance)
