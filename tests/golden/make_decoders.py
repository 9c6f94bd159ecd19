#!/usr/bin/env python3
"""Makes decoders/: tiny random models that generate text, and what transformers generates with them. README.md says what
each file holds.

Run with no arguments. Needs the packages of decoders/versions.json; nothing of it is needed to build or test the library.
"""

import copy
import json
import os
import warnings
import platform
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.simplefilter("ignore")

import numpy as np
import safetensors.torch
import tokenizers
import torch
import transformers
from make_models import SEED, randomize, save, tokenizer_for, vocabulary, write_json
from transformers import (
    BertConfig,
    BertGenerationConfig,
    BertGenerationDecoder,
    BertGenerationEncoder,
    BertLMHeadModel,
    BertModel,
    EncoderDecoderModel,
)

ROOT = Path(__file__).resolve().parent / "decoders"
EAGER = dict(attn_implementation="eager")
VOCAB = vocabulary()
PAD, UNK, CLS, SEP, MASK = range(5)


# -------------------------------------------------------------------------------------------------------------- models


def draw(model, seed, eos, eos_bias, logit_scale):
    """Random weights (see make_models.randomize) with which generation wanders instead of repeating one token: what
    attention and feed-forward networks add outweighs the token itself, and no bias outweighs both. Next-token
    distributions are neither flat nor certain; a bias of the end token lets it come up at different times. The seeds in use
    were picked for that."""
    generator = torch.Generator().manual_seed(seed)
    randomize(model, generator)
    decoder = getattr(model, "decoder", model)
    with torch.no_grad():
        for name, p in decoder.named_parameters():
            if "predictions.transform.LayerNorm" in name:
                p.mul_(logit_scale)
            if "output.dense.weight" in name or ".value.weight" in name:
                p.mul_(1.2 if "crossattention" in name else 2)
            if name.endswith("bias"):
                p.mul_(0.3)
            if "word_embeddings" in name:
                p.mul_(0.6)
        if not hasattr(decoder, "cls"):
            last = decoder.bert.encoder.layer[-1].output.LayerNorm
            last.weight.mul_(logit_scale)
            last.bias.mul_(logit_scale)
        decoder.get_output_embeddings().bias[eos] += eos_bias
    return model.eval()


def bert_config(hidden=24, heads=4, positions=40, layers=2, vocab=len(VOCAB), **extra):
    return BertConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden + 2,
        max_position_embeddings=positions,
        type_vocab_size=2,
        **EAGER,
        **extra,
    )


def generation_config(cls=BertGenerationConfig, hidden=20, heads=2, positions=32, layers=2, vocab=67, **extra):
    return cls(
        vocab_size=vocab,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden + 1,
        max_position_embeddings=positions,
        hidden_act="relu",
        layer_norm_eps=1e-5,
        **EAGER,
        **extra,
    )


def causal_lm():
    """BertLMHeadModel with tied embeddings, and a tokenizer."""
    config = bert_config(is_decoder=True, bos_token_id=CLS, eos_token_id=SEP, pad_token_id=PAD)
    return draw(BertLMHeadModel(config), SEED + 66001, SEP, 3.0, 0.7)


def causal_lm_untied():
    """BertLMHeadModel with output weights of its own, one head, another activation, sizes that are multiples of
    nothing."""
    config = bert_config(
        hidden=15,
        heads=1,
        layers=3,
        positions=26,
        vocab=41,
        is_decoder=True,
        hidden_act="gelu_new",
        layer_norm_eps=1e-3,
        eos_token_id=7,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    return draw(BertLMHeadModel(config), SEED + 77002, 7, 0.5, 0.7)


def bert_generation():
    """BertGenerationDecoder by itself: no token types, a plain head."""
    return draw(BertGenerationDecoder(generation_config(is_decoder=True)), SEED + 217003, 1, 2.5, 0.7)


def seq2seq():
    """EncoderDecoderModel of two BERTs of one size, and a tokenizer."""
    encoder = BertModel(bert_config(layers=1))
    decoder = BertLMHeadModel(bert_config(is_decoder=True, add_cross_attention=True))
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    draw(model, SEED + 82004, SEP, 2.5, 0.7)
    model.config.decoder_start_token_id = CLS
    model.config.pad_token_id = PAD
    model.config.eos_token_id = SEP
    model.generation_config.decoder_start_token_id = CLS
    model.generation_config.bos_token_id = None
    model.generation_config.eos_token_id = SEP
    model.generation_config.pad_token_id = PAD
    return model


def seq2seq_projection():
    """EncoderDecoderModel of two BertGenerations whose hidden sizes and vocabularies differ."""
    encoder = BertGenerationEncoder(generation_config(hidden=12, heads=3, positions=20, vocab=53))
    decoder = BertGenerationDecoder(generation_config(is_decoder=True, add_cross_attention=True))
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    draw(model, SEED + 70005, 1, 2.0, 0.5)
    model.generation_config.update(decoder_start_token_id=2, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    return model


# --------------------------------------------------------------------------------------------------------------- cases

BEAMS = [
    dict(num_beams=beams, early_stopping=early, length_penalty=penalty, max_new_tokens=new)
    for beams, early, penalty, new in [
        (2, False, 1.0, 12),
        (3, True, 1.0, 12),
        (3, "never", 1.0, 12),
        (4, False, 0.0, 10),
        (4, True, 0.0, 10),
        (4, "never", 0.0, 10),
        (4, False, 2.0, 15),
        (4, "never", 2.0, 15),
        (5, True, 2.0, 15),
        (5, False, -1.0, 9),
        (3, False, 0.6, 14),
        (6, "never", 0.6, 1),
    ]
]


def options_for(model, vocab, eos):
    """(name, options) of the calls that are recorded for a model; `a`, `b`: tokens that its outputs are full of."""
    encoder_decoder = model.config.is_encoder_decoder
    a, b, c = vocab - 9, vocab - 4, vocab // 2
    calls = [
        ("defaults", {}),
        ("max_length", dict(max_length=14)),
        ("max_new_tokens", dict(max_new_tokens=13)),
        ("min_length", dict(min_length=12, max_length=16)),
        ("min_new_tokens", dict(min_new_tokens=5, max_new_tokens=9)),
        ("no_repeat_1", dict(no_repeat_ngram_size=1, max_new_tokens=12)),
        ("no_repeat_2", dict(no_repeat_ngram_size=2, max_new_tokens=12, min_new_tokens=11)),
        ("no_repeat_3", dict(no_repeat_ngram_size=3, max_new_tokens=12, min_new_tokens=11)),
        ("repetition_penalty", dict(repetition_penalty=1.7, max_new_tokens=12)),
        ("repetition_reward", dict(repetition_penalty=0.8, max_new_tokens=8)),
        ("forced_eos", dict(forced_eos_token_id=eos, max_new_tokens=5, min_new_tokens=4)),
        ("forced_eos_list", dict(forced_eos_token_id=[a, eos], max_new_tokens=5, min_new_tokens=4)),
        ("forced_bos", dict(forced_bos_token_id=c, max_new_tokens=6)),
        ("several_eos", dict(eos_token_id=[eos, a, b, c], max_new_tokens=15)),
        ("uncached", dict(use_cache=False, max_new_tokens=9)),
        ("everything", dict(
            repetition_penalty=1.2, no_repeat_ngram_size=2, min_length=8, max_length=15, forced_eos_token_id=eos,
            suppress_tokens=[a], begin_suppress_tokens=[b], bad_words_ids=[[c]],
        )),
    ]
    for i, beams in enumerate(BEAMS):
        calls.append((f"beams_{i}", {**beams, "num_return_sequences": beams["num_beams"]}))
    calls += [
        ("beams_best", dict(num_beams=4, max_new_tokens=12)),
        ("beams_default_length", dict(num_beams=3, num_return_sequences=2)),
        ("beams_min_length", dict(num_beams=3, num_return_sequences=3, min_new_tokens=6, max_new_tokens=10)),
        ("beams_no_repeat", dict(num_beams=4, num_return_sequences=4, no_repeat_ngram_size=2, max_new_tokens=14)),
        ("beams_repetition", dict(num_beams=3, num_return_sequences=3, repetition_penalty=1.5, max_new_tokens=10)),
        ("beams_forced", dict(num_beams=3, num_return_sequences=3, forced_bos_token_id=c, forced_eos_token_id=eos,
                              max_new_tokens=6, early_stopping=True)),
        ("beams_several_eos", dict(num_beams=3, num_return_sequences=3, eos_token_id=[eos, a, b], max_new_tokens=10)),
        ("beams_uncached", dict(num_beams=3, num_return_sequences=3, use_cache=False, max_new_tokens=8)),
        ("beams_suppress", dict(num_beams=3, num_return_sequences=3, suppress_tokens=[eos, a], max_new_tokens=7)),
        ("beams_renormalized", dict(num_beams=3, num_return_sequences=3, suppress_tokens=[a, b, c],
                                    renormalize_logits=True, max_new_tokens=7)),
    ]
    return calls


@torch.inference_mode()
def run(model, prompt, options):
    """One prompt by itself: [{tokens, score, token_scores}], best first; tokens are the new ones up to the end token."""
    options = copy.deepcopy(options)
    out = model.generate(
        input_ids=torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        return_dict_in_generate=True,
        output_scores=True,
        **options,
    )
    start = 1 if model.config.is_encoder_decoder else len(prompt)
    beams = options.get("num_beams", 1) > 1
    transition = model.compute_transition_scores(
        out.sequences, out.scores, out.beam_indices if beams else None, normalize_logits=not beams
    )
    ends = options.get("eos_token_id", model.generation_config.eos_token_id)
    ends = set(ends if isinstance(ends, list) else [ends])
    results = []
    for i, row in enumerate(out.sequences.tolist()):
        tokens = []
        for token in row[start:]:
            tokens.append(token)
            if token in ends:
                break
        result = {"tokens": tokens, "token_scores": [round(x, 6) for x in transition[i].tolist()[: len(tokens)]]}
        if beams:
            length = int((out.beam_indices[i] >= 0).sum())
            assert length == len(tokens), (length, tokens, row)
            result["score"] = round(out.sequences_scores[i].item(), 6)
        results.append(result)
    return results


def prompts_for(model, rng):
    """Prompts of several lengths."""
    if model.config.is_encoder_decoder:
        vocab, lengths = model.config.encoder.vocab_size, [1, 6, 11, 17]
    else:
        vocab, lengths = model.config.vocab_size, [1, 4, 7, 10]
    return [rng.integers(5, vocab, n).tolist() for n in lengths]


def record_cases(model, eos, seed):
    decoder = model.config.decoder if model.config.is_encoder_decoder else model.config
    prompts = prompts_for(model, np.random.default_rng(seed))
    calls = options_for(model, decoder.vocab_size, eos)
    # The most frequent tokens of plain runs, so that forbidding them matters.
    plain = [t for p in prompts for t in run(model, p, dict(max_new_tokens=12))[0]["tokens"] if t != eos]
    ranked = sorted(set(plain), key=lambda t: (-plain.count(t), t))
    pair = next([x, y] for x, y in zip(plain, plain[1:]) if x != y)
    calls += [
        ("bad_words", dict(bad_words_ids=[[ranked[0]], pair, [eos], [1, 2, 3, 4, 5, 6, ranked[1]]], max_new_tokens=12)),
        ("suppress", dict(suppress_tokens=ranked[:3], max_new_tokens=12)),
        ("begin_suppress", dict(begin_suppress_tokens=[plain[0], eos] + ranked[:1], max_new_tokens=10)),
        ("beams_bad_words", dict(num_beams=3, num_return_sequences=2, bad_words_ids=[[ranked[0]], pair],
                                 max_new_tokens=10)),
    ]
    double = copy.deepcopy(model).double()
    cases, lengths, distinct = [], set(), 0
    for name, options in calls:
        for prompt in prompts:
            if len(prompt) == 1 and "no_repeat" in name and model.config.is_encoder_decoder:
                continue
            expected = run(model, prompt, options)
            exact = run(double, prompt, options)
            assert [r["tokens"] for r in expected] == [r["tokens"] for r in exact], (name, "is decided by rounding")
            cases.append({"name": name, "prompt": prompt, "options": options, "expected": expected})
            lengths |= {len(r["tokens"]) for r in expected}
            distinct += len({tuple(r["tokens"]) for r in expected}) == len(expected)
    ends = [c["expected"][0]["tokens"][-1] == eos for c in cases]
    print(f"  {len(cases)} cases, lengths {sorted(lengths)}, ended by eos: {np.mean(ends):.2f}, "
          f"beams all different: {distinct / len(cases):.2f}, different results: "
          f"{len({json.dumps(c['expected']) for c in cases})}")
    assert len(lengths) > 8 and 0.2 < np.mean(ends) < 0.9
    return cases


SAMPLING = [
    dict(top_k=0),
    dict(),
    dict(temperature=0.5),
    dict(temperature=1.8, top_k=0),
    dict(top_k=4),
    dict(top_k=0, top_p=0.7),
    dict(temperature=1.3, top_k=12, top_p=0.8),
    dict(top_k=0, min_p=0.15),
    dict(top_k=5, repetition_penalty=1.5, suppress_tokens=[9]),
]


@torch.inference_mode()
def record_sampling(model, seed):
    """The distributions that the first new token is drawn from."""
    prompts = prompts_for(model, np.random.default_rng(seed))[1:3]
    cases = []
    for options in SAMPLING:
        for prompt in prompts:
            out = model.generate(
                input_ids=torch.tensor([prompt]), do_sample=True, max_new_tokens=1, return_dict_in_generate=True,
                output_scores=True, **copy.deepcopy(options),
            )
            probabilities = out.scores[0][0].double().softmax(-1)
            kept = {str(i): round(p, 8) for i, p in enumerate(probabilities.tolist()) if p > 0}
            cases.append({"options": options, "prompt": prompt, "probabilities": kept})
    return cases


# ------------------------------------------------------------------------------------------------------- hidden states


@torch.inference_mode()
def record_states(model, seed):
    """Hidden states of every layer and logits, texts one after another; with what the encoder made of the sources."""
    rng = np.random.default_rng(seed)
    encoder_decoder = model.config.is_encoder_decoder
    decoder = model.config.decoder if encoder_decoder else model.config
    out = {}
    sources, texts, hidden, logits, encoded, cross = [], [], [], [], [], []
    for n in (1, 5, 9, 16):
        ids = rng.integers(0, decoder.vocab_size, n).tolist()
        texts.append(ids)
        kwargs = dict(output_hidden_states=True, output_attentions=True)
        if encoder_decoder:
            source = rng.integers(0, model.config.encoder.vocab_size, 18 - n).tolist()
            sources.append(source)
            r = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([ids]), **kwargs)
            hidden.append([h[0] for h in r.decoder_hidden_states])
            encoded.append(r.encoder_last_hidden_state[0])
        else:
            mask = torch.ones(1, n, dtype=torch.long)
            r = model(input_ids=torch.tensor([ids]), attention_mask=mask, **kwargs)
            hidden.append([h[0] for h in r.hidden_states])
        logits.append(r.logits[0])

    def pack(prefix, lists):
        out[f"{prefix}ids"] = torch.tensor(sum(lists, []), dtype=torch.int64)
        out[f"{prefix}offsets"] = torch.tensor(np.cumsum([0] + [len(x) for x in lists]), dtype=torch.int64)

    pack("", texts)
    if encoder_decoder:
        pack("source_", sources)
        out["encoder_hidden_states"] = torch.cat(encoded)
    for i, layer in enumerate(zip(*hidden)):
        out[f"hidden_states.{i}"] = torch.cat(layer)
    out["logits"] = torch.cat(logits)
    return out


# ---------------------------------------------------------------------------------------------------------------- text

PROMPTS = ["the cat sat on", "A dog was", "the river bank of money", ""]
SOURCES = ["The cat sat on the mat.", "money in the bank of the river", "", "search and query!", "it was a dog and a cat"]


@torch.inference_mode()
def record_texts(model, tokenizer, encoder_decoder):
    cases = []
    for text in SOURCES if encoder_decoder else PROMPTS:
        for options in (dict(max_new_tokens=10), dict(num_beams=3, max_new_tokens=8, no_repeat_ngram_size=2)):
            inputs = tokenizer(text, return_tensors="pt")
            out = model.generate(**inputs, **options)[0].tolist()
            start = 1 if encoder_decoder else inputs["input_ids"].shape[1]
            cases.append({
                "text": text, "options": options, "ids": inputs["input_ids"][0].tolist(), "tokens": out[start:],
                "generated": tokenizer.decode(out[start:], skip_special_tokens=True),
            })
    return cases


# --------------------------------------------------------------------------------------------------------------- files


def legacy_folder(source, folder):
    """A folder as versions before 4.26 wrote it: generation settings in config.json, those of the decoder being the
    defaults of that time."""
    shutil.copytree(source, folder)
    (folder / "generation_config.json").unlink()
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.update(
        max_length=17, min_length=6, length_penalty=2.0, early_stopping=True, no_repeat_ngram_size=2, num_beams=4,
        eos_token_id=SEP, pad_token_id=PAD,
    )
    config.pop("decoder_start_token_id", None)
    config["decoder"].update(
        max_length=20, min_length=0, num_beams=1, length_penalty=1.0, early_stopping=False, no_repeat_ngram_size=0,
        bos_token_id=CLS, num_return_sequences=2, repetition_penalty=1.3, top_k=50, do_sample=False,
    )
    write_json(path, config)
    (folder / "model.safetensors").unlink()


def check_reload(model, folder):
    """The folder opens in transformers as the model that was recorded."""
    again = type(model).from_pretrained(folder, **EAGER).eval()
    for (name, a), (_, b) in zip(sorted(model.state_dict().items()), sorted(again.state_dict().items())):
        assert torch.equal(a, b), name


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    models = [(causal_lm, SEP), (causal_lm_untied, 7), (bert_generation, 1), (seq2seq, SEP), (seq2seq_projection, 1)]
    for i, (make, eos) in enumerate(models):
        name = make.__name__
        print(name)
        model = make()
        model.save_pretrained(ROOT / name)
        check_reload(model, ROOT / name)
        save(ROOT / f"{name}.expected.safetensors", record_states(model, SEED + 10 + i))
        expected = {"cases": record_cases(model, eos, SEED + 20 + i), "sampling": record_sampling(model, SEED + 20 + i)}
        if name in ("causal_lm", "seq2seq"):
            tokenizer = tokenizer_for(VOCAB, ROOT / name, model_max_length=32)
            tokenizer.save_pretrained(ROOT / name)
            expected["texts"] = record_texts(model, tokenizer, name == "seq2seq")
        if name == "seq2seq":
            legacy_folder(ROOT / name, ROOT / "seq2seq_legacy")
            shutil.copy(ROOT / name / "model.safetensors", ROOT / "seq2seq_legacy")
            legacy = EncoderDecoderModel.from_pretrained(ROOT / "seq2seq_legacy", **EAGER).eval()
            (ROOT / "seq2seq_legacy" / "model.safetensors").unlink()
            prompt = prompts_for(model, np.random.default_rng(1))[2]
            expected["legacy"] = {
                "prompt": prompt,
                "tokens": legacy.generate(torch.tensor([prompt])).tolist(),
                "config": {k: v for k, v in legacy.generation_config.to_dict().items() if v is not None},
            }
        (ROOT / f"{name}.expected.json").write_text(
            json.dumps(expected, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n"
        )
    write_json(
        ROOT / "versions.json",
        {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
