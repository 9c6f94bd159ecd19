"""Makes a large corpus to measure bert index and bert search with, from the embeddings of a small one.

Usage:
    search_corpus.py sentences COUNT SEED > sentences.txt
    search_corpus.py mix CENTRES.npy COUNT OUT_FOLDER

"sentences" writes sentences about everyday things, no two of a seed alike. "mix" takes their embeddings and writes
COUNT unit vectors (vectors.npy) with a document each (documents.jsonl). A vector is the sum of three embeddings, two of
them with smaller weights, and a little noise: points lie in clusters around the embeddings and between them, as
passages do that touch on several subjects. They are synthetic all the same: figures from them say how fast search is,
and how much approximate search finds, on clustered data of that size. Needs NumPy.
"""

import itertools
import json
import random
import sys
from pathlib import Path

WHO = "teacher doctor farmer sailor painter lawyer pilot nurse baker judge poet miner student plumber singer priest".split()
DID = "bought sold repaired described lost found photographed borrowed cleaned forgot designed painted praised".split()
KIND = "old new red cheap broken heavy tiny famous foreign wooden secret modern fragile enormous".split()
WHAT = (
    "bridge guitar engine novel garden camera telescope contract vaccine ship violin bakery satellite map horse "
    "computer cathedral recipe bicycle painting laboratory train statue piano harbour newspaper"
).split()
WHERE = "in Paris|at night|before the war|during the storm|for a friend|near the coast|after school|in the mountains".split("|")


def sentences(count, seed):
    every = list(itertools.product(WHO, DID, KIND, WHAT, WHERE))
    for who, did, kind, what, where in random.Random(seed).sample(every, count):
        print(f"The {who} {did} the {kind} {what} {where}.")


def mix(centres_file, count, folder):
    import numpy

    centres = numpy.load(centres_file)
    draw = numpy.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    out = numpy.lib.format.open_memmap(folder / "vectors.npy", "w+", "<f4", (count, centres.shape[1]))
    with open(folder / "documents.jsonl", "w") as documents:
        for first in range(0, count, 65536):
            size = min(65536, count - first)
            parts = draw.integers(len(centres), size=(3, size))
            rows = sum(weight * centres[part] for weight, part in zip((1.0, 0.6, 0.3), parts))
            rows += draw.normal(scale=0.1 / centres.shape[1] ** 0.5, size=rows.shape)
            out[first : first + size] = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
            for i in range(size):
                document = {"id": first + i, "text": f"subjects {' '.join(map(str, parts[:, i]))}"}
                documents.write(json.dumps(document) + "\n")
    out.flush()


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "sentences":
        sentences(int(sys.argv[2]), int(sys.argv[3]))
    elif len(sys.argv) == 5 and sys.argv[1] == "mix":
        mix(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        sys.exit(__doc__)
