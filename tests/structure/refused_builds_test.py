"""Builds that cannot work are refused with a message that says why, and the usual ones are not.

Usage: refused_builds_test.py COMPILER INCLUDE_FOLDER
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMPILER, INCLUDE = sys.argv[1:3]


def compile_with(*flags):
    """Exit code and messages. Only the header that all others include first is compiled: it needs no others."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.cpp"
        source.write_text("#include <bert/config.hpp>\n")
        command = [COMPILER, "-std=c++17", "-fsyntax-only", f"-I{INCLUDE}", *flags, source]
        result = subprocess.run(command, capture_output=True, text=True)
        return result.returncode, result.stderr


def understands(*flags):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.cpp"
        source.write_text("")
        return subprocess.run([COMPILER, "-fsyntax-only", *flags, source], capture_output=True).returncode == 0


class RefusedBuilds(unittest.TestCase):
    def expect_refused(self, message, *flags):
        if not understands(*flags):
            self.skipTest(f"the compiler does not know {flags}")
        code, errors = compile_with(*flags)
        self.assertNotEqual(code, 0)
        self.assertIn(message, errors)
        self.assertIn("#error", errors)

    def test_usual_builds_pass(self):
        for flags in [["-O0"], ["-O3"], ["-O2", "-march=native"], ["-std=c++20"], ["-fno-rtti"], ["-fno-math-errno"]]:
            with self.subTest(flags=flags):
                self.assertEqual(compile_with(*flags)[0], 0)

    def test_older_language(self):
        self.expect_refused("needs C++17", "-std=c++14")

    def test_no_exceptions(self):
        self.expect_refused("compile without -fno-exceptions", "-fno-exceptions")

    def test_fast_math(self):
        for flag in ["-ffast-math", "-Ofast", "-ffinite-math-only"]:
            with self.subTest(flag=flag):
                self.expect_refused("needs IEEE arithmetic", flag)

    def test_reordered_sums(self):
        program = """#include <bert/core/ieee_arithmetic.hpp>
            #include <cstdio>
            int main() {
                try {
                    bert::detail::require_ieee_arithmetic();
                } catch (const bert::Error& error) {
                    std::puts(error.what());
                    return 3;
                }
            }"""
        reordering = [
            ["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"],
            ["-funsafe-math-optimizations"],
            ["-ffast-math", "-fno-finite-math-only"],
        ]
        for flags in [[], *reordering]:
            with self.subTest(flags=flags), tempfile.TemporaryDirectory() as folder:
                source, binary = Path(folder, "source.cpp"), Path(folder, "binary")
                source.write_text(program)
                command = [COMPILER, "-std=c++17", "-O2", f"-I{INCLUDE}", *flags, source, "-o", binary]
                built = subprocess.run(command, capture_output=True, text=True)
                if flags and built.returncode != 0:
                    self.assertIn("#error", built.stderr)
                    self.assertIn("needs IEEE arithmetic", built.stderr)
                    continue
                self.assertEqual(built.returncode, 0, built.stderr)
                # clang does not tell the preprocessor that it reorders sums.
                ran = subprocess.run([binary], capture_output=True, text=True)
                self.assertEqual(ran.returncode, 3 if flags else 0)
                self.assertEqual("needs IEEE arithmetic" in ran.stdout, bool(flags))

    def test_32_bits(self):
        self.expect_refused("64-bit machines only", "-m32")
        self.expect_refused("64-bit machines only", "-mx32")

    def test_big_endian(self):
        self.expect_refused("little-endian machines only", "-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
        self.expect_refused("little-endian machines only", "--target=powerpc64-linux-gnu")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
