"""What compare.py times: models in every runtime's own form and texts, made once and kept in a cache folder."""

import ast
import functools
import gzip
import importlib.metadata
import json
import os
import random
import re
import shutil
import statistics
import sys
import warnings
from pathlib import Path

# Real English: licences and descriptions that come with the packages requirements.txt pins, so that the same versions
# give the same texts on every machine.
TEXT_PACKAGES = ["torch", "numpy", "scikit-learn", "scipy", "onnxruntime", "openvino", "transformers",
                 "sentence-transformers", "huggingface-hub", "tokenizers"]
DOCUMENTED_PACKAGES = ["scipy", "scikit-learn", "transformers"]
MAX_TOKENS = 256
BATCH = 32


def log(*words):
    print(*words, file=sys.stderr, flush=True)


def once(path, make):
    """Makes `path`, a file or a folder, under another name first, so that what is there is complete."""
    path = Path(path)
    if not path.exists():
        log("making", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name("part-" + path.name)
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
        make(part)
        part.rename(path)
    return path


# Models

class Pooled:
    """Makes a module of what every engine computes: last hidden states, their mean over the tokens, unit length."""

    def __new__(cls, model):
        import torch

        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, input_ids, attention_mask, token_type_ids):
                hidden = self.model(input_ids=input_ids, attention_mask=attention_mask,
                                    token_type_ids=token_type_ids).last_hidden_state
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * mask).sum(1) / mask.sum(1)
                return torch.nn.functional.normalize(mean, dim=1)

        return Module().eval()


INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def load_torch(folder, attention):
    from transformers import BertModel
    return BertModel.from_pretrained(folder, attn_implementation=attention, add_pooling_layer=False).eval()


# Models with random weights, for speed does not depend on the values: the shapes of BERT-base and of BGE-small.
RANDOM_MODELS = {
    "base": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "bge": {"num_hidden_layers": 12, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536},
}


def random_model(name, minilm, target):
    """A model of RANDOM_MODELS, with MiniLM's tokenizer."""
    import torch
    from transformers import BertConfig, BertModel
    torch.manual_seed(0)
    # The position type is BERT's default, but CTranslate2 wants to read it.
    BertModel(BertConfig(position_embedding_type="absolute", **RANDOM_MODELS[name])).save_pretrained(target)
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(Path(minilm) / file, target)


def example_inputs():
    import torch
    ids = torch.full((2, 16), 2000)
    return (ids, torch.ones_like(ids), torch.zeros_like(ids))


def export_onnx(folder, target):
    """With attention written out, the form that ONNX Runtime's fusions know."""
    import torch
    axes = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    torch.onnx.export(Pooled(load_torch(folder, "eager")), example_inputs(), str(target), input_names=INPUTS,
                      output_names=["embeddings"], dynamic_axes=axes | {"embeddings": {0: "batch"}},
                      opset_version=17, dynamo=False)


def fuse_onnx(folder, source, target):
    from onnxruntime.transformers import optimizer
    config = json.loads((Path(folder) / "config.json").read_text())
    layers = config["num_hidden_layers"]
    model = optimizer.optimize_model(str(source), model_type="bert", num_heads=config["num_attention_heads"],
                                     hidden_size=config["hidden_size"], opt_level=1)
    fused = model.get_fused_operator_statistics()
    for operator, count in (("Attention", layers), ("SkipLayerNormalization", 2 * layers), ("BiasGelu", layers)):
        if fused[operator] != count:
            raise RuntimeError(f"{source}: {count} x {operator} should have been fused, got {fused}")
    model.save_model_to_file(str(target))


def quantize_onnx(source, target):
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    # Without VNNI instructions the products of 8 bits by 8 saturate; 7 bits do not.
    quantize_dynamic(source, target, op_types_to_quantize=["MatMul", "Attention"], weight_type=QuantType.QInt8,
                     per_channel=True, reduce_range=not cpu_flags() & {"avx512_vnni", "avx_vnni"},
                     extra_options={"DefaultTensorType": TensorProto.FLOAT})


def convert_openvino(folder, target):
    import openvino
    model = openvino.convert_model(Pooled(load_torch(folder, "sdpa")), example_input=example_inputs())
    for port, name in zip(model.inputs, INPUTS):
        port.get_tensor().set_names({name})
    model.reshape({port: openvino.PartialShape([-1, -1]) for port in model.inputs})
    save_openvino(model, target)


def save_openvino(model, target):
    import openvino
    target.mkdir()
    openvino.save_model(model, target / "model.xml", compress_to_fp16=False)


def quantize_openvino(source, corpus, target):
    """Static int8 with real texts to calibrate by, the way OpenVINO recommends for transformers."""
    import nncf
    import numpy
    import openvino
    samples = []
    for ids in read_ids(corpus)[:128]:
        row = numpy.array([ids], dtype=numpy.int64)
        samples.append({"input_ids": row, "attention_mask": numpy.ones_like(row),
                        "token_type_ids": numpy.zeros_like(row)})
    model = openvino.Core().read_model(source / "model.xml")
    quantized = nncf.quantize(model, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER,
                              subset_size=len(samples))
    save_openvino(quantized, target)


def convert_ctranslate2(folder, quantization, target):
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(str(folder)).convert(str(target), quantization=quantization)


def prepare_model(name, folder, cache, engines):
    """Makes what `engines` need of the model in `folder`. Returns the engines that cannot be made, and why."""
    home = Path(cache) / name
    corpus = Path(cache) / "corpus-256.ids"

    def onnx():
        return once(home / "model.onnx", lambda target: export_onnx(folder, target))

    def fused():
        source = onnx()
        return once(home / "fused.onnx", lambda target: fuse_onnx(folder, source, target))

    def openvino():
        return once(home / "openvino", lambda target: convert_openvino(folder, target))

    def openvino_int8():
        source = openvino()
        return once(home / "openvino-int8", lambda target: quantize_openvino(source, corpus, target))

    makers = {
        "onnxruntime": fused,
        "onnxruntime-int8": lambda: once(home / "int8.onnx", lambda target: quantize_onnx(fused(), target)),
        "openvino": openvino,
        "openvino-bf16": openvino,
        "openvino-int8": openvino_int8,
        "ctranslate2": lambda: once(home / "ctranslate2", lambda t: convert_ctranslate2(folder, None, t)),
        "ctranslate2-int8": lambda: once(home / "ctranslate2-int8", lambda t: convert_ctranslate2(folder, "int8", t)),
    }
    failed = {}
    for engine in engines:
        try:
            makers.get(engine, lambda: None)()
        except Exception as error:  # a runtime that fails to convert must not end the run, but has to be reported
            failed[engine] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return failed


def cpu_flags():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    return set()


# Texts

def prose(text):
    """The paragraphs of a text that are sentences: no tables, code or lists of links."""
    text = re.sub(r"```.*?```|<[^>]*>|https?://\S+", " ", text, flags=re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", text):
        words = " ".join(paragraph.split())
        letters = sum(c.isalpha() or c == " " for c in words)
        if len(words) >= 40 and letters >= 0.85 * len(words):
            yield words


def package_files(package, pattern):
    files = importlib.metadata.distribution(package).files or []
    for file in sorted(str(file.locate()) for file in files if re.search(pattern, str(file))):
        yield Path(file).read_text(encoding="utf-8", errors="replace")


@functools.cache
def package_sentences():
    """Sentences of TEXT_PACKAGES in their order."""
    sentences = []
    for package in TEXT_PACKAGES:
        for text in package_files(package, r"dist-info/(.*/)?(METADATA|LICENSE[^/]*|NOTICE[^/]*)$"):
            for paragraph in prose(text):
                sentences += re.split(r"(?<=[.!?])\s+", paragraph)
    return list(dict.fromkeys(sentences))


@functools.cache
def docstring_paragraphs():
    """Paragraphs of the documentation in DOCUMENTED_PACKAGES: enough text that nothing can learn it by heart."""
    paragraphs = []
    for package in DOCUMENTED_PACKAGES:
        for source in package_files(package, r"^(?!.*test).*\.py$"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    paragraphs += prose(ast.get_docstring(node) or "")
    return list(dict.fromkeys(paragraphs))[::3]


def uneven_texts(count, seed):
    """Runs of whole words of about log-normal length: half of them below 25 tokens, few very long."""
    generator = random.Random(seed)
    sentences = package_sentences()
    texts = []
    for _ in range(count):
        words = max(1, round(generator.lognormvariate(2.8, 1.1)))
        start = generator.randrange(len(sentences))
        run = []
        while len(run) < words:
            run += sentences[start % len(sentences)].split()
            start += 1
        texts.append(" ".join(run[:words]))
    return texts


def man_page_paragraphs(root="/usr/share/man"):
    """Prose of the manual pages in other languages than English, where the machine has them: {language: paragraphs}."""
    languages = {}
    for path in sorted(Path(root).glob("*/man*/*.gz")):
        try:
            text = gzip.decompress(path.read_bytes()).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        # What is left of the markup once requests, comments and changes of font are gone.
        text = re.sub(r"^[.'].*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"\\f(\[\w*\]|\(\w\w|\w)|\\[&|^%]|\\s[-+]?\d", "", text)
        text = re.sub(r"\\\((aq|dq|lq|rq|oq|cq)", '"', text).replace("\\-", "-").replace("\\ ", " ").replace("\\(em", "-")
        if "\\" not in text:
            languages.setdefault(path.parts[-3], []).extend(x for x in prose(text) if not x.isascii() and "Ã" not in x)
    return {language: list(dict.fromkeys(paragraphs)) for language, paragraphs in languages.items()}


def quality_texts(count, seed=1):
    """Real texts of all lengths, no two alike: up to 4 in 10 of other languages in equal parts, the rest English (half
    sentences of licences and descriptions, half paragraphs of documentation). Each with its language."""
    generator = random.Random(seed)
    foreign = man_page_paragraphs()
    share = count * 4 // 10 // max(1, len(foreign))
    texts = [(language, text) for language, paragraphs in sorted(foreign.items())
             for text in generator.sample(paragraphs, min(share, len(paragraphs)))]
    sentences = (count - len(texts)) // 2
    for source, size in ((package_sentences(), sentences), (docstring_paragraphs(), count - len(texts) - sentences)):
        texts += [("en", text) for text in generator.sample(source, size)]
    generator.shuffle(texts)
    return texts


def read_ids(path):
    return [[int(word) for word in line.split()] for line in Path(path).read_text().splitlines()]


def write_lines(target, lines):
    Path(target).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def prepare_texts(minilm, cache):
    """Writes texts and token ids to the cache: corpus-N.txt and .ids, text-N.ids of one text of N tokens, prose.txt
    and mixed.txt for tokenizers. Returns a description of the corpora."""
    from tokenizers import Tokenizer
    cache = Path(cache)
    tokenizer = Tokenizer.from_file(str(Path(minilm) / "tokenizer.json"))
    tokenizer.no_padding()

    def encode(text, limit):
        tokenizer.enable_truncation(limit)
        return tokenizer.encode(text).ids

    def ids_line(ids):
        return " ".join(map(str, ids))

    for count in (256, 96):
        texts = once(cache / f"corpus-{count}.txt", lambda t: write_lines(t, uneven_texts(count, count)))
        lines = texts.read_text(encoding="utf-8").splitlines()
        once(cache / f"corpus-{count}.ids", lambda t: write_lines(t, [ids_line(encode(x, MAX_TOKENS)) for x in lines]))

    once(cache / "check-16.ids", lambda t: write_lines(t, [ids_line(ids) for ids in read_ids(cache / "corpus-256.ids")[:16]]))
    quality = once(cache / "quality.json", lambda t: t.write_text(json.dumps(quality_texts(1000))))
    once(cache / "quality.ids", lambda t: write_lines(
        t, [ids_line(encode(text, MAX_TOKENS)) for _, text in json.loads(quality.read_text())]))
    once(cache / "prose.txt", lambda t: write_lines(t, docstring_paragraphs()))
    text = " ".join(package_sentences())[:20000]
    for tokens in (8, 32, 128, 512):
        once(cache / f"text-{tokens}.ids", lambda t: write_lines(t, [ids_line(encode(text, tokens))]))

    golden = Path(__file__).resolve().parent.parent / "tests/golden/minilm/texts.json"
    mixed = [" ".join(x.split()) for x in json.loads(golden.read_text(encoding="utf-8")) if not x.isascii()]
    once(cache / "mixed.txt", lambda t: write_lines(t, [x for x in mixed if x] * 40))
    return {str(count): describe(read_ids(cache / f"corpus-{count}.ids")) for count in (256, 96)}


def describe(corpus):
    lengths = sorted(map(len, corpus))
    padded = sum(len(batch) * batch[-1] for batch in (lengths[i:i + BATCH] for i in range(0, len(lengths), BATCH)))
    return {"texts": len(lengths), "tokens": sum(lengths), "median_tokens": statistics.median(lengths),
            "longest": lengths[-1], "padding_factor_sorted_batches": round(padded / sum(lengths), 3)}


def prepare(minilm, cache, models, engines):
    """Fills the cache. Returns (folders of the models, engines that cannot run by model, the corpora described)."""
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error",
                   "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "1"}
    corpora = prepare_texts(minilm, cache)
    folders, failed = {}, {}
    for name in models:
        folders[name] = Path(minilm)
        if name in RANDOM_MODELS:
            folders[name] = once(Path(cache) / name / "random", lambda target: random_model(name, minilm, target))
        failed[name] = prepare_model(name, folders[name], cache, engines)
    return folders, failed, corpora
