#!/usr/bin/env python3
"""Tests of check_layers.py: every rule finds its violation, and a tree in order passes. Needs Python alone."""
import tempfile
import unittest
from pathlib import Path

from check_layers import check

GOOD = {
    "bert.hpp": "// Umbrella.\n#pragma once\n#include <bert/core/a.hpp>\n#include <bert/nn/b.hpp>\n",
    "core/a.hpp": "// A.\n#pragma once\n#include <cmath>\n",
    "nn/b.hpp": '// B. printf("in a comment") is fine.\n#pragma once\n#include <bert/core/a.hpp>\n'
                'inline const char* text() { return "abort()"; }\n',
}


class CheckLayers(unittest.TestCase):
    def problems(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**GOOD, **changes}.items():
                path = Path(folder, "include", "bert", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check(Path(folder).resolve())

    def expect(self, message, changes):
        problems = self.problems(changes)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(message, problems[0])

    def test_a_tree_in_order_passes(self):
        self.assertEqual(self.problems({}), [])

    def test_no_headers_is_a_problem(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(len(check(Path(folder).resolve())), 1)

    def test_a_lower_layer_must_not_include_a_higher_one(self):
        self.expect("core/a.hpp:3: core must not include nn",
                    {"core/a.hpp": "// A.\n#pragma once\n#include <bert/nn/b.hpp>\n"})

    def test_base_files_include_base_files_only(self):
        self.expect("the base must not include core",
                    {"core/c.hpp": "// C.\n#pragma once\n",
                     "config.hpp": "// Config.\n#pragma once\n#include <bert/core/c.hpp>\n",
                     "bert.hpp": GOOD["bert.hpp"] + "#include <bert/config.hpp>\n"})

    def test_json_stays_in_its_header(self):
        self.expect("nn/b.hpp:3: nlohmann/json", {"nn/b.hpp": "// B.\n#pragma once\n#include <nlohmann/json.hpp>\n"})

    def test_kernels_do_not_include_eigen(self):
        self.expect("kernels never include Eigen",
                    {"kernels/k.inl": "// K.\n#include <Eigen/Core>\n"})

    def test_the_umbrella_reaches_every_header(self):
        self.expect("core/c.hpp:1: is not reached", {"core/c.hpp": "// C.\n#pragma once\n"})

    def test_the_umbrella_is_not_included_inside(self):
        self.expect("the umbrella header is for users",
                    {"nn/b.hpp": "// B.\n#pragma once\n#include <bert/bert.hpp>\n"})

    def test_missing_headers_are_named(self):
        self.expect("bert/core/gone.hpp does not exist",
                    {"nn/b.hpp": "// B.\n#pragma once\n#include <bert/core/gone.hpp>\n"})

    def test_unknown_folders_are_named(self):
        self.expect("folder misc", {"misc/m.inl": "// M.\n"})

    def test_a_library_does_not_print_or_exit(self):
        for call in ("std::printf(\"\")", "printf(\"\")", "std::cout << 1", "std::abort()", "exit(1)", "std::exit(1)"):
            with self.subTest(call):
                self.expect("nn/b.hpp:3: a library", {"nn/b.hpp": f"// B.\n#pragma once\nvoid f() {{ {call}; }}\n"})

    def test_definitions_are_compiled_once(self):
        with_definitions = GOOD["nn/b.hpp"] + "#include <bert/nn/b.ipp>\n"
        self.expect("nn/b.ipp:1: is included 0 times in src",
                    {"nn/b.hpp": with_definitions, "nn/b.ipp": "// Of B.\n#pragma once\n"})
        self.assertEqual(self.problems({"nn/b.hpp": with_definitions, "nn/b.ipp": "// Of B.\n#pragma once\n",
                                        "../../src/b.cpp": "// B.\n#include <bert/nn/b.ipp>\n"}), [])

    def test_declarations_do_without_json(self):
        json = {"io/json.hpp": "// J.\n#pragma once\n#include <nlohmann/json.hpp>\n"}
        self.expect("without definitions", {**json, "nn/b.hpp": GOOD["nn/b.hpp"] + "#include <bert/io/json.hpp>\n"})

    def test_headers_guard_themselves(self):
        self.expect("#pragma once", {"nn/b.hpp": "// B.\n"})

    def test_files_open_with_a_comment(self):
        self.expect("opens with a comment", {"nn/b.hpp": "#pragma once\n"})

    def test_files_stay_short(self):
        self.expect("701 lines", {"nn/b.hpp": "// B.\n#pragma once\n" + "\n" * 699})


if __name__ == "__main__":
    unittest.main()
