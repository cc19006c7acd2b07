"""Alternating rounds: all contestants of a workload loaded, one at work at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from comparison.contestant import Contestant, Entrant, Failed, Role
from comparison.environments import CannotInstall

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class Result:
    """What one contestant did: the seconds of each round, and how much it does in one."""

    entrant: Entrant
    versions: dict[str, str]
    seconds: list[float] = field(default_factory=list)
    count: int = 0
    peak_bytes: int = 0
    saved: Path | None = None

    @property
    def rate(self) -> float:
        """Return units a second, the median of the rounds."""
        return self.count / median(self.seconds)

    def ratios(self, reference: Result) -> list[float]:
        """Return how many times as fast as the reference it was, round by round."""
        pairs = zip(reference.seconds, self.seconds, strict=True)
        return [theirs / mine * self.count / reference.count for theirs, mine in pairs]

    def cosines(self, reference: Result) -> NDArray[np.float64] | None:
        """Return the cosine of every vector to the reference's; None where it made none."""
        import numpy as np

        if self.saved is None or reference.saved is None:
            return None
        mine, theirs = (np.load(path).astype(np.float64) for path in (self.saved, reference.saved))
        theirs = theirs[: self.count]  # a slow one may have been given the first of the inputs only
        if mine.shape != theirs.shape:
            raise Failed(f"made vectors of shape {mine.shape}, not {theirs.shape}")
        lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
        found: NDArray[np.float64] = (mine * theirs).sum(axis=1) / lengths
        return found


@dataclass(slots=True)
class Standings:
    """The results of one workload; all are compared with the `first` that entered."""

    first: Entrant
    results: list[Result]
    absent: dict[str, str]

    @property
    def reference(self) -> Result:
        """Return the result that all are compared with; raise Failed where there is none."""
        for result in self.results:
            if result.entrant is self.first:
                return result
        name = self.first.name
        raise Failed(f"{name}, the reference, did not run: {self.absent.get(name)}")

    def of(self, *roles: Role) -> list[Result]:
        """Return the results of some roles, in order of entry."""
        return [result for result in self.results if result.entrant.role in roles]

    def find(self, role: Role, variant: str) -> Result | None:
        """Return the result of a role with a variant; None where it did not run."""
        return next((it for it in self.of(role) if it.entrant.variant == variant), None)


def compete(
    entrants: Sequence[Entrant],
    rounds: int,
    folder: Path,
    python_of: Callable[[str | None], Path],
) -> Standings:
    """Load all entrants, then let each work once a round, in an order that rotates.

    Whoever cannot be installed, does not load or fails on the way leaves the field, with its
    reason. `folder` takes logs, vectors and what contestants write.
    """
    standings = Standings(entrants[0], [], {})
    with ExitStack() as closing:
        field_ = _load(entrants, standings, folder, python_of, closing)
        for turn in range(rounds):
            order = list(field_)
            start = turn % max(1, len(order))
            for place in order[start:] + order[:start]:
                contestant, result = field_[place]
                save = folder / f"{place}.npy" if turn == rounds - 1 else None
                try:
                    _work(contestant, result, save)
                except Failed as failure:
                    standings.absent[result.entrant.name] = str(failure)
                    contestant.close()
                    del field_[place]
            print(f"  round {turn + 1} of {rounds}", file=sys.stderr)
        standings.results = [result for _, result in field_.values()]
    return standings


def _load(
    entrants: Sequence[Entrant],
    standings: Standings,
    folder: Path,
    python_of: Callable[[str | None], Path],
    closing: ExitStack,
) -> dict[int, tuple[Contestant, Result]]:
    """Start all at once, for nothing is timed yet, and keep those that load."""
    started: dict[int, Contestant] = {}
    for place, entrant in enumerate(entrants):
        try:
            python = python_of(entrant.environment)
        except CannotInstall as failure:
            standings.absent[entrant.name] = f"does not install: {failure}"
            continue
        own = folder / str(place)
        own.mkdir(parents=True)
        contestant = Contestant.start(entrant, python, folder / f"{place}.log")
        closing.callback(contestant.close)
        contestant.post({"do": "load", "folder": str(own), **entrant.options})
        started[place] = contestant
    loaded = {}
    for place, contestant in started.items():
        try:
            versions = contestant.receive()["versions"]
            loaded[place] = contestant, Result(entrants[place], versions)
        except Failed as failure:
            standings.absent[entrants[place].name] = f"does not load: {failure}"
    return loaded


def _work(contestant: Contestant, result: Result, save: Path | None) -> None:
    """Let one contestant work once."""
    contestant.post({"do": "run", "save": str(save) if save else None})
    answer: dict[str, Any] = contestant.receive()
    result.seconds.append(answer["seconds"])
    result.count = answer["count"]
    result.peak_bytes = max(result.peak_bytes, answer["peak_bytes"])
    result.saved = Path(answer["vectors"]) if answer["vectors"] else None
