"""The manual page and the completions: complete, well formed, and installed.

Usage: man_test.py BINARY GOLDEN_FOLDER
"""

import os
import pty
import re
import shutil
import subprocess
import unittest

from cli_case import BINARY, CliCase


class Man(CliCase):
    def commands(self):
        listed = self.ok("--help").split("Subcommands:")[1].split("\n\n")[0]
        return re.findall(r"^  ([a-z-]+) ", listed, re.M)

    def test_the_page_says_what_help_says(self):
        page = self.ok("--man").replace("\\-", "-")
        self.assertTrue(page.startswith(".TH BERT 1\n"))
        commands = self.commands()
        self.assertEqual(re.findall(r"^\.SS bert (.*)$", page, re.M), commands)
        sections = dict(zip(commands, re.split(r"^\.SS .*$", page, flags=re.M)[1:]))
        for command in commands:
            text = self.ok(command, "--help")
            for option in re.findall(r"--[a-z-]+", text):
                self.assertIn(option, sections[command], command)
        self.assertIn("Exit codes: 0 all went well", page)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_the_page_is_well_formed(self):
        result = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=self.ok("--man").encode(), capture_output=True)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout.decode())
        self.assertIn("bert embed all-MiniLM-L6-v2 texts.txt -o vectors.npy", text)
        self.assertIn("{\"text\": ..., \"embedding\": [...]}", re.sub(r"\s+", " ", text))

    def test_every_command_takes_json(self):
        for command in self.commands():
            self.assertIn("--json", self.ok(command, "--help"), command)
        plain = self.ok("classify", "--help")
        self.assertIn("Write JSON", plain)
        out = self.path / "lines.npy"
        self.ok("embed", "--json", self.model, "-o", out, stdin="the dog")
        self.assertTrue(out.read_bytes().startswith(b'{"text"'))
        self.fails("embed", "--json", "--output-format", "npy", self.model, code=2)

    def test_completion_knows_every_command(self):
        script = self.ok("--completion")
        for words, expected in ((["bert", ""], self.commands()), (["bert", "download", "--"], ["--offline", "--json"])):
            command = script + f'COMP_WORDS=({" ".join(map(repr, words))})\nCOMP_CWORD={len(words) - 1}\n_bert\n' + \
                'printf "%s\\n" "${COMPREPLY[@]}"\n'
            found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()
            self.assertLessEqual(set(expected), set(found))

    def test_nothing_is_coloured(self):
        terminal, inner = pty.openpty()
        with os.fdopen(terminal, "rb", 0) as reader:
            for arguments in (["--help"], ["inspect", "--cpu"], ["nonsense"]):
                subprocess.run([BINARY, *arguments], stdout=inner, stderr=inner, env={"TERM": "xterm-256color"})
            os.close(inner)
            text = b""
            try:
                while part := reader.read(4096):
                    text += part
            except OSError:
                pass  # how a terminal ends
        self.assertIn(b"kernels_chosen", text)
        self.assertNotIn(b"\x1b", text)


if __name__ == "__main__":
    unittest.main(argv=["man_test.py"])
