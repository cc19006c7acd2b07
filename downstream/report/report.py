"""The transfer report: all that was measured, as facts and as a page."""

from __future__ import annotations

import copy
import html
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Self

from downstream.datasets import Table
from downstream.report.advice import advice
from downstream.report.page import REPORT, render
from downstream.report.pictures import pictures, shown_ids
from downstream.report.sections import SECTIONS, Material
from downstream.report.study import Study
from featurize.types import Json, Progress, Reporter, Silent

FORMAT = 1
_LIBRARIES = ("featurize", "numpy", "scikit-learn")


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What a frozen encoder's vectors are worth for some labels: facts, a verdict, and a page."""

    facts: Json
    pictures: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, study: Study | Table, reporter: Reporter | None = None) -> Self:
        """Say what the vectors of a table are worth for its labels.

        `Study.open` takes what is to be said of the table: labels, groups, the raw images, a seed;
        the table itself, or its path, will do where nothing is. The reporter hears how far the
        measuring has come. Raises HeadError where there is too little to learn from.
        """
        study = study if isinstance(study, Study) else Study.open(study)
        reporter = reporter or Silent()
        facts, steps = _about(study), len(SECTIONS) + 1
        reporter.progress(Progress("report", 0, steps))
        material = Material.of(study)
        for done, (name, section) in enumerate(SECTIONS.items(), 1):
            reporter.progress(Progress("report", done, steps))
            facts[name] = section(material)
        reporter.progress(Progress("report", steps, steps))
        facts["verdict"] = facts["transfer"]["verdict"]
        facts = _plain(facts)
        facts["advice"] = advice(facts)
        return cls(facts, pictures(study, shown_ids(facts)))

    @property
    def verdict(self) -> str:
        """Return `positive`, `neutral` or `negative`."""
        return str(self.facts["verdict"])

    def to_json(self) -> Json:
        """Return the facts, as `featurize report --json` prints them."""
        return copy.deepcopy(self.facts)

    def to_html(self) -> str:
        """Return the page, which needs no other file and no network."""
        return render(self.facts, self.pictures)

    def save(self, path: str | Path) -> None:
        """Write the page, as a whole or not at all, over an older report at most.

        Raises UsageError for a name that does not end in .html and for a place inside a table,
        HeadError where another file is in the way.
        """
        REPORT.write(path, self.to_html())

    @staticmethod
    def free_place(path: str | Path) -> Path:
        """Return where a report may be written; raise as `save` does."""
        return REPORT.free_place(path)

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own."""
        page = html.escape(self.to_html())
        return f'<iframe srcdoc="{page}" sandbox="" style="width:100%;height:50rem"></iframe>'


def _plain(facts: Json) -> Json:
    """Return facts as JSON has them, whose figures are finite or null."""
    found: Json = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    return found


def _about(study: Study) -> Json:
    """Return what was studied, and with which versions."""
    data = study.data
    return {
        "format": FORMAT,
        "table": data.origin["table"],
        "version": data.origin["table_version"],
        "incomplete": data.origin["incomplete"],
        "encoder": data.encoder.name,
        "fingerprint": data.encoder.fingerprint,
        "label": data.label,
        "classes": study.names,
        "rows": len(study),
        "groups": len(set(study.groups.tolist())),
        "unmatched": data.unmatched,
        "seed": study.seed,
        "versions": {name: version(name) for name in _LIBRARIES},
    }
