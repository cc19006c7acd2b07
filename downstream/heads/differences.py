"""How the vectors of a table were made otherwise than those a head was trained on."""

from __future__ import annotations

from downstream.datasets import computed
from downstream.heads.head import Head
from featurize.table.reader import EmbeddingTable
from featurize.types import Json


def differences(head: Head, table: EmbeddingTable) -> str:
    """Say in what precision or with what prompt the table differs; empty where it does not.

    Both are of one vector space all the same. Of heads trained by earlier versions nothing is said.
    """
    then, now = head.training_, computed(table)
    if then["precision"] is None or all(then[name] == now[name] for name in now):
        return ""
    return (
        f"The head was trained on vectors made {_made(then)}; those of {table.path} are made "
        f"{_made(now)}: it may do worse on them."
    )


def _made(facts: Json) -> str:
    prompt = "" if facts["prompt"] is None else f" with the prompt {facts['prompt']!r}"
    return f"in {facts['precision']}{prompt}"
