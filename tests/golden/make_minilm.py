#!/usr/bin/env python3
"""Makes minilm/expected.safetensors: the embeddings and some hidden states PyTorch gives for minilm/texts.json.

Usage: make_minilm.py FOLDER, where FOLDER holds sentence-transformers/all-MiniLM-L6-v2 as published.
"""

import hashlib
import json
import os
import platform
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import safetensors.torch
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parent / "minilm"
# Indices of short texts whose hidden states are stored on every layer.
WITH_HIDDEN_STATES = (0, 1, 2)


@torch.inference_mode()
def hidden_states(folder, text, dtype):
    model = AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    features = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    return features["input_ids"][0], [h[0] for h in model(**features, output_hidden_states=True).hidden_states]


def main():
    folder = Path(sys.argv[1])
    texts = json.loads((ROOT / "texts.json").read_text(encoding="utf-8"))
    torch.set_num_threads(1)

    single = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    double = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float64})
    embeddings = single.encode(texts)
    embeddings64 = double.encode(texts)
    assert embeddings.dtype == np.float32 and embeddings64.dtype == np.float64

    ids = [single.tokenizer(t, truncation=True, max_length=single.max_seq_length)["input_ids"] for t in texts]
    whole = [single.tokenizer(t)["input_ids"] for t in texts]
    out = {
        "embeddings": torch.from_numpy(embeddings),
        "tokens": torch.tensor([len(i) for i in ids]),
        "untruncated_tokens": torch.tensor([len(i) for i in whole]),
    }
    deviation = 0.0
    for index in WITH_HIDDEN_STATES:
        token_ids, layers = hidden_states(folder, texts[index], torch.float32)
        _, layers64 = hidden_states(folder, texts[index], torch.float64)
        out[f"{index}.ids"] = token_ids
        for layer, (h, h64) in enumerate(zip(layers, layers64)):
            out[f"{index}.hidden_states.{layer}"] = h.contiguous()
            deviation = max(deviation, (h.double() - h64).abs().max().item())
    safetensors.torch.save_file(out, ROOT / "expected.safetensors")

    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "sentence-transformers": sentence_transformers.__version__,
        "sha256 of model.safetensors": digest,
        "worst deviation of torch float32 from float64, embeddings": float(np.abs(embeddings - embeddings64).max()),
        "worst deviation of torch float32 from float64, hidden states": deviation,
    }
    (ROOT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
