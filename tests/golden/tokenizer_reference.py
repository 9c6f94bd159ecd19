"""Hugging Face's `tokenizers` as the yardstick of the tokenizer tests: requests in, rows of plain values out."""

import itertools

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def bert_tokenizer(vocabulary, template="template", max_input_chars_per_word=100, prefix="##", unk="[UNK]", **flags):
    """A BERT tokenizer over `vocabulary` ({token: id}); `flags` are those of BertNormalizer."""
    tokenizer = Tokenizer(
        models.WordPiece(
            vocabulary,
            unk_token=unk,
            max_input_chars_per_word=max_input_chars_per_word,
            continuing_subword_prefix=prefix,
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer(**flags)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=prefix)
    if template == "template":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
        )
    elif template == "bert":
        tokenizer.post_processor = processors.BertProcessing(
            ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
        )
    return tokenizer


def special_tokens():
    return [AddedToken(name, special=True, normalized=False) for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]


def rows(encoding, places):
    """One row per token: [id, begin, end, token, word], and [sequence, type id, special, attention] unless 0, 0, 0, 1."""
    result = []
    columns = zip(
        encoding.ids,
        encoding.offsets,
        encoding.tokens,
        encoding.word_ids,
        encoding.sequence_ids,
        encoding.type_ids,
        encoding.special_tokens_mask,
        encoding.attention_mask,
    )
    for token_id, (begin, end), token, word, sequence, type_id, special, attention in columns:
        place = places[sequence] if sequence is not None else {}
        row = [token_id, place.get(begin, begin), place.get(end, end), token, -1 if word is None else word]
        rest = [-1 if sequence is None else sequence, type_id, special, attention]
        result.append(row if rest == [0, 0, 0, 1] else row + rest)
    return result


class Reference:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def answer(self, request):
        """All windows as rows, or None where the request cannot be met."""
        options = request.get("options", {})
        special = options.get("add_special_tokens", True)
        pair = request.get("pair")
        added = self.tokenizer.num_special_tokens_to_add(pair is not None) if special else 0
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        if "max_length" in options:
            room = options["max_length"] - added
            stride = options.get("stride", 0)
            # Here the reference wraps around or panics, depending on the text; the library always refuses.
            if room < 0 or (stride > 0 and stride >= room):
                return None
            # The reference checks the stride as if special tokens were always added.
            assert stride == 0 or stride <= options["max_length"] - self.tokenizer.num_special_tokens_to_add(False), "not comparable"
        try:
            if "max_length" in options:
                self.tokenizer.enable_truncation(
                    options["max_length"],
                    stride=options.get("stride", 0),
                    strategy=options.get("truncation", "longest_first"),
                    direction=options.get("truncation_side", "right"),
                )
            if "pad_to" in options:
                self.tokenizer.enable_padding(
                    direction=options.get("padding_side", "right"),
                    pad_id=self.tokenizer.token_to_id("[PAD]"),
                    pad_token="[PAD]",
                    length=options["pad_to"],
                )
            encoding = self.tokenizer.encode(request["text"], pair, add_special_tokens=special)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        places = [{}, {}]
        if options.get("offset_unit", "byte") == "byte":
            for place, text in zip(places, [request["text"], pair or ""]):
                lengths = itertools.accumulate((len(c.encode()) for c in text), initial=0)
                place.update(enumerate(lengths))
        windows = [encoding] + (encoding.overflowing if options.get("overflowing") else [])
        return [rows(window, places) for window in windows]
