#!/usr/bin/env python3
"""Makes retrieval/: embeddings, and what sentence-transformers, scikit-learn and networkx find among them. README.md
says what each name holds.

Run with no arguments. Needs sentence-transformers, scikit-learn and networkx; nothing of it is needed to build or test
the library.
"""

import itertools
import json
import platform
from pathlib import Path

import networkx
import numpy as np
import sentence_transformers
import sklearn
import torch
from safetensors.numpy import save_file
from sentence_transformers import util
from sentence_transformers.util.quantization import _dequantize_embeddings, quantize_embeddings
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer

ROOT = Path(__file__).resolve().parent / "retrieval"
SEED = 20240301

KEYWORD_TEXTS = [
    "Supervised learning is the machine learning task of learning a function that maps an input to an output, based on "
    "example input-output pairs. It infers a function from labeled training data.",
    "Ünïcode words, naïve café's ÉTÉ; snake_case and x y zz 42 a1 3D-printing don't e-mail",
    "Großbritannien und Österreich: Über Größe spricht man nicht. Привет, МИР! Мир и Привет.",
    "",
    "a b c !",
]


def clustered(generator, clusters, per_cluster, dimension, spread):
    """Rows around random centres, shuffled: what sentence embeddings look like."""
    centres = generator.normal(size=(clusters, dimension))
    rows = np.repeat(centres, per_cluster, axis=0) + spread * generator.normal(size=(clusters * per_cluster, dimension))
    return generator.permutation(rows).astype(np.float32)


def add_hits(tensors, name, results):
    tensors[name + ".ids"] = np.array([[hit["corpus_id"] for hit in hits] for hits in results], dtype=np.int64)
    tensors[name + ".scores"] = np.array([[hit["score"] for hit in hits] for hits in results], dtype=np.float64)


def search(tensors, generator):
    queries = generator.normal(size=(7, 24)).astype(np.float32)
    corpus = generator.normal(size=(300, 24)).astype(np.float32)
    corpus[11] = 0
    tensors["search.queries"], tensors["search.corpus"] = queries, corpus
    measures = {
        "cosine": util.cos_sim, "dot": util.dot_score, "euclidean": util.euclidean_sim, "manhattan": util.manhattan_sim
    }
    for name, measure in measures.items():
        found = util.semantic_search(queries, corpus, top_k=10, score_function=measure, corpus_chunk_size=90)
        add_hits(tensors, "search." + name, found)
    add_hits(tensors, "search.all", util.semantic_search(queries, corpus, top_k=1000))


def paraphrases(tensors, generator):
    rows = clustered(generator, 30, 5, 16, 0.5)
    tensors["paraphrases.embeddings"] = rows
    for name, options in {
        "default": {}, "top_3": {"top_k": 3}, "best_50": {"max_pairs": 50}, "both": {"top_k": 2, "max_pairs": 20}
    }.items():
        pairs = util.paraphrase_mining_embeddings(torch.from_numpy(rows), **options)
        tensors[f"paraphrases.{name}.pairs"] = np.array([[i, j] for _, i, j in pairs], dtype=np.int64)
        tensors[f"paraphrases.{name}.scores"] = np.array([score for score, _, _ in pairs], dtype=np.float64)


def communities(tensors, generator):
    rows = clustered(generator, 25, 12, 10, 0.6)
    tensors["communities.embeddings"] = rows
    for name, options in {
        "default": {}, "small": {"min_community_size": 2, "threshold": 0.8}, "one": {"min_community_size": 1},
        "loose": {"threshold": 0.3, "min_community_size": 5}, "none": {"min_community_size": 200},
    }.items():
        found = util.community_detection(torch.from_numpy(rows), batch_size=64, **options)
        tensors[f"communities.{name}.sizes"] = np.array([len(c) for c in found], dtype=np.int64)
        tensors[f"communities.{name}.rows"] = np.array(sum(found, []), dtype=np.int64)


def quantization(tensors, generator):
    """Searches are made by brute force as sentence-transformers asks its index libraries for them."""
    rows = generator.normal(size=(150, 20)).astype(np.float32)
    rows[:, 4] = 0.25
    queries = (1.3 * generator.normal(size=(6, 20))).astype(np.float32)
    queries[0, 3] = 0
    ranges = np.vstack((rows.min(axis=0), rows.max(axis=0)))
    tensors.update({"quantized.rows": rows, "quantized.queries": queries, "quantized.ranges": ranges})
    codes = {}
    for precision in ("int8", "uint8", "binary", "ubinary"):
        codes[precision] = quantize_embeddings(rows, precision)
        tensors[f"quantized.{precision}"] = codes[precision].astype(np.int64)
        tensors[f"quantized.{precision}.queries"] = quantize_embeddings(queries, precision, ranges=ranges).astype(
            np.int64
        )
    top_k, multiplier = 5, 3
    for precision, corpus in codes.items():
        coded = quantize_embeddings(queries, precision, ranges=ranges).astype(np.int64)
        if precision.endswith("int8"):
            coarse = coded @ corpus.astype(np.int64).T
            fine = queries.astype(np.float64) @ _dequantize_embeddings(corpus.astype(int), precision, ranges).T
        else:
            flip = 0x80 if precision == "binary" else 0
            bits = np.unpackbits(corpus.view(np.uint8) ^ np.uint8(flip), axis=-1)[:, : queries.shape[1]]
            own = np.unpackbits((coded & 0xFF).astype(np.uint8) ^ np.uint8(flip), axis=-1)[:, : queries.shape[1]]
            coarse = -(own[:, None, :] != bits[None]).sum(axis=-1)
            fine = queries.astype(np.float64) @ bits.astype(int).T
        coarse_ids = np.argsort(-coarse, axis=1, kind="stable")
        found = []
        for query, ids in enumerate(coarse_ids[:, : top_k * multiplier]):
            best = sorted(ids, key=lambda i: (-fine[query, i], i))[:top_k]
            found.append([{"corpus_id": i, "score": fine[query, i]} for i in best])
        add_hits(tensors, f"quantized.{precision}.rescored", found)
        coarse_found = [
            [{"corpus_id": i, "score": coarse[query, i]} for i in ids[:top_k]] for query, ids in enumerate(coarse_ids)
        ]
        add_hits(tensors, f"quantized.{precision}.coarse", coarse_found)


def centrality(tensors, generator):
    rows = clustered(generator, 6, 5, 12, 0.8)
    rows[7] = 0
    tensors["lexrank.embeddings"] = rows
    cosines = util.cos_sim(rows, rows).double().numpy()
    for name, damping, threshold in (("default", 0.85, 0.0), ("threshold", 0.85, 0.2), ("damping", 0.5, 0.0)):
        weights = np.where(cosines >= threshold, cosines, 0).clip(0)
        graph = networkx.from_numpy_array(weights, create_using=networkx.DiGraph)
        ranks = networkx.pagerank(graph, alpha=damping, tol=1e-12, max_iter=1000)
        tensors["lexrank." + name] = np.array([ranks[i] for i in range(len(rows))])


def diversity(tensors, generator):
    rows = clustered(generator, 8, 4, 12, 0.4)
    text = (rows[0] + rows[1] + 0.5 * rows[2])[None]
    tensors["diversity.embeddings"], tensors["diversity.text"] = rows, text
    relevance = util.cos_sim(text, rows)[0].double().numpy()
    cosines = util.cos_sim(rows, rows).double().numpy()
    for weight in (0.0, 0.3, 0.7, 1.0):
        chosen = [int(np.argmax(relevance))]
        while len(chosen) < 6:
            rest = [i for i in range(len(rows)) if i not in chosen]
            values = [(1 - weight) * relevance[i] - weight * max(cosines[i, j] for j in chosen) for i in rest]
            chosen.append(rest[int(np.argmax(values))])
        tensors[f"diversity.mmr.{weight}"] = np.array(chosen, dtype=np.int64)
    candidates = np.argsort(relevance, kind="stable")[-10:]
    chosen = min(
        itertools.combinations(candidates.tolist(), 4),
        key=lambda rows: sum(cosines[i, j] for i in rows for j in rows if i != j),
    )
    tensors["diversity.max_sum"] = np.array(chosen, dtype=np.int64)


def maps(tensors, generator):
    for name, shape in (("tall", (40, 9)), ("wide", (7, 30))):
        rows = (generator.normal(size=shape) * np.linspace(2, 0.3, shape[1])).astype(np.float32)
        pca = PCA(n_components=2, svd_solver="full").fit(rows.astype(np.float64))
        tensors[f"pca.{name}.rows"] = rows
        tensors[f"pca.{name}.points"] = pca.transform(rows.astype(np.float64))
        tensors[f"pca.{name}.ratios"] = pca.explained_variance_ratio_


def keyword_candidates():
    cases = []
    for text in KEYWORD_TEXTS:
        for ngrams, stop_words in (((1, 1), ["the", "is", "of", "an", "to", "it"]), ((1, 2), []), ((2, 3), ["a", "man"])):
            vectorizer = CountVectorizer(ngram_range=ngrams, stop_words=stop_words or None)
            try:
                names = vectorizer.fit([text]).get_feature_names_out().tolist()
            except ValueError:  # no words
                names = []
            cases.append({"text": text, "ngrams": ngrams, "stop_words": stop_words, "candidates": names})
    return cases


def main():
    ROOT.mkdir(exist_ok=True)
    tensors = {}
    for seed, part in enumerate((search, paraphrases, communities, quantization, centrality, diversity, maps)):
        part(tensors, np.random.default_rng(SEED + seed))
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, ROOT / "expected.safetensors")
    write = lambda name, value: (ROOT / name).write_text(
        json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    write("keywords.json", keyword_candidates())
    write(
        "versions.json",
        {
            "python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
            "sentence-transformers": sentence_transformers.__version__, "scikit-learn": sklearn.__version__,
            "networkx": networkx.__version__,
        },
    )


if __name__ == "__main__":
    main()
