"""Draws pages with bert plot and reads their own data back; where Chromium is installed, looks at what it draws.

Usage: plot_test.py BINARY GOLDEN_FOLDER
"""

import html.parser
import json
import math
import shutil
import struct
import subprocess
import sys
import unittest
import zlib

from cli_case import CliCase

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(html.parser.HTMLParser):
    """The data a page holds, and everything it would load from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.in_data = False
        self.text = ""
        self.foreign = []
        self.scripts = 0
        self.feed(text)
        self.data = json.loads(self.text)

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.in_data = dict(attributes).get("id") == "data"
        self.foreign += [value for key, value in attributes if key in ("src", "href")]

    def handle_endtag(self, tag):
        self.in_data = False

    def handle_data(self, data):
        if self.in_data:
            self.text += data


def read_png(data):
    """Rows of (red, green, blue) of a PNG of 8-bit RGB or RGBA."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    size = {2: 3, 6: 4}[colour]
    assert depth == 8
    raw, stride = zlib.decompress(packed), width * size
    previous, rows = bytearray(stride), []
    for y in range(height):
        kind = raw[y * (stride + 1)]
        row = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for i in range(stride):
            a = row[i - size] if i >= size else 0
            b = previous[i]
            c = previous[i - size] if i >= size else 0
            if kind == 1:
                row[i] = row[i] + a & 255
            elif kind == 2:
                row[i] = row[i] + b & 255
            elif kind == 3:
                row[i] = row[i] + (a + b) // 2 & 255
            elif kind == 4:
                p = a + b - c
                nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
                row[i] = row[i] + nearest[2] & 255
        previous = row
        rows.append([tuple(row[x : x + 3]) for x in range(0, stride, size)])
    return rows


class Plots(CliCase):
    documents = [
        {"text": "the dog sat", "topic": "pets", "year": 1999},
        {"text": "the cat </script><script>alert(1)</script> ran", "topic": "pets", "year": 2001},
        {"text": "a river & the \u2028 bank", "topic": "places", "year": 2010},
        {"text": "the house", "topic": None},
    ]

    def setUp(self):
        self.file = self.path / "documents.jsonl"
        self.file.write_text("".join(json.dumps(d) + "\n" for d in self.documents))

    def page(self, *arguments):
        out = self.path / (self._testMethodName + ".html")
        self.ok("plot", self.model, self.file, "-o", out, "--force", *arguments)
        text = out.read_text(encoding="utf-8")
        page = Page(text)
        self.assertEqual((page.scripts, page.foreign), (2, []))
        self.assertNotRegex(text, r"@import|url\(")
        self.assertIn("prefers-color-scheme", text)
        self.assertEqual(page.data["texts"], [d["text"] for d in self.documents])
        return page.data

    def test_a_map_holds_the_points(self):
        data = self.page()
        records = self.lines("plot", self.model, self.file, "--json")
        self.assertEqual(data["points"], [r["point"] for r in records])
        self.assertEqual([{k: v for k, v in r.items() if k != "point"} for r in records], self.documents)
        for k in (0, 1):  # principal components are centred and uncorrelated
            self.assertAlmostEqual(sum(p[k] for p in data["points"]), 0, delta=1e-5)
        self.assertAlmostEqual(sum(p[0] * p[1] for p in data["points"]), 0, delta=1e-5)
        self.assertEqual(data["title"], "")

    def test_a_map_is_coloured_by_a_field(self):
        data = self.page("--color-by", "topic")
        self.assertEqual([data["groups"][g] for g in data["group_of"]], ["pets", "pets", "places", "none"])
        self.assertEqual(data["groups"][0], "pets")  # the largest comes first
        self.fails("plot", self.model, self.file, "--color-by", "tpoic", naming=["tpoic"])
        self.fails("plot", self.model, self.file, "--color-by", "topic", "--clusters", code=2)

    def test_a_map_is_coloured_by_numbers(self):
        self.documents = [{"text": f"the dog {i}", "year": 1990 + i} for i in range(20)] + [{"text": "the cat"}]
        self.setUp()
        self.assertEqual(self.page("--color-by", "year")["numbers"], [1990 + i for i in range(20)] + [None])

    def test_a_map_is_coloured_by_cluster(self):
        self.documents = [{"text": t} for t in ["the dog sat", "the dog sat .", "the dog sat !", "mat river"]]
        self.setUp()
        data = self.page("--clusters", "--threshold", 0.999, "--min-size", 1)
        self.assertEqual(len(set(data["group_of"])), len(data["groups"]))
        for text, group in zip(data["texts"], data["group_of"]):
            if data["groups"][group] == text:
                break
        else:
            self.fail("no cluster has the name of a text in it")
        self.assertEqual(set(self.page("--clusters", "--threshold", 1, "--min-size", 5)["group_of"]), {-1})

    def test_a_heat_map_holds_the_similarities(self):
        data = self.page("--heat-map")
        file = self.path / "plain.jsonl"
        file.write_text(self.file.read_text())
        embedded = [r["embedding"] for r in self.lines("embed", self.model, file)]
        for i, a in enumerate(embedded):
            for j, b in enumerate(embedded):
                cosine = sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)
                self.assertAlmostEqual(data["similarity"][i][j], cosine, delta=1e-4)

    def test_a_store_is_drawn_as_its_texts_are(self):
        store = self.path / "store"
        self.ok("index", store, "--model", self.model, self.file)
        out = self.path / "store.html"
        self.ok("plot", store, "-o", out, "--color-by", "topic")
        self.assertEqual(Page(out.read_text(encoding="utf-8")).data["texts"], [d["text"] for d in self.documents])
        self.fails("plot", store, self.file, naming=["store"])

    def test_what_cannot_be_drawn(self):
        self.fails("plot", self.model, naming=["no texts"])
        self.fails("plot", self.model, "--heat-map", stdin="a\n" * 1001, naming=["1001", "1000"])
        self.fails("plot", self.model, self.path / "nowhere.txt", naming=["nowhere.txt"])
        self.fails("plot", self.model, "--threshold", 0.5, stdin="a", code=2)
        self.assertEqual(len(self.lines("plot", self.model, "--json", stdin="one")), 1)

    def colours(self, page, dark):
        """How often each colour comes in a picture of the page."""
        picture = self.path / "picture.png"
        subprocess.run(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={self.path / 'profile'}",
                "--window-size=900,900",
                "--blink-settings=preferredColorScheme=" + ("0" if dark else "1"),
                f"--screenshot={picture}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=100,
        )
        counts = {}
        for row in read_png(picture.read_bytes()):
            for colour in row:
                counts[colour] = counts.get(colour, 0) + 1
        return counts

    @unittest.skipUnless(CHROMIUM, "needs Chromium")
    def test_a_browser_draws_both_schemes(self):
        self.page("--color-by", "topic")
        page = self.path / (self._testMethodName + ".html")
        for dark, ground, group in ((False, (255, 255, 255), (0x25, 0x63, 0xEB)), (True, (0x14, 0x17, 0x1C), (0x60, 0xA5, 0xFA))):
            counts = self.colours(page, dark)
            self.assertEqual(max(counts, key=counts.get), ground)
            # Points let a fifth of the ground through; the legend's dot does not.
            point = tuple(round(0.8 * g + 0.2 * b) for g, b in zip(group, ground))
            drawn = sum(n for c, n in counts.items() if max(abs(x - y) for x, y in zip(c, point)) <= 2)
            self.assertGreater(drawn, 100)  # two discs of 5.5 pixels
            self.assertGreater(counts.get(group, 0), 20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
