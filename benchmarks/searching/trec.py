"""A collection in TREC's formats: documents, queries, and who judged what relevant."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_DOCUMENT = re.compile(r"<DOC>\s*<DOCNO>(.*?)</DOCNO>(.*?)</DOC>", re.DOTALL)
_QUERY = re.compile(r"<num>(.*?)</num>\s*<title>(.*?)</title>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts of documents and of queries by number, and the gains of judged documents."""

    documents: dict[str, str]
    queries: dict[str, str]
    judged: dict[str, dict[str, int]]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `corpus/doc-text.trec`, `query-text.trec` and `qrels`."""
        judged: dict[str, dict[str, int]] = defaultdict(dict)
        for line in (folder / "qrels").read_text().splitlines():
            query, _, document, gain = line.split()
            judged[query][document] = int(gain)
        return cls(
            _texts(_DOCUMENT, folder / "corpus" / "doc-text.trec"),
            _texts(_QUERY, folder / "query-text.trec"),
            dict(judged),
        )

    def part(self, documents: int) -> Self:
        """Return the collection with its first documents only, and the queries they answer."""
        texts = dict(list(self.documents.items())[:documents])
        kept = {
            query: {document: gain for document, gain in gains.items() if document in texts}
            for query, gains in self.judged.items()
        }
        return type(self)(
            texts, self.queries, {query: each for query, each in kept.items() if each}
        )


def _texts(pattern: re.Pattern[str], path: Path) -> dict[str, str]:
    found = pattern.findall(path.read_text(encoding="utf-8"))
    return {number.strip(): " ".join(text.split()) for number, text in found}
