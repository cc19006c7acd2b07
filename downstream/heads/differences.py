"""How the vectors of a table were made otherwise than those a head was trained on."""

from __future__ import annotations

from downstream.datasets import computed
from downstream.heads.kinds import AnyHead
from featurize.table.reader import EmbeddingTable
from featurize.types import Json


def differences(head: AnyHead, table: EmbeddingTable) -> str:
    """Say in what precision or with what prompt the table differs; empty where it does not.

    Both are of one vector space all the same. Of heads trained by earlier versions nothing is said.
    """
    then, now = head.training_, computed(table)
    if then["precision"] is None or all(then[name] == now[name] for name in now):
        return ""
    is_prompted = then["prompt"] != now["prompt"]
    return (
        f"The head was trained on vectors made {_made(then, is_prompted)}; those of {table.path} "
        f"are made {_made(now, is_prompted)}: it may do worse on them."
    )


def _made(facts: Json, is_prompted: bool) -> str:
    way = f"in {facts['precision']}"
    if not is_prompted:
        return way
    prompt = facts["prompt"]
    return f"{way} without a prompt" if prompt is None else f"{way} with the prompt {prompt!r}"
