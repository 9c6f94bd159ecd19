"""Runs the command line tool: every command and format, exit codes, and what happens on errors.

Usage: cli_test.py BINARY GOLDEN_FOLDER
"""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest
from pathlib import Path

from cli_case import BINARY, GOLDEN, CliCase, run


def read_npy(path):
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (length,) = struct.unpack("<H", data[8:10])
    assert (10 + length) % 64 == 0 and data[9 + length : 10 + length] == b"\n"
    header = eval(data[10 : 10 + length].decode(), {})
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    rows, columns = header["shape"]
    values = struct.unpack(f"<{rows * columns}f", data[10 + length :])
    return [list(values[i * columns : (i + 1) * columns]) for i in range(rows)]


def read_safetensors(path, name):
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensor = json.loads(data[8 : 8 + length])[name]
    assert tensor["dtype"] == "F32"
    begin, end = tensor["data_offsets"]
    rows, columns = tensor["shape"]
    values = struct.unpack(f"<{rows * columns}f", data[8 + length + begin : 8 + length + end])
    return [values[i * columns : (i + 1) * columns] for i in range(rows)]


class Cli(CliCase):
    # embed

    def test_embeds_lines(self):
        records = self.lines("embed", self.model, stdin="the dog\r\n\nthe cat sat")
        self.assertEqual([r["text"] for r in records], ["the dog", "", "the cat sat"])
        for record in records:
            self.assertAlmostEqual(math.hypot(*record["embedding"]), 1, delta=1e-5)

    def test_numbers_read_back_as_the_same_floats(self):
        out = self.path / "same.npy"
        self.ok("embed", self.model, "-o", out, stdin="the dog\nthe cat")
        records = self.lines("embed", self.model, stdin="the dog\nthe cat")
        floats = [[struct.unpack("<f", struct.pack("<f", x))[0] for x in r["embedding"]] for r in records]
        self.assertEqual(read_npy(out), floats)

    def test_jsonl_keeps_its_fields(self):
        stdin = '{"id": 7, "body": "the dog", "embedding": null}\n\n{"body": "the cat"}\n'
        records = self.lines("embed", self.model, "--format", "jsonl", "--field", "body", stdin=stdin)
        self.assertEqual(records[0]["id"], 7)
        self.assertEqual(len(records), 2)
        plain = self.lines("embed", self.model, stdin="the dog\nthe cat")
        self.assertEqual([r["embedding"] for r in records], [r["embedding"] for r in plain])

    def test_files_of_both_formats(self):
        (self.path / "a.txt").write_text("the dog\n")
        (self.path / "b.jsonl").write_text('{"text": "the cat"}\n')
        records = self.lines("embed", self.model, self.path / "a.txt", self.path / "b.jsonl", "-", stdin="the end")
        self.assertEqual([r["text"] for r in records], ["the dog", "the cat", "the end"])

    def test_no_texts(self):
        self.assertEqual(self.ok("embed", self.model), "")
        out = self.path / "none.npy"
        self.ok("embed", self.model, "-o", out)
        self.assertEqual(read_npy(out), [])

    def test_text_that_is_not_utf8(self):
        (record,) = self.lines("embed", self.model, stdin=b"the \xff dog")
        self.assertIn("\ufffd", record["text"])

    def test_long_texts(self):
        text = "the dog sat on the mat and the cat ran . " * 20
        result = run("embed", self.model, "--max-length", 16, stdin=text)
        self.assertEqual(result.returncode, 0)
        self.assertTrue(json.loads(result.stdout)["truncated"])
        self.assertIn(b"1 of 1 texts", result.stderr)
        self.assertEqual(run("embed", self.model, "--max-length", 16, "-q", stdin=text).stderr, b"")
        (whole,) = self.lines("embed", self.model, "--max-length", 16, "--long-text", "windows", stdin=text)
        self.assertNotIn("truncated", whole)
        self.assertNotEqual(whole["embedding"], json.loads(result.stdout)["embedding"])
        self.fails("embed", self.model, "--max-length", 16, "--long-text", "error", stdin=text, naming=["input:1"])

    def test_prompts(self):
        def embedding(*options):
            return self.lines("embed", self.model, *options, stdin="the dog")[0]["embedding"]

        prompts = json.loads((self.model / "config_sentence_transformers.json").read_text())["prompts"]
        self.assertEqual(embedding("--query"), embedding("--prompt", prompts["query"]))
        self.assertEqual(embedding("--document"), embedding("--prompt-name", "document"))
        self.assertNotEqual(embedding("--query"), embedding("--prompt", ""))
        self.fails("embed", self.model, "--prompt-name", "none", stdin="a", naming=["none", "query"])
        self.fails("embed", self.model, "--query", "--document", stdin="a", code=2)

    def test_options_of_the_encoder(self):
        def embedding(*options):
            return self.lines("embed", self.model, *options, stdin="the dog sat")[0]["embedding"]

        self.assertEqual(len(embedding("--truncate-dim", 7)), 7)
        self.assertNotEqual(embedding("--pooling", "cls"), embedding())
        self.assertNotAlmostEqual(math.hypot(*embedding("--no-normalize")), 1, delta=1e-3)
        self.assertEqual(embedding("--threads", 2, "--token-budget", 1), embedding("--threads", 1))
        self.assert_close(embedding("--kernels", "scalar"), embedding())
        for weights, alike in (("f32", 0.999999), ("bf16", 0.999), ("int8", 0.99)):
            cosine = sum(x * y for x, y in zip(embedding("--weights", weights), embedding()))
            self.assertGreater(cosine, alike, weights)
        for option, value, code in (
            ("--pooling", "median", 2),
            ("--weights", "int7", 2),
            ("--kernels", "abacus", 1),
            ("--max-length", "0", 1),
            ("--max-length", "100000", 1),
            ("--long-text", "maybe", 2),
            ("--format", "tables", 2),
        ):
            self.fails("embed", self.model, option, value, stdin="a", code=code)

    def test_broken_input(self):
        bad = self.path / "bad.jsonl"
        bad.write_text('{"text": \n')
        self.fails("embed", self.model, bad, naming=["bad.jsonl:1"])
        bad.write_text('{"texts": "a"}\n')
        self.fails("embed", self.model, bad, naming=["bad.jsonl:1", '"text"'])
        bad.write_text('\n{"text": 1}\n')
        self.fails("embed", self.model, bad, naming=["bad.jsonl:2"])
        self.fails("embed", self.model, self.path / "absent.txt", naming=["absent.txt"])
        self.fails("embed", self.model, "-o", self.path / "no folder" / "x.npy", stdin="a", naming=["no folder"])

    # retrieval, summaries, training and explanations

    def test_searches(self):
        documents = "the dog sat\nthe cat ran\nthe dog ran\n"
        records = self.lines("search", self.model, "-q", "the dog sat", "-q", "the cat", "-k", 2, stdin=documents)
        self.assertEqual([r["query"] for r in records], ["the dog sat", "the cat"])
        for record in records:
            scores = [hit["score"] for hit in record["hits"]]
            self.assertEqual(len(scores), 2)
            self.assertEqual(scores, sorted(scores, reverse=True))
            for hit in record["hits"]:
                self.assertEqual(hit["document"]["text"], documents.splitlines()[hit["corpus_id"]])
        self.fails("search", self.model, "-q", "a", naming=["no documents"])
        self.assertEqual(
            self.lines("search", self.model, "the cat", "-k", 2, stdin=documents)[0]["hits"], records[1]["hits"]
        )
        self.fails("search", self.model, stdin="a", naming=["no query"])
        self.fails("search", self.model, "a", "--mode", "bm25", stdin="a", naming=["--mode", "bert index"])

    def test_finds_paraphrases_and_clusters(self):
        texts = "the dog sat\na bird sang\nthe dog sat\nthe sun set\nthe dog sat\n"
        pairs = self.lines("paraphrases", self.model, "--min-score", 0.9999, stdin=texts)
        found = [[text["corpus_id"] for text in pair["texts"]] for pair in pairs]
        self.assertEqual(found, [[0, 2], [0, 4], [2, 4]])
        self.assertEqual(pairs[0]["texts"][1]["document"], {"text": "the dog sat"})
        (best,) = self.lines("paraphrases", self.model, "-n", 1, stdin=texts)
        self.assertAlmostEqual(best["score"], 1, delta=1e-6)
        (cluster,) = self.lines("cluster", self.model, "--threshold", 0.9999, "--min-size", 2, stdin=texts)
        self.assertEqual((cluster["size"], [text["corpus_id"] for text in cluster["texts"]]), (3, [0, 2, 4]))
        self.assertEqual(self.ok("cluster", self.model, stdin=texts), "")
        self.assertEqual(self.ok("paraphrases", self.model), "")
        self.fails("cluster", self.model, "--min-size", 0, stdin=texts, naming=["min_community_size"])

    def test_summarizes(self):
        text = "The d\u00f6g sat. The cat ran!\n\nA bird sang. The end."
        (record,) = self.lines("summarize", self.model, "-n", 2, stdin=text)
        self.assertEqual((record["file"], record["total_sentences"], len(record["summary"])), ("-", 4, 2))
        for sentence in record["summary"]:
            self.assertEqual(text.encode()[sentence["begin"] : sentence["end"]].decode(), sentence["text"])
        plain = self.ok("summarize", self.model, "-n", 4, "--plain", stdin=text)
        self.assertEqual(plain, "The d\u00f6g sat. The cat ran! A bird sang. The end.\n")
        self.assertEqual(len(self.lines("summarize", self.model, "--format", "lines", stdin="a. b.\nc.")), 2)
        self.assertEqual(self.lines("summarize", self.model, stdin=" ")[0]["summary"], [])
        self.fails("summarize", self.model, "--ratio", 2, stdin="a", naming=["ratio"])

    def test_finds_keywords(self):
        text = "The d\u00f6g sat and the D\u00f6g ran."
        (record,) = self.lines("keywords", self.model, "--ngrams", 1, 2, "-n", 100, stdin=text)
        spans = {k["text"]: k["spans"] for k in record["keywords"]}
        self.assertEqual([text.encode()[b:e].decode() for b, e in spans["d\u00f6g"]], ["d\u00f6g", "D\u00f6g"])
        self.assertNotIn("the", spans)
        (everything,) = self.lines("keywords", self.model, "--stop-words", "none", "-n", 100, stdin=text)
        self.assertIn("the", [k["text"] for k in everything["keywords"]])
        (self.path / "stop.txt").write_text("sat\nran\n")
        for method in ("mmr", "max-sum"):
            (some,) = self.lines(
                "keywords", self.model, "--method", method, "--stop-words", self.path / "stop.txt", "-n", 2, stdin=text
            )
            self.assertEqual(len(some["keywords"]), 2)
        self.fails("keywords", self.model, "--ngrams", 2, 1, stdin=text, naming=["2 to 1"])

    def test_trains_a_head(self):
        rows = ["text\tlabel"] + [f"the {a} {v} here\t{a}" for v in ("sat", "ran", "sang") for a in ("dog", "cat")] * 4
        examples = self.path / "examples.tsv"
        examples.write_text("\n".join(rows))
        out = self.path / "trained"
        (report,) = self.lines("train-head", self.model, examples, "-o", out, "--l2", 0.0001)
        self.assertEqual(report["labels"], ["cat", "dog"])
        self.assertEqual(report["train"]["examples"] + report["held_out"]["examples"], 24)
        self.assertEqual(json.loads((out / "config.json").read_text())["architectures"], ["BertForSequenceClassification"])
        (answer,) = self.lines("classify", out, stdin="the dog sat here")
        self.assertIn("dog", json.dumps(answer))
        examples.write_text("text\tlabel\na\tb\nc\tb\n")
        self.fails("train-head", self.model, examples, "-o", out, naming=["trained", "--force"], code=2)
        self.fails("train-head", self.model, examples, "-o", out, "--force", naming=["one class"])
        self.lines("classify", out, stdin="the dog sat here")
        examples = self.path / "examples.jsonl"
        examples.write_text('{"text": "a", "label": "b"}\n{"text": 5, "label": "b"}\n')
        self.fails("train-head", self.model, examples, "-o", self.path / "none", naming=["examples.jsonl:2"])

    def test_explains(self):
        page = self.path / "page.html"
        hostile = "the </script><script>alert(1)</script> & 'dog' \u2028"
        self.ok("explain", self.model, hostile, "a cat", "-o", page)
        html = page.read_text(encoding="utf-8")
        self.assertNotIn("alert(1)</script>", html)
        self.assertEqual(html.count("<script"), 2)
        self.assertNotRegex(html, r"(src|href)=|@import|url\(")
        self.assertIn("prefers-color-scheme", html)
        self.assertNotIn("= >", html)  # what a formatter of C++ once made of an arrow
        (numbers,) = self.lines("explain", self.model, "the dog sat", "a cat", "--json")
        total = sum(map(sum, numbers["similarity"]["contributions"]))
        self.assertAlmostEqual(total, numbers["similarity"]["cosine"], delta=1e-5)
        self.assertEqual([w["text"] for w in numbers["texts"][0]["words"]], ["the", "dog", "sat"])
        for row in numbers["texts"][0]["rollout"]:
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
        self.fails("explain", self.model, naming=["one text"], code=2)
        self.fails("explain", self.model, "a", "b", "c", naming=["two texts"], code=2)
        self.fails("explain", self.model, "a", "-o", page, naming=["page.html", "--force"], code=2)

    # the other commands

    def test_tokenizes(self):
        (record,) = self.lines("tokenize", self.model, stdin="the d\u00f6g")
        self.assertEqual(record["tokens"][0], "[CLS]")
        self.assertEqual(record["offsets"][1], [0, 3])
        self.assertEqual(record["offsets"][-2][1], len("the d\u00f6g".encode()))
        (points,) = self.lines("tokenize", self.model, "--code-points", stdin="the d\u00f6g")
        self.assertEqual(points["offsets"][-2][1], len("the d\u00f6g"))
        (ids,) = self.lines("tokenize", self.model, "--ids-only", stdin="the d\u00f6g")
        self.assertEqual(ids, record["ids"])
        (bare,) = self.lines("tokenize", self.model, "--no-special-tokens", stdin="the d\u00f6g")
        self.assertEqual(bare["ids"], record["ids"][1:-1])
        (pair,) = self.lines("tokenize", self.model, "--pair", "the cat", stdin="the dog")
        self.assertEqual(sorted(set(pair["type_ids"])), [0, 1])
        (cut,) = self.lines(
            "tokenize", self.model, "--max-length", 6, "--windows", "--stride", 1, stdin="the dog sat on the mat ."
        )
        self.assertTrue(cut["truncated"])
        self.assertEqual(cut["ids"][-2], cut["overflowing"][0]["ids"][1])

    def test_compares(self):
        out = json.loads(self.ok("similarity", self.model, "the dog", "the cat", "the dog", "--json"))
        self.assertEqual(out["texts"], ["the dog", "the cat", "the dog"])
        self.assertAlmostEqual(out["similarity"][0][2], 1, delta=1e-6)
        self.assertEqual(out["similarity"][0][1], out["similarity"][1][0])
        text = self.ok("similarity", self.model, "the dog", "the cat")
        self.assertEqual(len(text.splitlines()), 2)
        self.assertIn("1.0000", text)
        (self.path / "texts.txt").write_text("the dog\nthe cat\n")
        self.assertEqual(self.ok("similarity", self.model, "--file", self.path / "texts.txt"), text)
        self.fails("similarity", self.model, "the dog", naming=["two texts"])

    def test_inspects(self):
        out = json.loads(self.ok("inspect", self.model, "--json", "--tensors", "--cpu"))
        config = json.loads((self.model / "config.json").read_text())
        for key in ("hidden_size", "num_hidden_layers", "vocab_size"):
            self.assertEqual(out["model"][key], config[key])
        self.assertEqual(out["weights"]["tensors"], len(out["tensors"]))
        self.assertEqual(out["sentence_embeddings"]["pooling"], ["mean"])
        self.assertIn("query", out["sentence_embeddings"]["prompts"])
        self.assertIn(out["cpu"]["kernels_chosen"], out["cpu"]["kernels_available"])
        self.assertIn("hidden_size: %d\n" % config["hidden_size"], self.ok("inspect", self.model))
        out = json.loads(self.ok("inspect", self.head("pretraining"), "--json"))
        self.assertEqual(out["tasks"], ["fill-mask", "next-sentence", "sparse-embedding", "sentence-embedding"])
        self.fails("inspect")

    def test_inspects_every_kind_of_folder(self):
        def inspected(folder):
            self.ok("inspect", folder)
            return json.loads(self.ok("inspect", folder, "--json"))

        out = inspected(self.overlaid("single_label", "cross_encoder"))
        self.assertEqual(out["tasks"], ["text-classification", "reranking"])
        self.assertEqual(out["reranking"]["default_prompt_name"], "search")
        self.assertNotIn("sentence_embeddings", out)
        out = inspected(self.overlaid("masked_lm", "sparse_sum"))
        self.assertEqual(out["tasks"], ["fill-mask", "sparse-embedding"])
        self.assertEqual(out["sparse_embeddings"]["pooling"], "sum")
        out = inspected(self.overlaid("colbert", "colbert_saved"))
        self.assertEqual(out["tasks"], ["late-interaction"])
        self.assertEqual(out["late_interaction"]["query_expansion"], 32)
        out = inspected(self.head("token_classifier"))
        self.assertEqual(out["labels"], ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"])
        out = inspected(GOLDEN / "decoders" / "bert_generation")
        self.assertEqual((out["tasks"], out["tokenizer"]), (["text-generation"], None))
        out = inspected(GOLDEN / "decoders" / "seq2seq_projection")
        self.assertEqual(out["tasks"], ["text2text-generation"])
        self.assertNotEqual(out["encoder"]["hidden_size"], out["decoder"]["hidden_size"])

    def test_generate(self):
        decoders = GOLDEN / "decoders"
        for name in ("causal_lm", "seq2seq"):
            cases = json.loads((decoders / f"{name}.expected.json").read_text())["texts"]
            greedy = [case for case in cases if case["options"] == {"max_new_tokens": 10} and case["text"]]
            texts = [case["text"] for case in greedy]
            expected = [(case["tokens"], case["generated"]) for case in greedy]
            for out in (
                self.ok("generate", decoders / name, *texts, "--max-new-tokens", 10),
                self.ok("generate", decoders / name, "--max-new-tokens", 10, stdin="\n".join(texts) + "\n"),
            ):
                records = [json.loads(line) for line in out.splitlines()]
                self.assertEqual([r["text"] for r in records], texts)
                self.assertEqual([(r["generated"][0]["tokens"], r["generated"][0]["text"]) for r in records], expected)
        model = decoders / "bert_generation"
        record = json.loads(self.ok("generate", model, "--ids", "7 8 9", "--beams", 3, "--return", 2))
        self.assertEqual(len(record["generated"]), 2)
        self.assertGreater(record["generated"][0]["score"], record["generated"][1]["score"])
        sampled = [self.ok("generate", model, "--ids", "7", "--sample", "--seed", seed) for seed in (1, 1, 2)]
        self.assertEqual(sampled[0], sampled[1])
        self.assertNotEqual(sampled[0], sampled[2])
        self.fails("generate", model, "hello", naming=["tokenizer"])
        for ids in ("7 x", "7 99999999999", "7.5"):
            self.fails("generate", model, "--ids", ids, naming=[ids])
        self.fails("generate", model, "--ids", "7", "--beams", 0, naming=["num_beams"])
        self.fails("generate", self.model, "hello", naming=["is_decoder", "sentence-embedding"])

    # tasks with a head

    def golden_cases(self, name):
        return json.loads((GOLDEN / "heads" / (name + ".json")).read_text(encoding="utf-8"))["cases"]

    def head(self, name):
        return GOLDEN / "heads" / name

    def overlaid(self, model, overlay):
        """A folder of both, once."""
        folder = self.path / overlay
        if not folder.exists():
            shutil.copytree(self.head(model), folder)
            shutil.copytree(self.head(overlay), folder, dirs_exist_ok=True)
        return folder

    def test_fills_masks(self):
        case = self.golden_cases("fill_mask")[0]
        (record,) = self.lines("fill-mask", self.head(case["model"]), stdin=case["text"])
        (mask,) = record["masks"]
        self.assertEqual([mask["start"], mask["end"]], case["masks"][0]["span"])
        expected = case["masks"][0]["candidates"]
        self.assertEqual([c["token"] for c in mask["candidates"]], [c["token_str"] for c in expected])
        self.assert_close([c["score"] for c in mask["candidates"]], [c["score"] for c in expected], 1e-5)
        options = ("--targets", "cat,dog", "--top-k", 2)
        (record,) = self.lines("fill-mask", self.head("masked_lm"), *options, stdin=case["text"])
        self.assertEqual({c["token"] for c in record["masks"][0]["candidates"]}, {"cat", "dog"})
        (record,) = self.lines("fill-mask", self.head("masked_lm"), "--perplexity", stdin="the cat")
        self.assertGreater(record["perplexity"], 1)
        self.fails("fill-mask", self.head("masked_lm"), stdin="the cat", naming=["text 0", "[MASK]"])
        self.fails("fill-mask", self.head("classifier"), stdin="[MASK]", naming=["fill-mask", "text-classification"])

    def test_tells_next_sentences(self):
        case = self.golden_cases("next_sentence")[0]
        stdin = json.dumps({"id": 1, "text": case["pair"][0], "text_pair": case["pair"][1]})
        (record,) = self.lines("next-sentence", self.head("pretraining"), "--format", "jsonl", stdin=stdin)
        self.assertEqual(record["id"], 1)
        self.assertAlmostEqual(record["is_next"], case["probability"], delta=1e-5)
        (other,) = self.lines("next-sentence", self.head("pretraining"), stdin="\t".join(case["pair"]))
        self.assertEqual(other["is_next"], record["is_next"])
        self.assertEqual(other["text"], case["pair"][0])
        self.fails("next-sentence", self.head("pretraining"), stdin="a\tb\nno tab", naming=["input:2", "text_pair"])

    def test_names_the_line_of_a_text_without_an_answer(self):
        texts = self.path / "masks.txt"
        texts.write_text("".join("the dog\n" if i == 2100 else "the [MASK] sat\n" for i in range(2101)))
        model = self.head("masked_lm")
        result = run("fill-mask", model, texts)
        self.assertEqual(result.returncode, 1)
        self.assertIn("masks.txt:2101", result.stderr.decode())
        result = run("fill-mask", model, texts, "--on-error", "skip")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"1 record skipped", result.stderr)
        self.assertEqual(result.stdout.decode(), self.ok("fill-mask", model, stdin="the [MASK] sat\n" * 2100))

    def test_answers(self):
        case = self.golden_cases("question_answering")[1]
        (self.path / "context.txt").write_text(case["context"], encoding="utf-8")
        options = ("--top-k", case["top_k"], "--no-answer")
        folder = self.head("question_answering")
        (record,) = self.lines("ask", folder, case["question"], self.path / "context.txt", *options)
        self.assertEqual([a["text"] for a in record["answers"]], [a["text"] for a in case["answers"]])
        self.assertEqual([[a["start"], a["end"]] for a in record["answers"]], [a["span"] for a in case["answers"]])
        (piped,) = self.lines("ask", folder, case["question"], *options, stdin=case["context"])
        self.assertEqual(piped["answers"], record["answers"])
        self.fails("ask", folder, "who?", naming=["context", "empty"])
        self.fails("ask", folder, "who?", self.path / "absent.txt", naming=["absent.txt"])

    def test_classifies(self):
        case = self.golden_cases("text_classifier")[0]
        (record,) = self.lines("classify", self.head("classifier"), stdin=case["texts"][0])
        self.assertEqual([l["label"] for l in record["labels"]], [label for label, _ in case["scores"]])
        self.assert_close([l["score"] for l in record["labels"]], [score for _, score in case["scores"]], 1e-5)
        (record,) = self.lines("classify", self.head("classifier"), "--pairs", "--top-k", 1, stdin="the cat\ta dog")
        self.assertEqual(len(record["labels"]), 1)
        (record,) = self.lines("classify", self.head("classifier"), "--function", "none", stdin=case["texts"][0])
        self.assertEqual([l["label"] for l in record["labels"]], [label for label, _ in case["none"]])
        self.fails("classify", self.head("classifier"), "--labels", "a,b", stdin="a", naming=["entailment"])
        case = self.golden_cases("zero_shot")[0]
        model = self.path / "entailment"
        shutil.copytree(self.head("classifier"), model)
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, **case["config"]}))
        (record,) = self.lines("classify", model, "--labels", ",".join(case["candidates"]), stdin=case["text"])
        self.assertEqual([l["label"] for l in record["labels"]], case["labels"])
        text = self.path / "article.txt"
        text.write_text(case["text"])
        self.assertEqual(self.lines("classify", model, "--labels", ",".join(case["candidates"]), text), [record])

    def test_finds_entities(self):
        case = next(c for c in self.golden_cases("token_classifier") if c["aggregation"] == "first")
        options = ("--aggregation", "first", "--weights", "f32", "--token-budget", 7)
        (record,) = self.lines("entities", self.head("token_classifier"), *options, stdin=case["text"])
        found = [[e["label"], e["start"], e["end"], e["word"]] for e in record["entities"]]
        self.assertEqual(found, [[e[0], e[2], e[3], e[4]] for e in case["entities"]])

    def test_answers_while_more_may_come(self):
        commands = [
            ("entities", self.head("token_classifier")),
            ("classify", self.head("single_label")),
            ("embed", self.model),
            ("tokenize", self.model),
        ]
        for command in commands:
            process = subprocess.Popen(
                [BINARY, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for text in ("the dog", "the cat sat", ""):
                process.stdin.write(text.encode() + b"\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline())
                if command[0] != "tokenize":
                    self.assertEqual(answer["text"], text)
            # Interrupted while it waits.
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, rest), (130, b""), errors)

    def test_answers_many_windows(self):
        texts = [f"the dog {i}" for i in range(5000)]
        records = self.lines("tokenize", self.model, stdin="\n".join(texts))
        self.assertEqual(len(records), 5000)
        self.assertEqual(records[4999], self.lines("tokenize", self.model, stdin=texts[4999])[0])
        pairs = [f"the dog\tthe cat {i}" for i in range(2100)]
        pairs[2070] = "no second"
        result = run("classify", self.head("single_label"), "--pairs", stdin="\n".join(pairs))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stdout.splitlines()), 2048)
        self.assertIn(b"text 2070:", result.stderr)

    def test_reranks(self):
        case = self.golden_cases("reranker")[0]
        stdin = "".join(json.dumps({"text": document}) + "\n" for document in case["documents"])
        options = ("--format", "jsonl", "--top-k", 3)
        records = self.lines("rerank", self.head("single_label"), case["query"], *options, stdin=stdin)
        self.assertEqual([r["index"] for r in records], [index for index, _ in case["ranked"][:3]])
        self.assert_close([r["score"] for r in records], [score for _, score in case["ranked"][:3]], 1e-5)
        self.fails("rerank", self.head("single_label"), "query", naming=["no documents"])
        self.fails("rerank", self.model, "query", stdin="a", naming=["cross-encoder", "sentence-embedding"])

    def test_reranks_by_late_interaction(self):
        golden = json.loads((GOLDEN / "heads" / "late_interaction.json").read_text(encoding="utf-8"))
        stdin = "".join(json.dumps({"text": document}) + "\n" for document in golden["document_texts"])
        case = golden["cases"][0]
        scores = sorted(case["scores"][0], reverse=True)
        records = self.lines("rerank", self.head("colbert"), golden["query_texts"][0], "--format", "jsonl", stdin=stdin)
        self.assert_close([r["score"] for r in records], scores, 1e-4)
        self.assertEqual([case["scores"][0][r["index"]] for r in records], scores)
        (best,) = self.lines("rerank", self.head("colbert"), "paris", "--top-k", 1, stdin="paris\nthe cat")
        self.assertEqual(best["text"], "paris")
        self.fails("rerank", self.head("colbert"), "query", naming=["no documents"])

    def test_embeds_sparsely(self):
        golden = json.loads((GOLDEN / "heads" / "sparse.json").read_text(encoding="utf-8"))
        stdin = "".join(json.dumps({"text": text}) + "\n" for text in golden["texts"])
        top = self.overlaid("masked_lm", "sparse_top")
        for case in golden["cases"]:
            if case["overlay"] not in (None, "sparse_top"):
                continue
            folder = top if case["overlay"] else self.head("masked_lm")
            options = {"encode": (), "encode_query": ("--query",), "encode_document": ("--document",)}[case["method"]]
            records = self.lines("embed-sparse", folder, "--format", "jsonl", *options, stdin=stdin)
            self.assertEqual(len(records), len(golden["texts"]))
            for record, vector in zip(records, case["vectors"]):
                self.assertEqual([e["index"] for e in record["embedding"]], [index for index, _ in vector])
                self.assert_close([e["value"] for e in record["embedding"]], [value for _, value in vector], 1e-4)
        (record,) = self.lines("embed-sparse", top, "--max-active-dims", 2, "--prompt", "", stdin="the cat")
        self.assertEqual(len(record["embedding"]), 2)
        self.assertIsInstance(record["embedding"][0]["token"], str)
        self.fails("embed-sparse", self.head("classifier"), stdin="a", naming=["sparse-embedding", "reranking"])
        self.fails("embed", top, stdin="a", naming=["Pooling", "sparse-embedding"])

    def test_help_and_version(self):
        self.assertIn("embed", self.ok("--help"))
        for command in ("fill-mask", "next-sentence", "ask", "classify", "entities", "rerank", "embed-sparse"):
            self.assertIn("bert " + command, self.ok(command, "--help"))
        for command in ("embed", "tokenize", "similarity", "inspect", "search", "paraphrases", "cluster"):
            self.assertIn("all-MiniLM-L6-v2", self.ok(command, "--help"))
        self.assertRegex(self.ok("--version"), r"\A\d+\.\d+\.\d+\n\Z")

    def test_wrong_calls(self):
        self.fails(code=2)
        self.fails("frobnicate", code=2)
        self.fails("embed", code=2)
        self.fails("embed", self.model, "--frobnicate", code=2)
        self.fails("search", self.model, "-q", "a", "--top-k", -1, stdin="a", naming=["--top-k", "-1"], code=2)
        self.fails("embed", self.model, "--max-length=-1", stdin="a", naming=["--max-length", "-1"], code=2)
        for command in ("embed", "tokenize", "inspect"):
            self.fails(command, self.path / "nowhere", stdin="a", naming=["nowhere"])
        self.fails("similarity", self.path / "nowhere", "a", "b", naming=["nowhere"])
        self.fails("embed", self.model, "two\nlines \x1b]0;x\x07", naming=["two lines", "lines  ]0;x "])

    def test_closed_standard_streams(self):
        out = self.path / "closed.npy"
        texts = self.path / "some.jsonl"
        texts.write_text('{"text": "the dog"}\nbroken\n')

        def closed(stream, *arguments):
            command = [BINARY, "embed", self.model, *arguments, "-o", out]
            return subprocess.run(["sh", "-c", f'exec "$@" {stream}', "sh", *map(str, command)], capture_output=True)

        self.assertEqual(closed("2>&-", texts, "--on-error", "skip").returncode, 0)
        self.assertEqual(len(read_npy(out)), 1)
        out.unlink()
        self.assertEqual(closed("<&-").returncode, 1)
        self.assertEqual(closed("<&- 2>&-").returncode, 1)
        self.assertFalse(out.exists())

    @unittest.skipUnless(os.environ.get("BERT_TEST_MODEL_DIR"), "needs the real model")
    def test_the_real_model_equals_sentence_transformers(self):
        texts = json.loads((GOLDEN / "minilm" / "texts.json").read_text(encoding="utf-8"))
        expected = read_safetensors(GOLDEN / "minilm" / "expected.safetensors", "embeddings")
        stdin = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        out = self.path / "real.npy"
        self.ok("embed", os.environ["BERT_TEST_MODEL_DIR"], "--normalize", "--format", "jsonl", "-o", out, stdin=stdin)
        rows = read_npy(out)
        self.assertEqual(len(rows), len(expected))
        for row, other in zip(rows, expected):
            length = math.hypot(*other)
            self.assert_close(row, [x / length for x in other], 2e-6)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
