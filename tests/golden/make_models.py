#!/usr/bin/env python3
"""Makes models/: tiny random BERT folders and the numbers PyTorch gives for them. README.md says what each file holds.

Run with no arguments. Needs the packages of models/versions.json; nothing of it is needed to build or test the library.
"""

import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import safetensors.torch
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
)
from transformers.activations import ACT2CLS

ROOT = Path(__file__).resolve().parent / "models"
SEED = 20240229

# Activations of transformers that have weights of their own, which no BERT checkpoint carries.
PARAMETRIC = {"prelu", "xielu"}


# -------------------------------------------------------------------------------------------------------------- models


def randomize(module, generator):
    """Replaces all weights by values that exercise every part.

    The initialization of transformers (standard deviation 0.02) leaves attention uniform and GELU linear. Here scores
    have a spread of about 2, pre-activations one of about 1.5, and layer norms gains and biases far from one and zero,
    so that a mistake in any of them moves the output by far more than the tolerance.
    """

    def normal(shape, mean, std):
        return torch.randn(shape, generator=generator) * std + mean

    with torch.no_grad():
        for name, p in sorted(module.named_parameters()):
            if "LayerNorm.weight" in name:
                p.copy_(normal(p.shape, 1.0, 0.3))
            elif p.dim() == 1:
                p.copy_(normal(p.shape, 0.0, 0.4))
            elif "embeddings" in name:
                p.copy_(normal(p.shape, 0.0, 1.0))
            elif ".query." in name or ".key." in name or "intermediate" in name:
                p.copy_(normal(p.shape, 0.0, 1.5 / p.shape[1] ** 0.5))
            else:
                p.copy_(normal(p.shape, 0.0, 1.0 / p.shape[1] ** 0.5))


def make_model(seed, cls=BertModel, **config):
    """A model in evaluation mode with random weights and eager (plain) attention."""
    model = cls(BertConfig(attn_implementation="eager", **config)).eval()
    randomize(model, torch.Generator().manual_seed(seed))
    return model


def random_texts(config, lengths, seed):
    """(ids, type ids) per text, drawn from the whole vocabulary, the padding id included."""
    rng = np.random.default_rng(seed)
    texts = []
    for n in lengths:
        ids = rng.integers(0, config.vocab_size, n)
        types = np.sort(rng.integers(0, config.type_vocab_size, n))
        texts.append((ids.tolist(), types.tolist()))
    return texts


@torch.inference_mode()
def run(model, texts, dtype=torch.float32):
    """Runs each text by itself. Returns hidden states (a list over layers of tokens x hidden), pooler output (texts x
    hidden, or None) and attentions (a list over layers: heads x n x n of each text, flattened one after another)."""
    bert = getattr(model, "bert", model).to(dtype)
    hidden, pooled, attentions = [], [], []
    for ids, types in texts:
        out = bert(
            torch.tensor([ids]), token_type_ids=torch.tensor([types]), output_hidden_states=True, output_attentions=True
        )
        hidden.append([h[0] for h in out.hidden_states])
        attentions.append([a[0].reshape(-1) for a in out.attentions])
        if out.pooler_output is not None:
            pooled.append(out.pooler_output[0])
    bert.to(torch.float32)
    return (
        [torch.cat(layer).contiguous() for layer in zip(*hidden)],
        torch.stack(pooled) if pooled else None,
        [torch.cat(layer).contiguous() for layer in zip(*attentions)],
    )


def batch_tensors(texts):
    """Packed ids and type ids, and the cumulative lengths of the texts."""
    return {
        "ids": torch.tensor(sum((t[0] for t in texts), []), dtype=torch.int64),
        "type_ids": torch.tensor(sum((t[1] for t in texts), []), dtype=torch.int64),
        "offsets": torch.tensor(np.cumsum([0] + [len(t[0]) for t in texts]), dtype=torch.int64),
    }


def expected_tensors(model, texts):
    """Everything the tests compare a model with, by name."""
    hidden, pooled, attentions = run(model, texts)
    hidden64, pooled64, _ = run(model, texts, torch.float64)
    out = batch_tensors(texts)
    out.update({f"hidden_states.{i}": h for i, h in enumerate(hidden)})
    out.update({f"attentions.{i}": a for i, a in enumerate(attentions)})
    out["float64.last_hidden_state"] = hidden64[-1]
    if pooled is not None:
        out["pooler_output"] = pooled
        out["float64.pooler_output"] = pooled64
    deviation = max((a.double() - b).abs().max().item() for a, b in zip(hidden, hidden64))
    return out, deviation


def save(path, tensors):
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, path)


def rewrite_weights(folder, rename, **extra):
    """Renames the tensors of a saved checkpoint and adds some, as older versions of transformers wrote them."""
    path = folder / "model.safetensors"
    tensors = {rename(k): v for k, v in safetensors.torch.load_file(path).items()}
    tensors.update(extra)
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def gamma_beta(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def make_bert_models():
    """bert/: one folder per model, and beside it <name>.expected.safetensors."""
    root = ROOT / "bert"
    root.mkdir(parents=True)
    worst = {}

    def make(name, lengths, config, cls=BertModel, dtype=torch.float32, shard="1GB", after=None):
        folder = root / name
        seed = SEED + len(worst)
        model = make_model(seed, cls, **config).to(dtype)
        model.save_pretrained(folder, max_shard_size=shard)
        model.to(torch.float32)  # the reference is the float32 computation on the stored weights
        (folder / "generation_config.json").unlink(missing_ok=True)
        expected, worst[name] = expected_tensors(model, random_texts(model.config, lengths, seed))
        if after:
            after(folder)
        save(root / f"{name}.expected.safetensors", expected)
        return model

    def sizes(vocab, hidden, layers, heads, inner, positions, types, act="gelu", eps=1e-12):
        return dict(
            vocab_size=vocab,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=inner,
            max_position_embeddings=positions,
            type_vocab_size=types,
            hidden_act=act,
            layer_norm_eps=eps,
        )

    positions = lambda n: torch.arange(n, dtype=torch.int64).reshape(1, n)

    base = make("base", [1, 2, 7, 12, 24], sizes(61, 32, 2, 4, 50, 24, 2))
    make("heads_of_20", [5, 1, 16, 9], sizes(40, 60, 1, 3, 86, 16, 1, act="relu", eps=1e-5))
    make("heads_of_11", [11, 3, 8], sizes(37, 33, 2, 3, 45, 13, 2, act="silu"))
    make("heads_of_1", [4, 1, 9], sizes(23, 5, 2, 5, 3, 9, 2, act="gelu_new"))
    make("one_head_deep", [6, 10, 1], sizes(31, 20, 3, 1, 7, 10, 3, act="gelu_pytorch_tanh", eps=1e-3))
    make("float16", [3, 18, 7], sizes(40, 100, 1, 5, 30, 20, 3, eps=1e-3), dtype=torch.float16)
    make("bfloat16", [2, 8, 12], sizes(45, 48, 2, 2, 62, 12, 2), dtype=torch.bfloat16)
    make(
        "sharded",
        [4, 7, 10],
        sizes(43, 24, 2, 3, 30, 10, 2, eps=1e-5),
        shard="16KB",
        after=lambda folder: add_to_first_shard(folder, "embeddings.position_ids", positions(10)),
    )
    make(
        "prefixed_gamma_beta",
        [3, 9, 6],
        sizes(43, 24, 2, 3, 30, 10, 2),
        cls=BertForPreTraining,
        after=lambda folder: rewrite_weights(folder, gamma_beta, **{"bert.embeddings.position_ids": positions(10)}),
    )
    make("masked_lm_no_pooler", [3, 9, 6], sizes(43, 24, 1, 2, 30, 10, 2), cls=BertForMaskedLM)
    make("classifier", [3, 9, 6], sizes(43, 24, 1, 2, 30, 10, 2), cls=BertForSequenceClassification)

    make_activations(root, base)
    make_padded(root, base)
    return worst


def add_to_first_shard(folder, name, tensor):
    index_path = folder / "model.safetensors.index.json"
    index = json.loads(index_path.read_text())
    shard = sorted(set(index["weight_map"].values()))[0]
    tensors = safetensors.torch.load_file(folder / shard)
    tensors[name] = tensor
    safetensors.torch.save_file(tensors, folder / shard, metadata={"format": "pt"})
    index["weight_map"][name] = shard
    index_path.write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def make_activations(root, base):
    """Each activation on a range of numbers, and the model `base` with its hidden_act replaced."""
    extremes = [-100.0, -30.0, -0.01, -1e-5, -0.0, 1e-5, 0.01, 30.0, 100.0]
    x = torch.cat([torch.linspace(-12, 12, 193), torch.tensor(extremes)])
    texts = random_texts(base.config, [9, 4], SEED - 1)
    out = {"x": x, **batch_tensors(texts)}
    state = base.state_dict()
    for name in sorted(set(ACT2CLS) - PARAMETRIC):
        out[f"values.{name}"] = transformers.activations.get_activation(name)(x.double())
        config = {**base.config.to_dict(), "hidden_act": name}
        model = BertModel(BertConfig(attn_implementation="eager", **config)).eval()
        model.load_state_dict(state)
        hidden, _, _ = run(model, texts)
        out[f"last_hidden_state.{name}"] = hidden[-1]
    save(root / "activations.expected.safetensors", out)


@torch.inference_mode()
def make_padded(root, base):
    """The model `base` on a padded batch with an attention mask: the rows of padding are not compared."""
    texts = random_texts(base.config, [3, 8, 5], SEED - 2)
    width = max(len(ids) for ids, _ in texts)
    pad = lambda row: row + [0] * (width - len(row))
    ids = torch.tensor([pad(t[0]) for t in texts])
    types = torch.tensor([pad(t[1]) for t in texts])
    mask = torch.tensor([pad([1] * len(t[0])) for t in texts])
    out = base(ids, token_type_ids=types, attention_mask=mask)
    save(
        root / "padded.expected.safetensors",
        {
            "ids": ids,
            "type_ids": types,
            "attention_mask": mask,
            "last_hidden_state": out.last_hidden_state,
            "pooler_output": out.pooler_output,
        },
    )


# ---------------------------------------------------------------------------------------------- sentence-transformers


def vocabulary():
    """Special tokens, all of lower- and upper-case ASCII, some accents and words: small, yet no text is all [UNK]."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = "the cat dog sat on a mat query passage search river bank of and money to is in it was".split()
    pieces = "ing ed s er ly tion un able".split()
    return (
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        + list(letters)
        + ["##" + c for c in letters]
        + list("0123456789")
        + ["##" + c for c in "0123456789"]
        + list(".,:;!?-'\"()/")
        + ["猫", "河", "é", "ß"]
        + sorted(set(words) - set(letters))
        + ["##" + p for p in pieces if len(p) > 1]
        + [w.capitalize() for w in ("the", "cat", "bank")]
    )


TEXTS = [
    "",
    " ",
    "a",
    "The cat sat on the mat.",
    "the dog sat on the mat",
    "A dog was on it!",
    "The bank of the river",
    "money in the bank",
    "Searching, searched; searches: unsearchable?",
    "it was 42 (or 1234567890) to 3.14",
    "Ünïcödé café naïve",
    "猫 on the 河",
    "猫猫河河 straße",
    "[MASK] of the [SEP] river [UNK]",
    "!!!???...",
    "\t tabs\nand\r\nlines \u00a0 \u2003 spaces ",
    "query: what is it",
    "Ωμέγα и кириллица",
    "antidisestablishmentarianism",
    "emoji \U0001f408 on a mat \U0001f3de\ufe0f",
    "the cat and the dog and the cat and the dog sat on the mat in the bank of the river and it was",
    "the quick brown fox jumps over the lazy dog " * 12,
]

QUERY_PROMPTS = {"query": "query: ", "document": "passage: ", "other": "the search of money "}


def tokenizer_for(vocab, folder, **options):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    return BertTokenizer(vocab=str(folder / "vocab.txt"), **options)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def legacy_modules(*modules, first_path=""):
    """modules.json as versions before 5 wrote it: (path, class name) for each module after the transformer."""
    entries = [(first_path, "Transformer"), *modules]
    return [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(entries)
    ]


def legacy_pooling(dimension, *modes, **extra):
    """1_Pooling/config.json with one boolean per mode."""
    keys = {
        "cls": "pooling_mode_cls_token",
        "mean": "pooling_mode_mean_tokens",
        "max": "pooling_mode_max_tokens",
        "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
        "weightedmean": "pooling_mode_weightedmean_tokens",
        "lasttoken": "pooling_mode_lasttoken",
    }
    return {"word_embedding_dimension": dimension, **{key: mode in modes for mode, key in keys.items()}, **extra}


class SentenceFolders:
    """sentence/: `transformer/` holds the files all variants share, `variants/<name>/` what each adds or replaces.

    sentence/variants.json says for each variant where the transformer's files go ("" or a subfolder), the attributes
    sentence-transformers reports, and the calls whose embeddings are in expected.safetensors as <variant>.<call>.
    """

    HIDDEN = 24
    POSITIONS = 40

    def __init__(self):
        self.root = ROOT / "sentence"
        self.transformer = self.root / "transformer"
        self.expected = {}
        self.variants = {}
        self.worst = 0.0
        model = make_model(
            SEED + 100,
            vocab_size=len(vocabulary()),
            hidden_size=self.HIDDEN,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=50,
            max_position_embeddings=self.POSITIONS,
            type_vocab_size=2,
        )
        model.save_pretrained(self.transformer)
        tokenizer_for(vocabulary(), self.transformer).save_pretrained(self.transformer)
        write_json(self.root / "texts.json", TEXTS)

    def saved(self, name, modules, max_seq_length=None, calls=("encode",), **kwargs):
        """A variant written by sentence-transformers itself from a list of modules."""
        with tempfile.TemporaryDirectory() as tmp:
            transformer = Transformer(str(self.transformer), max_seq_length=max_seq_length)
            model = SentenceTransformer(modules=[transformer, *modules], **kwargs)
            model.save_pretrained(tmp, create_model_card=False)
            overlay = self.root / "variants" / name
            for path in sorted(p for p in Path(tmp).rglob("*") if p.is_file()):
                relative = path.relative_to(tmp)
                if relative.name in ("config.json", "model.safetensors", "tokenizer.json") and len(relative.parts) == 1:
                    continue
                (overlay / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, overlay / relative)
        self.record(name, "", calls)

    def written(self, name, files, first_path="", calls=("encode",)):
        """A variant whose files are given: the layouts of older versions. Text is stored as is, all else as JSON."""
        for relative, content in files.items():
            path = self.root / "variants" / name / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                write_json(path, content)
        self.record(name, first_path, calls)

    def assemble(self, name, first_path, folder):
        shutil.copytree(self.transformer, folder / first_path, dirs_exist_ok=True)
        overlay = self.root / "variants" / name
        if overlay.exists():
            shutil.copytree(overlay, folder, dirs_exist_ok=True)

    def record(self, name, first_path, calls):
        with tempfile.TemporaryDirectory() as tmp:
            folder = Path(tmp) / "model"
            self.assemble(name, first_path, folder)
            load = lambda dtype: SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": dtype})
            model, double = load(torch.float32), load(torch.float64).double()
            texts = TEXTS
            limit = model.max_seq_length
            if limit > self.POSITIONS:  # the reference runs off its position table: keep to the texts it can do
                texts = [t for t in TEXTS if len(model.tokenizer(t)["input_ids"]) <= self.POSITIONS]
            for call in calls:
                method, kwargs = CALLS[call]
                encode = lambda m: getattr(m, method)(texts, batch_size=1, **kwargs)
                out, out64 = encode(model), encode(double)
                assert np.isfinite(out).all()
                self.worst = max(self.worst, float(np.abs(out - out64).max()))
                self.expected[f"{name}.{call}"] = torch.from_numpy(np.ascontiguousarray(out))
            length = lambda text, **kwargs: len(model.tokenizer(text, **kwargs)["input_ids"])
            tokens = [length(t, truncation=True, max_length=min(limit, self.POSITIONS)) for t in texts]
            whole = [length(t) for t in texts]
            self.expected[f"{name}.tokens"] = torch.tensor(tokens)
            self.expected[f"{name}.untruncated_tokens"] = torch.tensor(whole)
            self.expected[f"{name}.texts"] = torch.tensor([TEXTS.index(t) for t in texts])
            first = self.expected[f"{name}.{calls[0]}"]
            self.expected[f"{name}.similarity"] = model.similarity(first, first)
            self.variants[name] = {
                "transformer_path": first_path,
                "max_seq_length": min(limit, self.POSITIONS),
                "dimension": model.get_embedding_dimension(),
                "similarity_fn_name": model.similarity_fn_name,
                "calls": list(calls),
            }

    def finish(self):
        write_json(self.root / "variants.json", self.variants)
        save(self.root / "expected.safetensors", self.expected)
        return self.worst


# The calls of sentence-transformers a variant is recorded with. variants.json names them; the tests know their meaning.
CALLS = {
    "encode": ("encode", {}),
    "normalize": ("encode", {"normalize_embeddings": True}),
    "truncate_7": ("encode", {"truncate_dim": 7}),
    "truncate_7_normalize": ("encode", {"truncate_dim": 7, "normalize_embeddings": True}),
    "encode_query": ("encode_query", {}),
    "encode_document": ("encode_document", {}),
    "prompt_name_other": ("encode", {"prompt_name": "other"}),
    "prompt_custom": ("encode", {"prompt": "the dog: "}),
    "prompt_empty": ("encode", {"prompt": ""}),
}
ALL_PROMPTS = ("encode", "encode_query", "encode_document", "prompt_name_other", "prompt_custom", "prompt_empty")
ALL_LENGTHS = ("encode", "normalize", "truncate_7", "truncate_7_normalize")


def dense(seed, in_features, out_features, activation, **kwargs):
    module = Dense(in_features, out_features, activation_function=activation, **kwargs)
    generator = torch.Generator().manual_seed(SEED + seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.5)
    return module


def make_sentence_folders():
    folders = SentenceFolders()
    n = folders.HIDDEN
    normalize_files = lambda *modes, **extra: {
        "modules.json": legacy_modules(("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")),
        "1_Pooling/config.json": legacy_pooling(n, *modes, **extra),
    }
    pooling_files = lambda *modes, **extra: {
        "modules.json": legacy_modules(("1_Pooling", "Pooling")),
        "1_Pooling/config.json": legacy_pooling(n, *modes, **extra),
    }

    # Every pooling mode, in both spellings of its configuration.
    folders.saved("cls_normalize", [Pooling(n, "cls"), Normalize()], calls=ALL_LENGTHS)
    folders.saved("max", [Pooling(n, "max")], calls=ALL_LENGTHS)
    folders.written("mean_normalize_without_folder", normalize_files("mean"), calls=ALL_LENGTHS)
    folders.saved("mean_sqrt_len_tokens", [Pooling(n, "mean_sqrt_len_tokens")])
    folders.saved("weightedmean", [Pooling(n, "weightedmean")])
    folders.saved("lasttoken", [Pooling(n, "lasttoken")])
    folders.saved("mean_then_cls", [Pooling(n, ["mean", "cls"])], calls=ALL_LENGTHS)
    folders.written("legacy_cls", pooling_files("cls"))
    folders.written("legacy_max_weighted_last", pooling_files("lasttoken", "weightedmean", "max"))
    all_modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    folders.written("legacy_all_six", normalize_files(*all_modes))
    folders.written("legacy_no_mode", pooling_files())

    # Prompts.
    folders.saved("prompts", [Pooling(n, "mean"), Normalize()], prompts=QUERY_PROMPTS, calls=ALL_PROMPTS)
    folders.saved(
        "prompts_default",
        [Pooling(n, "mean"), Normalize()],
        prompts=QUERY_PROMPTS,
        default_prompt_name="other",
        calls=ALL_PROMPTS,
    )
    folders.saved(
        "prompts_excluded_mean",
        [Pooling(n, "mean", include_prompt=False), Normalize()],
        prompts=QUERY_PROMPTS,
        calls=ALL_PROMPTS,
    )
    folders.saved(
        "prompts_excluded_others",
        [Pooling(n, ["cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"], include_prompt=False)],
        prompts=QUERY_PROMPTS,
        max_seq_length=9,
        calls=("encode", "encode_query", "prompt_custom"),
    )
    # A folder that names a "passage" prompt but no "document" prompt: encode_document then uses none.
    folders.written(
        "prompts_passage",
        {
            **normalize_files("mean"),
            "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
        },
        calls=("encode", "encode_query", "encode_document"),
    )

    # Dense modules.
    folders.saved("dense_tanh", [Pooling(n, "mean"), dense(1, n, 10, torch.nn.Tanh()), Normalize()], calls=ALL_LENGTHS)
    folders.saved("dense_identity", [Pooling(n, "cls"), dense(2, n, 31, torch.nn.Identity(), bias=False)])
    folders.saved(
        "dense_two",
        [Pooling(n, ["mean", "max"]), dense(3, 2 * n, 20, torch.nn.ReLU()), dense(4, 20, 9, torch.nn.Sigmoid())],
    )
    folders.saved("dense_gelu", [Pooling(n, "mean"), Normalize(), dense(5, n, 8, torch.nn.GELU())])
    folders.saved("dense_residual", [Pooling(n, "mean"), dense(6, n, 8, torch.nn.Tanh(), use_residual=True)])

    # Length limits. Version 6 stores its limit in tokenizer_config.json, older ones in sentence_bert_config.json.
    folders.saved("limit_12", [Pooling(n, "mean"), Normalize()], max_seq_length=12)
    limit = lambda n: {"max_seq_length": n, "do_lower_case": False}
    folders.written("legacy_limit_16", {**normalize_files("mean"), "sentence_bert_config.json": limit(16)})
    folders.written("legacy_limit_null", {**normalize_files("mean"), "sentence_bert_config.json": limit(None)})
    folders.written("legacy_limit_100", {**normalize_files("mean"), "sentence_bert_config.json": limit(100)})

    # Layouts.
    folders.written("plain_transformer", {})
    folders.written(
        "transformer_in_subfolder",
        {
            "modules.json": legacy_modules(("1_Pooling", "Pooling"), ("2_Dense", "Dense"), first_path="0_Transformer"),
            "0_Transformer/sentence_bert_config.json": limit(20),
            "1_Pooling/config.json": legacy_pooling(n, "mean"),
            **dense_files("2_Dense", dense(7, n, n, torch.nn.Tanh()), folders),
        },
        first_path="0_Transformer",
    )
    folders.saved("dot_similarity", [Pooling(n, "mean")], similarity_fn_name="dot")
    folders.saved(
        "truncate_dim_in_config", [Pooling(n, "mean"), Normalize()], truncate_dim=11, calls=("encode", "normalize")
    )

    # do_lower_case puts a lower-casing step before the tokenizer's own normalizer, which here keeps case.
    with tempfile.TemporaryDirectory() as tmp:
        cased = tokenizer_for(vocabulary(), Path(tmp), do_lower_case=False)
        cased.save_pretrained(tmp)
        names = ("tokenizer.json", "tokenizer_config.json")
        cased_files = {name: (Path(tmp) / name).read_text(encoding="utf-8") for name in names}
    folders.written("cased", {**normalize_files("mean"), **cased_files})
    folders.written(
        "cased_do_lower_case",
        {**normalize_files("mean"), **cased_files, "sentence_bert_config.json": {**limit(30), "do_lower_case": True}},
    )
    return folders.finish()


def dense_files(path, module, folders):
    """The files of a Dense module in the layout of older versions: the same files, with fewer keys."""
    target = folders.root / "variants" / "transformer_in_subfolder" / path
    target.mkdir(parents=True, exist_ok=True)
    module.save(str(target))
    config = {
        "in_features": module.in_features,
        "out_features": module.out_features,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    return {f"{path}/config.json": config}


def main():
    torch.set_num_threads(1)
    shutil.rmtree(ROOT, ignore_errors=True)
    worst = make_bert_models()
    worst_sentence = make_sentence_folders()
    write_json(
        ROOT / "versions.json",
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "sentence-transformers": sentence_transformers.__version__,
            "worst deviation of torch float32 from float64, hidden states": worst,
            "worst deviation of torch float32 from float64, sentence embeddings": worst_sentence,
        },
    )


if __name__ == "__main__":
    main()
