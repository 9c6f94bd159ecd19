#!/usr/bin/env python3
"""Compares the answers of the command line tool's heads with those of transformers and sentence-transformers, on random
models of random sizes and random texts, none of which is recorded.

Usage: compare_heads.py BERT_PROGRAM [--models N] [--seed S]    (in the environment of make_heads.py)
Prints the largest deviation of each task, and exits with 1 where an answer differs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import make_heads
import torch
import transformers
from make_heads import WORDS, answers_of, byte_span, tokenizer_in, vocabulary
from make_models import randomize
from sentence_transformers import CrossEncoder
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertTokenizer,
    pipeline,
)

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
TOLERANCE = 2e-5
OTHER = ["Café", "Zürich", "microsofts", "don't", "中国", "x1", "ﬁne", "👍🏽", "\u00a0", "é", "—", "ANNA", "10.5", "a@b.c", "[SEP]"]


class Comparison:
    def __init__(self, program, rng):
        self.program = program
        self.rng = rng
        self.worst = {}
        self.answers = {}
        self.differing = []

    def text(self, most=30):
        words = self.rng.choices(WORDS + OTHER, k=self.rng.randint(1, most))
        return " ".join(word + self.rng.choice(["", "", "", ",", ".", "!"]) for word in words)

    def short_text(self, tokenizer, form="{}"):
        """One that the model takes whole: these pipelines cut nothing."""
        while True:
            text = form.format(self.text(10), self.text(10))
            if len(tokenizer(text)["input_ids"]) <= make_heads.POSITIONS:
                return text

    def run(self, command, folder, records, *options):
        """The tool's answers to records, one JSON object a line."""
        threads = ["--threads", str(self.rng.randint(1, 2)), "--token-budget", str(self.rng.choice([16, 200, 4096]))]
        text = "".join(json.dumps(record) + "\n" for record in records)
        result = subprocess.run([self.program, command, folder, *options, *threads], input=text, capture_output=True,
                                text=True, encoding="utf-8")
        if result.returncode != 0:
            sys.exit(f"bert {command}: {result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def same(self, task, given, expected, what):
        """Both are lists of (what has to be equal, score)."""
        self.answers[task] = self.answers.get(task, 0) + 1
        worst = max((abs(a[1] - b[1]) for a, b in zip(given, expected)), default=0.0)
        # Of scores that are all but equal, either may come first.
        names = lambda pairs: sorted((pair[0] for pair in pairs), key=str)
        if len(given) != len(expected) or worst > TOLERANCE or names(given) != names(expected):
            self.differing.append(f"{task}: {what!r}: given {given}, expected {expected}")
        self.worst[task] = max(self.worst.get(task, 0.0), worst)


def random_model(cls, folder, rng, **settings):
    heads = rng.choice([1, 2, 3, 4])
    config = BertConfig(
        attn_implementation="eager",
        vocab_size=len(vocabulary()),
        hidden_size=heads * rng.choice([5, 8, 12, 20]),
        num_hidden_layers=rng.randint(1, 4),
        num_attention_heads=heads,
        intermediate_size=rng.randint(3, 90),
        max_position_embeddings=make_heads.POSITIONS,
        hidden_act=rng.choice(["gelu", "gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh"]),
        layer_norm_eps=rng.choice([1e-12, 1e-5]),
        **settings,
    )
    model = cls(config).eval()
    randomize(model, torch.Generator().manual_seed(rng.randrange(1 << 30)))
    model.save_pretrained(folder)
    tokenizer_in(folder)
    return model, BertTokenizer.from_pretrained(folder)


def fill_mask(c, folder):
    model, tokenizer = random_model(BertForMaskedLM, folder, c.rng, tie_word_embeddings=c.rng.random() < 0.7)
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, device=-1)
    texts = [c.short_text(tokenizer, "{} [MASK] {}") for _ in range(6)]
    for text, given in zip(texts, c.run("fill-mask", folder, [{"text": t} for t in texts], "--format", "jsonl")):
        expected = pipe(text)
        c.same("fill-mask", [(x["id"], x["score"]) for x in given["masks"][0]["candidates"]],
               [(x["token"], x["score"]) for x in expected], text)


def next_sentence(c, folder):
    model, tokenizer = random_model(BertForNextSentencePrediction, folder, c.rng)
    pairs = [(c.text(25), c.text(25)) for _ in range(8)]
    given = c.run("next-sentence", folder, [{"text": a, "text_pair": b} for a, b in pairs], "--format", "jsonl")
    for (a, b), answer in zip(pairs, given):
        inputs = tokenizer(a, b, truncation=True, max_length=make_heads.POSITIONS, return_tensors="pt")
        c.same("next-sentence", [(0, answer["is_next"])], [(0, model(**inputs).logits.softmax(1)[0, 0].item())], (a, b))


def classify(c, folder):
    labels = [f"l{i}" for i in range(c.rng.randint(2, 7))]
    model, tokenizer = random_model(BertForSequenceClassification, folder, c.rng, num_labels=len(labels),
                                    id2label=dict(enumerate(labels)), problem_type=c.rng.choice(
                                        ["single_label_classification", "multi_label_classification"]))
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, device=-1)
    texts = [c.text(60) for _ in range(8)]
    given = c.run("classify", folder, [{"text": t} for t in texts], "--format", "jsonl")
    for text, answer in zip(texts, given):
        expected = pipe(text, top_k=None, truncation=True, max_length=make_heads.POSITIONS)
        c.same("classify", [(x["label"], x["score"]) for x in answer["labels"]],
               [(x["label"], x["score"]) for x in expected], text)


def zero_shot(c, folder):
    model, tokenizer = random_model(BertForSequenceClassification, folder, c.rng, num_labels=3, id2label={
        0: "entailment", 1: "neutral", 2: "contradiction"}, label2id={"entailment": 0, "neutral": 1, "contradiction": 2})
    pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer, device=-1)
    labels = c.rng.sample(WORDS, 3)
    multi = c.rng.random() < 0.5
    texts = [c.text(60) for _ in range(4)]
    given = c.run("classify", folder, [{"text": t} for t in texts], "--format", "jsonl", "--labels", ",".join(labels),
                  *["--multi-label"] * multi)
    for text, answer in zip(texts, given):
        expected = pipe(text, labels, multi_label=multi)
        c.same("zero-shot", [(x["label"], x["score"]) for x in answer["labels"]],
               list(zip(expected["labels"], expected["scores"])), text)


def entities(c, folder):
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    model, tokenizer = random_model(BertForTokenClassification, folder, c.rng, num_labels=5, id2label=dict(enumerate(labels)))
    for aggregation in ("none", "simple", "first", "average", "max"):
        pipe = pipeline("token-classification", model=model, tokenizer=tokenizer, device=-1,
                        aggregation_strategy=aggregation)
        texts = [c.short_text(tokenizer) for _ in range(3)]
        given = c.run("entities", folder, [{"text": t} for t in texts], "--format", "jsonl", "--aggregation", aggregation)
        for text, answer in zip(texts, given):
            c.same("entities", [((x["label"], x["start"], x["end"]), x["score"]) for x in answer["entities"]],
                   [((x.get("entity_group", x.get("entity")), *byte_span(text, x["start"], x["end"])), float(x["score"]))
                    for x in pipe(text)], text)


def ask(c, folder):
    model, tokenizer = random_model(BertForQuestionAnswering, folder, c.rng)
    text, question = c.text(200), c.text(5)
    length, stride = c.rng.choice([(48, 10), (40, 0), (32, 4)])
    file = Path(folder, "text.txt")
    file.write_text(text, encoding="utf-8")
    given = c.run("ask", folder, [], question, str(file), "--top-k", "3", "--window", str(length), "--stride", str(stride))
    expected = answers_of(model, tokenizer, question, text, 3, 15, False, True, length, stride)
    c.same("ask", [((x["text"], x["start"], x["end"]), x["score"]) for x in given[0]["answers"]],
           [((x["text"], *x["span"]), x["score"]) for x in expected["answers"]], (question, text))


def rerank(c, folder):
    random_model(BertForSequenceClassification, folder, c.rng, num_labels=1)
    model = CrossEncoder(str(folder), device="cpu")
    query, documents = c.text(8), [c.text(60) for _ in range(8)]
    given = c.run("rerank", folder, [{"text": d} for d in documents], query, "--format", "jsonl")
    scores = model.predict([(query, d) for d in documents], batch_size=1)
    expected = sorted(((i, float(s)) for i, s in enumerate(scores)), key=lambda pair: -pair[1])
    c.same("rerank", [(x["index"], x["score"]) for x in given], expected, query)


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--models", type=int, default=10, help="of each head (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    comparison = Comparison(options.program, random.Random(options.seed))
    for task in (fill_mask, next_sentence, classify, zero_shot, entities, ask, rerank):
        for _ in range(options.models):
            with tempfile.TemporaryDirectory() as folder:
                task(comparison, Path(folder))
    for task, worst in comparison.worst.items():
        print(f"{task}: {comparison.answers[task]} answers of {options.models} models, largest deviation {worst:.1e}")
    for line in comparison.differing:
        print(line[:1500])
    sys.exit(1 if comparison.differing else 0)


if __name__ == "__main__":
    main()
