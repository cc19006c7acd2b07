"""Kill it anywhere, run it again: the table is the one an uninterrupted run gives."""

import logging
import random

import pytest
from torture.kills import Figures, Forks, Scene, Torture, Way, plain

SUITE = 25
LONG = 1000
ONE_IN_PLAIN = 20  # kills of the plain command, imports and all, among those of prepared forks


def csv(folder, rows, columns="id,text,label"):
    """Write rows to the source of a scene; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [columns, *(",".join(map(str, row)) for row in rows)]
    (folder / "in.csv").write_text("\n".join(lines) + "\n")
    return folder / "in.csv"


def some_rows(count):
    """Make rows of which one in seventeen has no text, and some have the same one."""
    texts = [" " if n % 17 == 16 else f"fox {n % 150} runs" for n in range(count)]
    return {f"r{n:06}": (text, "ab"[n % 2]) for n, text in enumerate(texts)}


def edited(rows, chance):
    """Edit, relabel, mend, empty, drop and add some rows."""
    rows = dict(rows)
    keys = chance.sample(sorted(rows), len(rows) // 4)
    for number, key in enumerate(keys):
        text, label = rows.pop(key)
        if number % 5 == 0:
            rows[key] = (f"slow dog {number}", label)
        elif number % 5 == 1:
            rows[key] = (text, "c")
        elif number % 5 == 2:
            rows[key] = (" " if text.strip() else "now a text", label)
        elif number % 5 == 3:
            rows[f"s{number:06}"] = (f"a new card {number}", label)
    return dict(sorted(rows.items()))


def first_run(place, words, rows):
    """Start from nothing."""
    source = csv(place, [(key, *row) for key, row in rows.items()])
    return scene(place, source, words, rows)


def next_run(place, words, rows, chance, run):
    """Start from a table whose source then changed."""
    start = first_run(place, words, rows)
    assert run(start.words, None).code == 3
    return first_run(place, words, edited(rows, chance))


def reshaped_run(place, words, rows, chance, run):
    """Start from a table whose source then changed and got another column."""
    start = next_run(place, words, rows, chance, run)
    assert run(start.words, None).code == 3
    rows = edited(rows, chance)
    source = csv(place, [(key, *row, "7") for key, row in rows.items()], "id,text,label,price")
    return scene(place, source, words, rows)


def scene(place, source, words, rows):
    """Name the command and the ids that have a text."""
    command = ["embed", str(source), "--out", str(place / "table"), *words]
    return Scene(place, command, [key for key, (text, _) in rows.items() if text.strip()])


@pytest.fixture
def words(tiny_text):
    """Return the options all runs have."""
    return ["--encoder", str(tiny_text), "--device", "cpu", "--allow-delete", "--quiet"]


@pytest.mark.parametrize("kills", [SUITE, pytest.param(LONG, marks=pytest.mark.torture)])
def test_killed_anywhere_and_run_again_it_comes_to_the_same(kills, words, tmp_path):
    """Nothing is lost, doubled or different after random SIGKILLs of first and of later runs."""
    chance, figures = random.Random(0), Figures()
    small, large = some_rows(400), some_rows(30_000)
    with Forks() as forks:
        forked = [
            first_run(tmp_path / "first", words, small),
            next_run(tmp_path / "next", words, small, chance, forks.run),
            reshaped_run(tmp_path / "reshaped", words, small, chance, forks.run),
        ]
        way = Way("in forks", forks.run, 0.1)
        tortures = [Torture(scene, way, figures) for scene in forked]
        way = Way("of python -m featurize", plain, 0.5)
        real = Torture(first_run(tmp_path / "plain", words, large), way, figures)
        while figures.kills < kills:
            turn = figures.runs
            one = real if turn % ONE_IN_PLAIN == 0 else tortures[turn % len(tortures)]
            one.go(min(chance.randint(1, 5), kills - figures.kills), chance)
            logging.getLogger("torture").debug("%s", figures)
    logging.getLogger("torture").info("%s", figures)
    assert not +figures.wrong, str(figures)
    assert figures.kills == kills
