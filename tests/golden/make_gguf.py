#!/usr/bin/env python3
"""Makes gguf/: a tiny random model as GGUF files of several number formats, written as llama.cpp's converter writes
BERT, and the hidden states that transformers computes from the numbers in each of them. README.md says what each file
holds.

Run with no arguments. Needs gguf, numpy, torch, transformers and tokenizers.
"""

import json
import platform
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import tokenizers
import torch
import transformers
from make_models import randomize
from safetensors.numpy import save_file
from transformers import BertConfig, BertModel, BertTokenizer

ROOT = Path(__file__).resolve().parent / "gguf"
SEED = 20250110
POSITIONS = 24
TEXTS = ["The cat sat on the mat.", "Überall café, 中国!", "unplayed [MASK] playing", "a"]
PAIR = ("the cat sat", "a dog ran")

WORDS = "the cat dog sat ran on mat house city caf cafe über uberall play river bank money old new".split()
PIECES = ["##" + p for p in ["s", "ed", "ing", "er", "all", "e", "a", "n", "y", "d", "g", "h", "o", "p", "l"]]
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'\"()中国")


def vocabulary():
    return ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *WORDS, *PIECES]


def llama_cpp_name(name):
    """As gguf's own table of names has it; it asks for the names without their ends."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, 1)
    result = table.get_name(name, try_suffixes=(".weight", ".bias"))
    assert result is not None, name
    return result


def write(path, tensors, kind, tokens, config):
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS)
    writer.add_token_type_count(config.type_vocab_size)
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

    def phantom(token):
        if token in special:
            return token
        return token[2:] if token.startswith("##") else "\u2581" + token

    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    # Two rows of the embedding table without a token, as the converter fills up.
    names = [phantom(t) for t in tokens] + ["\u2581[PAD%d]" % i for i in range(len(tokens), config.vocab_size)]
    types = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens]
    types += [gguf.TokenType.UNUSED] * (config.vocab_size - len(tokens))
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_bos_token_id(tokens.index("[CLS]"))
    writer.add_sep_token_id(tokens.index("[SEP]"))
    writer.add_pad_token_id(tokens.index("[PAD]"))
    writer.add_unk_token_id(tokens.index("[UNK]"))
    writer.add_mask_token_id(tokens.index("[MASK]"))

    stored = {}
    for name, values in tensors.items():
        plain = values.ndim == 1 or "position" in name or "token_type" in name
        type_ = gguf.GGMLQuantizationType.F32 if plain else kind
        data = gguf.quants.quantize(values, type_)
        writer.add_tensor(llama_cpp_name(name), data, raw_dtype=type_)
        stored[name] = gguf.quants.dequantize(data, type_).astype(np.float32).reshape(values.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    tokens = vocabulary()
    assert len(set(tokens)) == len(tokens)
    config = BertConfig(
        vocab_size=len(tokens) + 2,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        type_vocab_size=2,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    randomize(model, torch.Generator().manual_seed(SEED))
    tensors = {k: v.numpy() for k, v in model.state_dict().items() if v.dtype == torch.float32}

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text("".join(t + "\n" for t in tokens), encoding="utf-8")
        tokenizer = BertTokenizer(str(Path(folder) / "vocab.txt"))
        inputs = [tokenizer(text, return_tensors="pt") for text in TEXTS]
        inputs.append(tokenizer(*PAIR, return_tensors="pt"))
    expected = {
        "ids": np.concatenate([i["input_ids"][0].numpy() for i in inputs]),
        "type_ids": np.concatenate([i["token_type_ids"][0].numpy() for i in inputs]),
        "offsets": np.cumsum([0] + [i["input_ids"].shape[1] for i in inputs]),
    }
    kinds = gguf.GGMLQuantizationType
    for name, kind in {"f32": kinds.F32, "f16": kinds.F16, "bf16": kinds.BF16, "q8_0": kinds.Q8_0}.items():
        stored = write(ROOT / f"{name}.gguf", tensors, kind, tokens, config)
        model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in stored.items()}, strict=True)
        with torch.no_grad():
            states = [model(**i).last_hidden_state[0].numpy() for i in inputs]
        expected[f"{name}.last_hidden_state"] = np.concatenate(states)
    save_file(expected, ROOT / "expected.safetensors")
    (ROOT / "texts.json").write_text(
        json.dumps({"texts": TEXTS, "pair": PAIR, "tokens": tokens}, ensure_ascii=False, indent=0) + "\n",
        encoding="utf-8",
    )
    versions = {
        "python": platform.python_version(),
        "gguf": version("gguf"),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
