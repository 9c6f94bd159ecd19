#!/usr/bin/env python3
"""Makes heads/: tiny random models with every head, and what transformers and sentence-transformers answer with them.
README.md says what each file holds.

Run with no arguments, in the environment of make_models.py. transformers 5 has no question-answering pipeline any more:
what that of transformers 4 does is written down here again.
"""

import json
import math
import os
import platform
import shutil
import string
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import sentence_transformers
import tokenizers
import torch
import transformers
from make_models import randomize
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SparseEncoder
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertTokenizer,
    pipeline,
)

ROOT = Path(__file__).resolve().parent / "heads"
SEED = 20240607
POSITIONS = 48

WORDS = (
    "the a of to in on is was are and or not who what where when did does how it he she they we i you this that with for "
    "from at by as cat dog sat mat ran house river bank money city paris berlin france germany anna john london york new "
    "capital big small old red blue good bad very film great boring loved hated play plays played work works lives live "
    "born year day time first last example about sports politics science music water train news people world"
).split()
PIECES = ["##" + p for p in ["s", "ed", "ing", "er", "ly", "est", "ton", "ish", "soft", "micro"]]
LETTERS = [c for c in string.ascii_lowercase if c not in WORDS]


def vocabulary():
    special = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    continued = ["##" + c for c in string.ascii_lowercase if "##" + c not in PIECES]
    other = list("0123456789") + ["##1", "##0", "中", "国", "α", "##λ", "é"]
    return special + list(string.punctuation) + LETTERS + WORDS + PIECES + continued + other


def tokenizer_in(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=POSITIONS)
    (folder / "vocab.txt").unlink()
    tokenizer.save_pretrained(folder)
    return tokenizer


def make(name, cls, act="gelu", layers=2, scale=1.0, head=None, **config):
    """Saves a model with its tokenizer in heads/<name>; `head` names parameters to multiply by `scale`, so that one
    answer stands out."""
    config = BertConfig(
        attn_implementation="eager",
        vocab_size=len(vocabulary()),
        hidden_size=24,
        num_hidden_layers=layers,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=POSITIONS,
        hidden_act=act,
        **config,
    )
    model = cls(config).eval()
    seed = SEED + sum(map(ord, name))
    randomize(model, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter, value in model.named_parameters():
            if head and parameter.startswith(head):
                value.mul_(scale)
    model.save_pretrained(ROOT / name)
    (ROOT / name / "generation_config.json").unlink(missing_ok=True)
    tokenizer_in(ROOT / name)


def opened(name, cls, **overrides):
    """The model of heads/<name>, with changes of its configuration, and its tokenizer."""
    config = BertConfig.from_pretrained(ROOT / name)
    for key, value in overrides.items():
        setattr(config, key, value)
    config._attn_implementation = "eager"
    return cls.from_pretrained(ROOT / name, config=config).eval(), BertTokenizer.from_pretrained(ROOT / name)


def byte_span(text, start, end):
    return [len(text[:start].encode()), len(text[:end].encode())]


def rounded(value):
    """Floats with the nine digits that tell all float32 apart."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


def write(name, cases, **common):
    """One case a line."""
    lines = [json.dumps(rounded(c), ensure_ascii=False, separators=(",", ":")) for c in cases]
    head = "".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)},\n" for k, v in common.items())
    text = "{\n" + head + '"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    (ROOT / name).write_text(text, encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------- fill-mask


@torch.inference_mode()
def fill_mask_cases():
    texts = [
        "the cat sat on the [MASK].",
        "[MASK]",
        "anna [MASK] in [MASK], and it's [MASK]!",
        "Café [MASK] 中国 of microsofts, don't [MASK]?",
        "  the   [MASK]\tbank ",
    ]
    targets = [["cat", "dog"], ["dog", "dog", "london"], ["cat", "londoner", "mat", ""], ["sat"]]
    cases, worst = [], 0.0
    for name, cls in [
        ("masked_lm", BertForMaskedLM),
        ("masked_lm_separate", BertForMaskedLM),
        ("pretraining", BertForMaskedLM),
    ]:
        model, tokenizer = opened(name, cls)
        pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, device=-1)
        for text in texts:
            for chosen in [None] + (targets if text == texts[0] or text == texts[2] else []):
                options = {} if chosen is None else {"targets": chosen}
                options["top_k"] = 3 if chosen is None and text == texts[1] else 5
                out = pipe(text, **options)
                masks = [out] if isinstance(out[0], dict) else out
                inputs = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
                offsets = inputs.pop("offset_mapping")[0].tolist()
                places = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero().flatten().tolist()
                logits = model(**inputs).logits[0]
                worst = max(worst, deviation(model, inputs, lambda out: out.logits))
                cases.append(
                    {
                        "model": name,
                        "text": text,
                        "targets": chosen or [],
                        "top_k": options["top_k"],
                        "masks": [
                            {"span": byte_span(text, *offsets[place]), "candidates": mask}
                            for place, mask in zip(places, masks)
                        ],
                    }
                )
        for text in ["the cat sat on the mat.", "", " ", "paris is the capital of france"] + [" ".join(WORDS)]:
            cases.append({"model": name, "text": text, **pseudo_likelihood(model, tokenizer, text)})
    write("fill_mask.json", cases)
    return worst


def pseudo_likelihood(model, tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    room = POSITIONS - 2
    windows = [ids[i : i + room] for i in range(0, len(ids), room)] or [[]]
    total = 0.0
    for window in windows:
        whole = [tokenizer.cls_token_id, *window, tokenizer.sep_token_id]
        for i in range(1, len(whole) - 1):
            masked = torch.tensor([whole])
            masked[0, i] = tokenizer.mask_token_id
            total += model(input_ids=masked).logits[0, i].double().log_softmax(-1)[whole[i]].item()
    perplexity = math.exp(-total / len(ids)) if ids else 1.0
    return {"log_likelihood": total, "perplexity": perplexity, "tokens": len(ids), "windows": len(windows)}


def deviation(model, inputs, pick):
    """How far PyTorch's float32 is from its float64."""
    single = pick(model(**inputs)).double()
    double = pick(model.double()(**inputs))
    model.float()
    return (single - double).abs().max().item()


# ------------------------------------------------------------------------------------------- next sentence, classifiers

PAIRS = [
    ("the cat sat on the mat.", "it was very good!"),
    ("", "anna lives in paris"),
    ("who is anna?", ""),
    ("Café microsofts 中国", "don't work with 10 people, α"),
    (" ".join(WORDS[:40]), " ".join(WORDS[20:60])),
    ("london", " ".join(WORDS[:70])),
]
TEXTS = ["the film was great, i loved it", "", "  ", "boring! i hated the film. 中国", " ".join(WORDS)]


@torch.inference_mode()
def next_sentence_cases():
    cases, worst = [], 0.0
    for name in ["pretraining", "next_sentence"]:
        model, tokenizer = opened("pretraining", BertForNextSentencePrediction)
        for first, second in PAIRS:
            # As lists: of a single pair transformers drops an empty second text, of a list of pairs it does not.
            inputs = tokenizer([first], [second], return_tensors="pt", truncation=True, max_length=POSITIONS)
            logits = model(**inputs).logits[0]
            worst = max(worst, deviation(model, inputs, lambda out: out.logits))
            cases.append(
                {
                    "architecture": "BertForPreTraining" if name == "pretraining" else "BertForNextSentencePrediction",
                    "pair": [first, second],
                    "logits": logits.tolist(),
                    "probability": logits.softmax(-1)[0].item(),
                    "truncated": len(tokenizer(first, second)["input_ids"]) > POSITIONS,
                }
            )
    write("next_sentence.json", cases)
    return worst


@torch.inference_mode()
def text_classifier_cases():
    cases, worst = [], 0.0
    variants = [
        ("classifier", {}),
        ("classifier", {"problem_type": "multi_label_classification"}),
        ("classifier", {"problem_type": "single_label_classification"}),
        ("classifier", {"problem_type": "regression"}),
        ("single_label", {}),
        ("single_label", {"problem_type": "regression"}),
    ]
    for name, overrides in variants:
        model, tokenizer = opened(name, BertForSequenceClassification, **overrides)
        pipe = pipeline("text-classification", model=model, tokenizer=tokenizer, device=-1)
        for item in TEXTS + [pair for pair in PAIRS if pair[1]]:
            pair = not isinstance(item, str)
            given = {"text": item[0], "text_pair": item[1]} if pair else item
            inputs = tokenizer(*(item if pair else (item,)), return_tensors="pt", truncation=True)
            worst = max(worst, deviation(model, inputs, lambda out: out.logits))
            case = {
                "model": name,
                "config": overrides,
                "texts": list(item) if pair else [item],
                "logits": model(**inputs).logits[0].tolist(),
                "truncated": len(tokenizer(*(item if pair else (item,)))["input_ids"]) > POSITIONS,
            }
            for function in [None, "softmax", "sigmoid", "none"]:
                out = pipe(given, top_k=None, function_to_apply=function, truncation=True)
                case["scores" if function is None else function] = [[s["label"], s["score"]] for s in out]
            cases.append(case)
    write("text_classifier.json", cases)
    return worst


def zero_shot_cases():
    cases = []
    names = {
        "classifier": None,
        "entailment_first": ["ENTAILMENT", "neutral", "contradiction"],
        "entailment_last": ["contradiction", "neutral", "entailment"],
        "entailment_middle": ["not_same", "entails", "other"],
    }
    for variant, labels in names.items():
        if labels is None:
            continue
        overrides = {"id2label": dict(enumerate(labels)), "label2id": {l: i for i, l in enumerate(labels)}}
        model, tokenizer = opened("classifier", BertForSequenceClassification, **overrides)
        pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer, device=-1)
        for text in ["paris is great", " ".join(WORDS), "anna plays music in london"]:
            for candidates in [["sports", "politics", "science"], ["music"], ["sports", "sports"]]:
                for multi in [False, True]:
                    for template in ["This example is {}.", "the news about {}, "]:
                        out = pipe(text, candidates, multi_label=multi, hypothesis_template=template)
                        cases.append(
                            {
                                "config": {"id2label": {str(i): l for i, l in enumerate(labels)}},
                                "text": text,
                                "candidates": candidates,
                                "multi_label": multi,
                                "hypothesis": template,
                                "labels": out["labels"],
                                "scores": out["scores"],
                            }
                        )
    write("zero_shot.json", cases)


# -------------------------------------------------------------------------------------------------- question answering


def answers_of(model, tokenizer, question, context, top_k, max_answer_len, impossible, align, length, stride):
    """What the question-answering pipeline of transformers 4.57 answers."""
    length = length or min(tokenizer.model_max_length, 384)
    stride = min(length // 2, 128) if stride is None else stride
    encoded = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    null, answers = 1000000.0, []
    for window in range(len(encoded["input_ids"])):
        encoding = encoded.encodings[window]
        ids = torch.tensor([encoding.ids])
        out = model(input_ids=ids, token_type_ids=torch.tensor([encoding.type_ids]))
        allowed = np.array([i == 0 or s == 1 for i, s in enumerate(encoding.sequence_ids)])
        probabilities = []
        for logits in (out.start_logits[0].numpy(), out.end_logits[0].numpy()):
            masked = np.where(allowed, logits, np.float32(-10000.0))
            exponentials = np.exp(masked - masked.max())
            probabilities.append(exponentials / exponentials.sum())
        start, end = probabilities
        null = min(null, float(start[0] * end[0]))
        start[0] = end[0] = 0.0
        products = np.tril(np.triu(np.outer(start, end)), max_answer_len - 1)
        flat = products.flatten()
        best = np.argsort(-flat, kind="stable")[: top_k * 2 + 10 if align else top_k]
        for s, e in zip(*np.unravel_index(best, products.shape)):
            if encoding.sequence_ids[s] != 1 or encoding.sequence_ids[e] != 1 or e < s or e - s >= max_answer_len:
                continue
            first, last = encoding.offsets[s][0], encoding.offsets[e][1]
            if align and encoding.token_to_word(s) is not None and encoding.token_to_word(e) is not None:
                first = encoding.word_to_chars(encoding.token_to_word(s), 1)[0]
                last = encoding.word_to_chars(encoding.token_to_word(e), 1)[1]
            text = context[first:last]
            same = next((a for a in answers if a["text"].lower() == text.lower()), None)
            if same:
                same["score"] += float(products[s, e])
            else:
                answers.append({"score": float(products[s, e]), "span": byte_span(context, first, last), "text": text})
    no_answer = null
    if impossible:
        answers.append({"score": null, "span": [0, 0], "text": ""})
    answers = sorted(answers, key=lambda a: a["score"], reverse=True)[:top_k]
    return {"answers": answers, "no_answer_score": no_answer, "windows": len(encoded["input_ids"])}


@torch.inference_mode()
def question_answering_cases():
    rng = np.random.default_rng(SEED)
    long = " ".join(rng.choice(WORDS + ["Londoner,", "Café", "microsofts", "don't", "中国.", "PLAYING", "10"], 400))
    contexts = [
        "Anna lives in Paris. John lives in Berlin, the capital of Germany!",
        "Café microsofts: 中国 don't play; α zürich playing 10 trains.",
        "the cat The CAT the Cat",
        "x",
        "plays [MASK] in [SEP] paris [CLS] london",
        long,
    ]
    questions = ["who lives in paris?", "what is the capital of germany", " "]
    model, tokenizer = opened("question_answering", BertForQuestionAnswering)
    cases, worst = [], 0.0
    for context in contexts:
        for question in questions:
            for top_k, max_answer_len, impossible, align, length, stride in [
                (1, 15, False, True, None, None),
                (5, 15, True, True, None, None),
                (3, 4, False, False, None, None),
                (4, 1, True, True, 30, 7),
                (2, 100, False, True, 24, 0),
            ]:
                result = answers_of(model, tokenizer, question, context, top_k, max_answer_len, impossible, align, length, stride)
                cases.append(
                    {
                        "question": question,
                        "context": context,
                        "top_k": top_k,
                        "max_answer_len": max_answer_len,
                        "handle_impossible_answer": impossible,
                        "align_to_words": align,
                        "max_length": length,
                        "doc_stride": stride,
                        **result,
                    }
                )
            inputs = tokenizer(question, context, return_tensors="pt", truncation=True)
            worst = max(worst, deviation(model, inputs, lambda out: torch.stack([out.start_logits, out.end_logits])))
    # The text of the long context is written once.
    for case in cases:
        if case["context"] == long:
            case["context"] = None
    write("question_answering.json", cases, long_context=long)
    return worst


# ------------------------------------------------------------------------------------------------ token classification


@torch.inference_mode()
def token_classifier_cases():
    model, tokenizer = opened("token_classifier", BertForTokenClassification)
    rng = np.random.default_rng(SEED + 1)
    odd = ["Londoner,", "Café", "microsofts", "don't", "中国.", "PLAYING", "10", "ü", "e\u0301a", "yorkishly"]
    texts = [
        "Anna Londonton lives in New York, not in Berlin.",
        "Café microsofts: 中国 don't play; α zürich playing 10 trains.",
        "",
        "e\u0301 é plays [MASK] in [SEP] 東京 london",
        " ".join(rng.choice(WORDS + odd, 38)),
        " ".join(rng.choice(WORDS + odd, 150)),
        # Of entities that overlap those of another window, one of fewer bytes has more characters.
        " ".join(np.random.default_rng(2).choice(["Zürich", "中国", "Anna", "東京,", "é", "लंदन", "Paris"], 70)),
    ]
    cases, worst = [], 0.0
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True)
        worst = max(worst, deviation(model, inputs, lambda out: out.logits))
        for aggregation in ["none", "simple", "first", "average", "max"]:
            for stride in [None, 0, 9]:
                for ignored in [["O"], []] if stride is None else [["O"]]:
                    options = {} if stride is None else {"stride": stride}
                    # The pipeline refuses the name "none" beside a stride, but not the default, which is the same.
                    if aggregation != "none":
                        options["aggregation_strategy"] = aggregation
                    pipe = pipeline(
                        "token-classification",
                        model=model,
                        tokenizer=tokenizer,
                        device=-1,
                        ignore_labels=ignored,
                        **options,
                    )
                    entities = pipe(text)
                    cases.append(
                        {
                            "text": text,
                            "aggregation": aggregation,
                            "stride": stride,
                            "ignore_labels": ignored,
                            "truncated": stride is None and len(tokenizer(text)["input_ids"]) > POSITIONS,
                            "entities": [
                                [
                                    e.get("entity_group", e.get("entity")),
                                    float(e["score"]),
                                    *byte_span(text, e["start"], e["end"]),
                                    e["word"],
                                    e.get("index"),
                                ]
                                for e in entities
                            ],
                        }
                    )
    write("token_classifier.json", cases)
    return worst


# ----------------------------------------------------------------------------------------- reranking, sparse, ColBERT


def copied(name, folder, **overrides):
    shutil.copytree(ROOT / name, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | overrides))
    return str(folder)


def reranker_cases():
    identity, tanh = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"
    variants = [
        ("single_label", {}),
        ("single_label", {"sbert_ce_default_activation_function": identity}),
        ("single_label", {"sentence_transformers": {"activation_fn": tanh}}),
        ("single_label", {"sentence_transformers": {"activation_fn": identity}, "sbert_ce_default_activation_function": tanh}),
        ("single_label", {"sentence_transformers": {"activation_fn": "my.own.Function"}}),
        ("classifier", {}),
        ("classifier", {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"}),
    ]
    documents = [second for _, second in PAIRS] + ["the dog ran", "the cat sat on the mat."]
    cases = []
    with tempfile.TemporaryDirectory() as tmp:
        for i, (name, overrides) in enumerate(variants):
            model = CrossEncoder(copied(name, Path(tmp) / str(i), **overrides), device="cpu")
            case = {"model": name, "config": overrides, "scores": model.predict([list(p) for p in PAIRS]).tolist()}
            case["softmax"] = model.predict([list(p) for p in PAIRS], apply_softmax=True).tolist()
            if model.num_labels == 1:
                case["query"] = "who lives in paris?"
                case["documents"] = documents
                ranked = model.rank(case["query"], documents)
                case["ranked"] = [[r["corpus_id"], float(r["score"])] for r in ranked]
            cases.append(case)
        # As sentence-transformers 6 saves it, with a prompt.
        model = CrossEncoder(
            copied("single_label", Path(tmp) / "x"), device="cpu", activation_fn=torch.nn.Tanh(), max_length=20
        )
        model.prompts = {"search": "what is ", "none": ""}
        model.default_prompt_name = "search"
        model.save_pretrained(str(Path(tmp) / "saved"))
        target = ROOT / "cross_encoder"
        target.mkdir()
        for file in ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer_config.json"]:
            shutil.copy(Path(tmp) / "saved" / file, target / file)
        model = CrossEncoder(str(Path(tmp) / "saved"), device="cpu")
        cases.append({"model": "single_label", "overlay": "cross_encoder", "config": {}, "scores": model.predict([list(p) for p in PAIRS]).tolist()})
    write("reranker.json", cases)


def sparse_cases():
    texts = TEXTS + ["Café 中国 microsofts", "the the the"]
    cases = []
    with tempfile.TemporaryDirectory() as tmp:
        for name, settings in [
            ("plain", None),
            ("sum", {"pooling_strategy": "sum"}),
            ("log1p", {"activation_function": "log1p_relu"}),
            ("top", {"max_active_dims": 8}),
        ]:
            folder = copied("masked_lm", Path(tmp) / name)
            model = SparseEncoder(folder, device="cpu")
            if settings is not None:
                if "max_active_dims" in settings:
                    model.max_active_dims = settings["max_active_dims"]
                for key, value in settings.items():
                    if key != "max_active_dims":
                        setattr(model[1], key, value)
                model.prompts = {"query": "the ", "document": "a "}
                folder = str(Path(tmp) / (name + "_saved"))
                model.save_pretrained(folder)
                overlay = ROOT / ("sparse_" + name)
                (overlay / "1_SpladePooling").mkdir(parents=True)
                for file in ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "1_SpladePooling/config.json"]:
                    shutil.copy(Path(folder) / file, overlay / file)
                model = SparseEncoder(folder, device="cpu")
            for method in ["encode_query", "encode_document"] if name == "top" else ["encode"]:
                rows = getattr(model, method)(texts, convert_to_sparse_tensor=False)
                cases.append(
                    {
                        "overlay": None if settings is None else "sparse_" + name,
                        "method": method,
                        "vectors": [[[i, v] for i, v in enumerate(row.tolist()) if v != 0] for row in rows],
                    }
                )
    write("sparse.json", cases, texts=texts)


def late_interaction_cases():
    queries = ["who lives in paris?", "", "the capital, of [unused1] germany. " * 8]
    documents = ["Anna lives in Paris!", "", "...", "microsofts, 中国: don't", " ".join(WORDS)]
    cases = []

    def record(model, overlay):
        q = model.encode_query(queries)
        d = model.encode_document(documents)
        cases.append(
            {
                "overlay": overlay,
                "queries": [e.tolist() for e in q],
                "documents": [e.tolist() for e in d],
                "scores": model.similarity(q, d).tolist(),
            }
        )

    with tempfile.TemporaryDirectory() as tmp:
        for name, metadata in [
            ("colbert_default", None),
            ("colbert_attend", {"attend_to_mask_tokens": True, "query_maxlen": 20, "doc_maxlen": 30, "mask_punctuation": False}),
            ("colbert_markers", {"query_token_id": "[unused1]", "doc_token_id": "[unused0]", "query_maxlen": None, "doc_maxlen": 10}),
        ]:
            folder = copied("colbert", Path(tmp) / name)
            if metadata is not None:
                (ROOT / name).mkdir()
                (ROOT / name / "artifact.metadata").write_text(json.dumps(metadata) + "\n")
                shutil.copy(ROOT / name / "artifact.metadata", folder)
            record(MultiVectorEncoder(folder, device="cpu"), None if metadata is None else name)
        # As sentence-transformers saves the same model, and as PyLate does.
        model = MultiVectorEncoder(copied("colbert", Path(tmp) / "x"), device="cpu")
        model.save_pretrained(str(Path(tmp) / "saved"))
        pylate = {
            "model_type": "ColBERT",
            "query_prefix": "[unused1] ",
            "document_prefix": "[D] ",
            "query_length": 12,
            "document_length": 24,
            "attend_to_expansion_tokens": True,
            "skiplist_words": [".", "microsofts", "the"],
            "prompts": {"query": "who ", "document": ""},
        }
        for name in ["colbert_saved", "colbert_pylate", "colbert_min"]:
            overlay = ROOT / name
            (overlay / "1_Dense").mkdir(parents=True)
            files = ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer.json"]
            for file in files + ["tokenizer_config.json", "1_Dense/config.json", "1_Dense/model.safetensors"]:
                shutil.copy(Path(tmp) / "saved" / file, overlay / file)
            for module in (Path(tmp) / "saved").glob("[23]_*"):
                if name != "colbert_pylate":
                    shutil.copytree(module, overlay / module.name)
            if name == "colbert_min":
                # Settings beside those of the ColBERT authors: longer queries stay whole, shorter ones end in another
                # token, and words are skipped on both sides.
                expansion = {"query_expansion": {"strategy": "min", "attend": True, "token": "cat", "length": 16}}
                (overlay / "sentence_bert_config.json").write_text(json.dumps(expansion) + "\n")
                mask = {"skiplist_words": [".", "lives", "the"], "skiplist_tasks": ["query", "document"]}
                (overlay / "2_MultiVectorMask" / "config.json").write_text(json.dumps(mask) + "\n")
            if name == "colbert_pylate":
                (overlay / "config_sentence_transformers.json").write_text(json.dumps(pylate, indent=2) + "\n")
                modules = json.loads((overlay / "modules.json").read_text())[:2]
                modules[1]["type"] = "pylate.models.Dense.Dense"
                (overlay / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
                for file in ["tokenizer.json", "tokenizer_config.json"]:
                    shutil.copy(ROOT / "colbert" / file, overlay / file)
                (overlay / "sentence_bert_config.json").write_text('{"max_seq_length": 40}\n')
                dense = {"in_features": 24, "out_features": 16, "bias": False, "activation_function": "torch.nn.modules.linear.Identity"}
                (overlay / "1_Dense" / "config.json").write_text(json.dumps(dense) + "\n")
            folder = Path(copied("colbert", Path(tmp) / (name + "_whole")))
            shutil.copytree(overlay, folder, dirs_exist_ok=True)
            config = json.loads((folder / "config.json").read_text()) | {"architectures": ["BertModel"]}
            (folder / "config.json").write_text(json.dumps(config))
            record(MultiVectorEncoder(str(folder), device="cpu"), name)
    write("late_interaction.json", cases, query_texts=queries, document_texts=documents)


def make_colbert():
    """The layout of the ColBERT authors: the encoder under "bert.", and the projection as "linear.weight"."""
    make("colbert", BertForMaskedLM)
    path = ROOT / "colbert" / "model.safetensors"
    tensors = {k: v for k, v in load_file(path).items() if k.startswith("bert.")}
    generator = torch.Generator().manual_seed(SEED)
    tensors["linear.weight"] = torch.randn(16, 24, generator=generator) / 24**0.5
    save_file(tensors, path, metadata={"format": "pt"})
    path = ROOT / "colbert" / "config.json"
    config = json.loads(path.read_text()) | {"architectures": ["HF_ColBERT"]}
    path.write_text(json.dumps(config, indent=2) + "\n")


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    shutil.rmtree(ROOT, ignore_errors=True)
    flat = {"head": "cls.predictions.transform.LayerNorm", "scale": 0.4}
    make("masked_lm", BertForMaskedLM, **flat)
    make("masked_lm_separate", BertForMaskedLM, act="gelu_new", layers=1, tie_word_embeddings=False)
    make("pretraining", BertForPreTraining, act="relu", layers=1, **flat)
    make("question_answering", BertForQuestionAnswering, head="qa_outputs", scale=2.0)
    names = ["negative", "neutral", "positive"]
    labels = lambda names: {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    make("classifier", BertForSequenceClassification, act="gelu_new", **labels(names))
    make("single_label", BertForSequenceClassification, act="relu", layers=1, num_labels=1)
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"]
    make("token_classifier", BertForTokenClassification, act="gelu_new", head="classifier", scale=3.0, **labels(tags))
    make_colbert()
    worst = {
        "fill_mask": fill_mask_cases(),
        "next_sentence": next_sentence_cases(),
        "text_classifier": text_classifier_cases(),
        "question_answering": question_answering_cases(),
        "token_classifier": token_classifier_cases(),
    }
    zero_shot_cases()
    reranker_cases()
    sparse_cases()
    late_interaction_cases()
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "sentence-transformers": sentence_transformers.__version__,
        "worst deviation of torch float32 from float64, logits": worst,
    }
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
