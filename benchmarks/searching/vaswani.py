"""Real queries: how well tuned indexes rank, beside exact search and ranking by words."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from comparison.tables import table

import featurize
from downstream import VectorIndex
from searching.lexical import Words, bm25, tf_idf
from searching.metrics import CUT, DEPTH, Quality, evaluate
from searching.options import Options
from searching.trec import Collection

if TYPE_CHECKING:
    from numpy.typing import NDArray

TITLE = "Search: real queries"
ENCODER = "minilm"
LEAST = Quality(0.42, 0.27)
RECALL, APART = 0.99, 0.005
_QUICK = 1500  # documents
_SETTINGS = ((0.9, 0.4), (1.2, 0.75))


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    collection = Collection.read(options.data / "vaswani")
    if options.quick:
        collection = collection.part(_QUICK)
    embedded = _embedded(collection, options.folder)
    encoder = featurize.load_encoder(ENCODER, device="cpu")
    queries = encoder.encode(list(collection.queries.values()))
    yield (
        f"Vaswani: {len(collection.documents):,} abstracts, {len(collection.judged)} queries, "
        f"judged relevant or not. {ENCODER} on a CPU, the plain text; nDCG@{CUT} and MAP (to rank "
        f"{DEPTH:,}) as trec_eval defines them, the former of a search for {CUT} hits, which looks "
        f"less far than one for {DEPTH:,}. Approximate kinds are built for a recall of {RECALL}."
    )
    yield ""
    flat, rows, verdicts = None, [], []
    for kind in ("flat", "ivf", "hnsw"):
        index = VectorIndex.build(embedded, kind, RECALL)
        near, deep = (
            evaluate(_by_vectors(index, collection, queries, k), collection.judged)
            for k in (CUT, DEPTH)
        )
        quality = Quality(near.ndcg, deep.precision)
        flat = flat or quality
        rows.append(_row(kind, quality, flat))
        verdicts.append(_verdict(kind, quality, flat))
    for name, quality in _by_words(collection):
        rows.append(_row(name, quality, flat))
    yield from table(["", f"nDCG@{CUT}", "MAP", "nDCG less flat's", "MAP less flat's"], rows)
    yield ""
    yield from verdicts


def _embedded(collection: Collection, folder: Path) -> Path:
    """Embed the documents; return the table."""
    source, out = folder / "vaswani.csv", folder / "vaswani"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), *collection.documents.items()])
    featurize.embed(source, out=out, encoder=ENCODER, device="cpu")
    return out


def _by_vectors(
    index: VectorIndex, collection: Collection, queries: NDArray[np.float32], k: int
) -> dict[str, list[str]]:
    """Rank the `k` documents nearest to each query."""
    places = index.find(queries, k)[0]
    found = (index.row_ids(line[line >= 0]) for line in places)
    return dict(zip(collection.queries, found, strict=True))


def _by_words(collection: Collection) -> Iterator[tuple[str, Quality]]:
    """Yield names and qualities of rankings by words."""
    documents, queries = list(collection.documents.values()), list(collection.queries.values())

    def judged(places: Sequence[NDArray[np.intp]]) -> Quality:
        ids = np.array(list(collection.documents))
        rankings = zip(collection.queries, (ids[line].tolist() for line in places), strict=True)
        return evaluate(dict(rankings), collection.judged)

    ways = [Words(False, False), Words(True, False), Words(False, True), Words(True, True)]
    for k1, b in _SETTINGS:
        for words in ways:
            found = bm25(documents, queries, words, k1, b)
            yield f"BM25, k1 = {k1}, b = {b}{_named(words)}", judged(found)
    for words in (ways[0], ways[-1]):
        yield f"TF-IDF of scikit-learn{_named(words)}", judged(tf_idf(documents, queries, words))


def _named(words: Words) -> str:
    return ", stop words" * words.stopped + ", stems" * words.stemmed


def _row(name: str, quality: Quality, flat: Quality) -> list[str]:
    figures = quality.ndcg, quality.precision
    less = quality.ndcg - flat.ndcg, quality.precision - flat.precision
    return [name, *(f"{value:.4f}" for value in figures), *(f"{value:+.4f}" for value in less)]


def _verdict(kind: str, quality: Quality, flat: Quality) -> str:
    if kind == "flat":
        is_met = quality.ndcg >= LEAST.ndcg and quality.precision >= LEAST.precision
        asked = f"nDCG@{CUT} at least {LEAST.ndcg}, MAP at least {LEAST.precision}"
    else:
        most = max(abs(quality.ndcg - flat.ndcg), abs(quality.precision - flat.precision))
        is_met, asked = most <= APART, f"within {APART} of flat"
    return f"- {kind}: {asked}: {'reached' if is_met else '**missed**'}."
