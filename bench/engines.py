"""A process that runs one peer, driven by compare.py with the line protocol of runner.cpp.

    engines.py ENGINE MODEL_FOLDER THREADS CACHE

CACHE is the folder prepare.py filled for this model. The first answer gives the milliseconds of loading and of imports.
Every engine gets ids, attention mask and token types, and ends with the mean of the last hidden states at unit length,
inside its graph where it has one. Inputs are put together before the clock starts.
"""

import os
import sys
import time

start = time.perf_counter()
THREADS = int(sys.argv[3])
# Set before anything makes a pool of threads.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(THREADS)
os.environ["TOKENIZERS_PARALLELISM"] = "true" if THREADS > 1 else "false"
os.environ["RAYON_NUM_THREADS"] = str(THREADS)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from pathlib import Path  # noqa: E402

import numpy  # noqa: E402

BATCH = 32
MAX_TOKENS = 256


def pad(texts, dtype):
    """ids and attention mask of a batch."""
    ids = numpy.zeros((len(texts), max(map(len, texts))), dtype=dtype)
    mask = numpy.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, :len(text)] = text
        mask[row, :len(text)] = 1
    return ids, mask


class Torch:
    def __init__(self, folder, cache):
        import torch

        import prepare
        torch.set_num_threads(THREADS)
        self.imported = time.perf_counter()
        self.torch = torch
        self.model = prepare.Pooled(prepare.load_torch(folder, "sdpa"))

    def batch(self, texts):
        ids, mask = (self.torch.from_numpy(x) for x in pad(texts, numpy.int64))
        return ids, mask, self.torch.zeros_like(ids)

    def run(self, batch):
        with self.torch.inference_mode():
            return self.model(*batch).numpy()


class OnnxRuntime:
    """Threads spin while they wait, as by default: it is faster here, and turns do not overlap."""

    file = "fused.onnx"

    def __init__(self, folder, cache):
        import onnxruntime
        self.imported = time.perf_counter()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(cache / self.file), options,
                                                    providers=["CPUExecutionProvider"])

    def batch(self, texts):
        ids, mask = pad(texts, numpy.int64)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}

    def run(self, batch):
        return self.session.run(None, batch)[0]


class OnnxRuntimeInt8(OnnxRuntime):
    file = "int8.onnx"


class OpenVino:
    folder = "openvino"
    precision = "f32"

    def __init__(self, folder, cache):
        import openvino
        self.imported = time.perf_counter()
        self.model = openvino.Core().compile_model(cache / self.folder / "model.xml", "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(THREADS),
            "INFERENCE_PRECISION_HINT": self.precision})
        used = self.model.get_property("INFERENCE_PRECISION_HINT").to_string()
        if used != self.precision:
            raise RuntimeError(f"OpenVINO computes in {used} on this processor, not in {self.precision}")
        self.request = self.model.create_infer_request()

    def batch(self, texts):
        ids, mask = pad(texts, numpy.int64)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}

    def run(self, batch):
        return self.request.infer(batch, share_inputs=True, share_outputs=False)[0]


class OpenVinoBf16(OpenVino):
    precision = "bf16"


class OpenVinoInt8(OpenVino):
    folder = "openvino-int8"


class CTranslate2:
    folder = "ctranslate2"
    compute = "float32"

    def __init__(self, folder, cache):
        import ctranslate2
        self.imported = time.perf_counter()
        self.ctranslate2 = ctranslate2
        self.encoder = ctranslate2.Encoder(str(cache / self.folder), device="cpu", compute_type=self.compute,
                                           inter_threads=1, intra_threads=THREADS)
        if self.encoder.compute_type != self.compute:
            raise RuntimeError(f"CTranslate2 computes in {self.encoder.compute_type}, not in {self.compute}")

    def batch(self, texts):
        view = self.ctranslate2.StorageView.from_array
        ids, mask = pad(texts, numpy.int32)
        # The lengths stand for the mask; token types are 0 where none are given.
        return view(ids), view(mask.sum(1).astype(numpy.int32)), mask[:, None, :].astype(numpy.float32)

    def run(self, batch):
        ids, lengths, mask = batch
        hidden = numpy.asarray(self.encoder.forward_batch(ids, lengths).last_hidden_state)
        mean = (mask @ hidden)[:, 0] / mask.sum(2)
        return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)


class CTranslate2Int8(CTranslate2):
    folder = "ctranslate2-int8"
    compute = "int8_float32"


class SentenceTransformers:
    """For the time from start to first vector: it does its own tokenizing."""

    def __init__(self, folder, cache):
        import torch
        from sentence_transformers import SentenceTransformer
        torch.set_num_threads(THREADS)
        self.imported = time.perf_counter()
        self.model = SentenceTransformer(str(folder), device="cpu")

    def embed(self, text):
        return self.model.encode([text])


def read_lines(path):
    return Path(path).read_text(encoding="utf-8").splitlines()


class TokenizerPeer:
    """A tokenizer. `encode(lines, mode)` is what is timed, `ids_of(lines)` what is compared."""

    modes = ("ids",)

    def tokenize(self, path, repeat, mode):
        if mode not in self.modes:
            raise ValueError(f"cannot do {mode}")
        lines = read_lines(path)
        times = []
        for _ in range(repeat):
            begin = time.perf_counter()
            self.encode(lines, mode)
            times.append(milliseconds_since(begin))
        return times + [0]

    def ids(self, path, out):
        with open(out, "w") as file:
            for ids in self.ids_of(read_lines(path)):
                file.write("".join(f"{id} " for id in ids) + "\n")


class Tokenizers(TokenizerPeer):
    """Hugging Face's tokenizers. Texts go in at once, which spares them Python's calls."""

    modes = ("ids", "full", "batch")

    def __init__(self, folder, cache):
        from tokenizers import Tokenizer
        self.imported = time.perf_counter()
        self.tokenizer = load_tokenizer(folder)

    def encode(self, lines, mode):
        return self.tokenizer.encode_batch_fast(lines) if mode == "ids" else self.tokenizer.encode_batch(lines)

    def ids_of(self, lines):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(lines)]


class FlashTokenizer(TokenizerPeer):
    """One text after another, for its batches pad to the longest."""

    def __init__(self, folder, cache):
        from flash_tokenizer import BertTokenizerFlash
        self.imported = time.perf_counter()
        self.limit = 1 << 20
        self.tokenizer = BertTokenizerFlash(str(folder / "vocab.txt"), do_lower_case=True,
                                            model_max_length=self.limit).tokenizer

    def encode(self, lines, mode):
        encode, limit = self.tokenizer.encode, self.limit
        return [encode(line, "longest", limit) for line in lines]

    def ids_of(self, lines):
        return self.encode(lines, "ids")


class BlingFire(TokenizerPeer):
    """Its C function on bytes, with room for the ids made ahead; it adds no special tokens."""

    def __init__(self, folder, cache):
        import ctypes

        import blingfire
        self.imported = time.perf_counter()
        self.ctypes = ctypes
        self.function = blingfire.blingfire.TextToIds
        self.function.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int,
                                  ctypes.c_int]
        # The model that comes with the package has MiniLM's vocabulary, that of bert-base-uncased.
        self.model = blingfire.load_model(str(Path(blingfire.__file__).parent / "bert_base_tok.bin"))

    def tokenize(self, path, repeat, mode):
        self.prepare(read_lines(path))
        return super().tokenize(path, repeat, mode)

    def prepare(self, lines):
        self.texts = [line.encode() for line in lines]
        self.room = max(map(len, self.texts)) + 2
        self.buffer = (self.ctypes.c_int32 * self.room)()

    def encode(self, lines, mode):
        function, model, buffer, room = self.function, self.model, self.buffer, self.room
        for text in self.texts:
            function(model, text, len(text), buffer, room, 100)

    def ids_of(self, lines):
        self.prepare(lines)
        for text in self.texts:
            count = self.function(self.model, text, len(text), self.buffer, self.room, 100)
            yield [101, *self.buffer[:count], 102]


ENGINES = {
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
    "onnxruntime-int8": OnnxRuntimeInt8,
    "openvino": OpenVino,
    "openvino-bf16": OpenVinoBf16,
    "openvino-int8": OpenVinoInt8,
    "ctranslate2": CTranslate2,
    "ctranslate2-int8": CTranslate2Int8,
    "sentence-transformers": SentenceTransformers,
    "tokenizers": Tokenizers,
    "flash-tokenizer": FlashTokenizer,
    "blingfire": BlingFire,
}


def milliseconds_since(begin):
    return (time.perf_counter() - begin) * 1e3


def load_tokenizer(folder):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


class Worker:
    """Answers commands by an engine."""

    def __init__(self, engine, folder):
        self.engine = engine
        self.folder = folder
        self.corpora = {}

    def answer(self, line):
        command, *words = line.split(" ", 1)[:1] + line.split()[1:]
        if command == "forward":
            repeat, ids = int(words[0]), [int(word) for word in words[1:]]
            batch = self.engine.batch([ids])
            times = []
            for _ in range(repeat):
                begin = time.perf_counter()
                self.engine.run(batch)
                times.append(milliseconds_since(begin))
            return times
        if command == "corpus":
            batches = self.batches(words[0])
            begin = time.perf_counter()
            for _, batch in batches:
                self.engine.run(batch)
            return [milliseconds_since(begin)]
        if command == "vectors":
            batches = self.batches(words[0])
            rows = sum(len(indices) for indices, _ in batches)
            vectors = None
            for indices, batch in batches:
                values = numpy.asarray(self.engine.run(batch), dtype=numpy.float32)
                if vectors is None:
                    vectors = numpy.empty((rows, values.shape[1]), dtype=numpy.float32)
                vectors[indices] = values
            vectors.tofile(words[1])
            return []
        if command == "embed":
            text = line.split(" ", 1)[1]
            if hasattr(self.engine, "embed"):
                return [self.engine.embed(text)[0, 0]]
            tokenizer = load_tokenizer(self.folder)
            tokenizer.enable_truncation(MAX_TOKENS)
            return [self.engine.run(self.engine.batch([tokenizer.encode(text).ids]))[0, 0]]
        if command == "tokenize":
            return self.engine.tokenize(words[0], int(words[1]), words[2])
        if command == "ids":
            self.engine.ids(*words)
            return []
        if command == "memory":
            with open("/proc/self/status") as file:
                status = dict(line.split(":", 1) for line in file)
            return [status[key].split()[0] for key in ("VmRSS", "VmHWM")]
        raise ValueError(f'unknown command "{command}"')

    def batches(self, path):
        """Batches of BATCH texts of about the same length, with the places of the texts in the file."""
        if path not in self.corpora:
            texts = [[int(word) for word in line.split()] for line in Path(path).read_text().splitlines()]
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
            groups = [order[i:i + BATCH] for i in range(0, len(order), BATCH)]
            self.corpora[path] = [(group, self.engine.batch([texts[i] for i in group])) for group in groups]
        return self.corpora[path]


def main():
    # Answers have the standard output to themselves; what runtimes print goes to the standard error.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        engine = ENGINES[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[4]))
    except Exception as error:
        print("error", " ".join(str(error).split()), file=out)
        return 1
    ready = time.perf_counter()
    print("ok", (ready - engine.imported) * 1e3, (engine.imported - start) * 1e3, file=out)
    worker = Worker(engine, Path(sys.argv[2]))
    for line in sys.stdin:
        try:
            print("ok", *worker.answer(line.rstrip("\n")), file=out)
        except Exception as error:
            print("error", " ".join(str(error).split()), file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
