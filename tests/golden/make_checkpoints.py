#!/usr/bin/env python3
"""Makes checkpoints/: one tiny random BertForPreTraining in the forms that tools/from_checkpoint.py reads, written by
PyTorch and TensorFlow themselves. README.md says what each file holds.

Run with no arguments. Needs torch, transformers, safetensors and tensorflow.
"""

import json
import multiprocessing
import platform
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent / "checkpoints"
SEED = 20250111
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "the", "cat", "##s", "##at", "sat"]


def tensorflow_variables(state):
    """The names and layouts of Google's programs."""
    for name, values in state.items():
        if name in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"):
            continue
        parts = name.replace("encoder.layer.", "encoder.layer_").split(".")
        if name.startswith("cls.seq_relationship.") or name == "cls.predictions.bias":
            parts[-1] = {"weight": "output_weights", "bias": "output_bias"}[parts[-1]]
        elif parts[-2] == "LayerNorm":
            parts[-1] = {"weight": "gamma", "bias": "beta"}[parts[-1]]
        elif parts[-2].endswith("_embeddings"):
            parts.pop()
        elif parts[-1] == "weight":
            parts[-1] = "kernel"
            values = values.T
        yield "/".join(parts), values


def write_tensorflow(folder, state, versions):
    """In a process of its own: PyTorch and TensorFlow do not get on in one."""
    import tensorflow as tf

    versions["tensorflow"] = tf.__version__
    folder.mkdir()
    with tf.Graph().as_default():
        variables = []
        for name, values in tensorflow_variables(state):
            variables.append(tf.compat.v1.get_variable(name, initializer=values))
            if name.endswith("query/kernel"):  # what training leaves behind
                variables.append(tf.compat.v1.get_variable(name + "/adam_m", initializer=0 * values))
        variables.append(tf.compat.v1.get_variable("global_step", initializer=tf.constant(7, tf.int64)))
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.train.Saver(variables).save(session, str(folder / "bert_model.ckpt"), write_meta_graph=False)
    (folder / "checkpoint").unlink()


def main():
    import torch
    import transformers
    from make_models import randomize
    from safetensors.torch import save_file
    from transformers import BertConfig, BertForPreTraining

    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    config = BertConfig(
        vocab_size=len(TOKENS),
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=16,
    )
    config.architectures = ["BertForPreTraining"]
    model = BertForPreTraining(config).eval()
    randomize(model, torch.Generator().manual_seed(SEED))
    state = model.state_dict()
    for folder, zipped in [("torch", True), ("torch_legacy", False)]:
        (ROOT / folder).mkdir()
        model.config.to_json_file(ROOT / folder / "config.json")
        (ROOT / folder / "vocab.txt").write_text("".join(t + "\n" for t in TOKENS))
        torch.save(state, ROOT / folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    context = multiprocessing.get_context("spawn")
    versions = context.Manager().dict()
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    folder = ROOT / "tensorflow"
    process = context.Process(target=write_tensorflow, args=(folder, arrays, versions))
    process.start()
    process.join()
    assert process.exitcode == 0
    keys = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"]
    keys += ["max_position_embeddings", "type_vocab_size", "attention_probs_dropout_prob", "hidden_dropout_prob"]
    values = {key: getattr(config, key) for key in [*keys, "initializer_range"]}
    (folder / "bert_config.json").write_text(json.dumps(values, indent=2) + "\n")
    (folder / "vocab.txt").write_text("".join(t + "\n" for t in TOKENS))
    expected = {k: v.clone() for k, v in state.items() if not k.startswith("cls.predictions.decoder.")}
    save_file(expected, ROOT / "expected.safetensors")
    versions.update(python=platform.python_version(), torch=torch.__version__, transformers=transformers.__version__)
    (ROOT / "versions.json").write_text(json.dumps(dict(versions), indent=2) + "\n")


if __name__ == "__main__":
    main()
