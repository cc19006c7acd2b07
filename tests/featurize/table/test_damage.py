"""Flipped bits and cuts anywhere in a table: verify names the file, reading never lies."""

import logging
import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import featurize
from featurize.cli.main import run
from featurize.errors import FeaturizeError
from featurize.processors.text import TextProcessor
from featurize.table import EmbeddingTable
from featurize.table.verify import verify_table

LOG = logging.getLogger("torture")
FOLDERS = ("data", "_rejects", "_log")
SUITE, LONG = 300, 10_000


def write_source(path, rows):
    """Write texts, some blank, with columns of several types, some with nulls."""
    columns = {
        "id": list(rows),
        "text": [" " if n % 17 == 16 else f"{rows[key]} runs" for n, key in enumerate(rows)],
        "label": ["ab"[n % 2] for n in range(len(rows))],
        "price": [n / 7 for n in range(len(rows))],
        "count": [n if n % 5 else None for n in range(len(rows))],
        "good": [n % 3 == 0 for n in range(len(rows))],
        "note": [f"né {n}" if n % 4 else None for n in range(len(rows))],
    }
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="module")
def table(tiny_text, tmp_path_factory):
    """Make a table of a checkpoint and many commits, which replaced parts and forgot an id."""
    folder = tmp_path_factory.mktemp("damage")
    source, table = folder / "in.parquet", folder / "t"
    rows = {f"r{number:04}": f"fox {number % 90}" for number in range(240)}
    more = {f"r{number:04}": f"slow dog {number}" for number in range(0, 240, 31)}
    more |= {f"s{number:04}": f"card {number}" for number in range(60)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextProcessor, "chunk_bytes", 700)
        write_source(source, rows)
        featurize.embed(source, out=table, encoder=str(tiny_text))
        assert run(["forget", str(table), "--id", "r0003", "--keep-out", "--quiet"]) == 0
        assert run(["gc", str(table), "--quiet"]) == 0
        write_source(source, rows | more)
        featurize.embed(source, out=table, encoder=str(tiny_text))
    assert verify_table(table) == []
    return table


def contents(path):
    """Return all that reading a table gives."""
    table = EmbeddingTable.open(path)
    rows, rejects = table.select(), table.rejects()
    return (
        (rows.schema, rows.schema.metadata),
        rows.to_pylist(),
        table.to_numpy().tobytes(),
        rejects.to_pylist(),
        (table.version, table.origin, table.fingerprint, table.complete, len(table)),
    )


def read(path, sound):
    """Say what reading a damaged table comes to."""
    try:
        return "harmless" if contents(path) == sound else "silently different"
    except FeaturizeError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - what a damaged file makes a library raise
        return f"foreign: {type(error).__name__}"


def verified(root, path):
    """Say what verify finds: the damaged file, something else, nothing."""
    problems = verify_table(root)
    if not problems:
        return "missed"
    named = any(path.name in problem.item + problem.detail for problem in problems)
    return "found" if named else "unnamed"


def damaged(data, chance):
    """Flip a bit anywhere, or, once in ten, cut anywhere."""
    place = chance.randrange(len(data))
    if chance.random() < 0.1:
        return data[:place]
    flipped = bytearray(data)
    flipped[place] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def difference(left, right):
    """Return the first byte that differs."""
    return next(
        place for place, pair in enumerate(zip(left, right, strict=False)) if len({*pair}) > 1
    )


@pytest.mark.parametrize("count", [SUITE, pytest.param(LONG, marks=pytest.mark.torture)])
def test_damage_anywhere_is_found_and_never_read_as_truth(table, count):
    """Verify names every damaged file; reading refuses it by an error of ours.

    Harmless is only what reading does not need: the log entries that a checkpoint stands for.
    """
    chance, outcomes, sound = random.Random(0), Counter(), contents(table)
    files = {folder: sorted((table / folder).iterdir()) for folder in FOLDERS}
    for _ in range(count):
        path = chance.choice(files[chance.choice(FOLDERS)])
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, chance))
        outcomes[f"verify {verified(table, path)}"] += 1
        outcome = read(table, sound)
        outcomes[f"read {outcome}"] += 1
        if outcome.startswith("silently"):
            LOG.info("%s at byte %d", path.name, difference(whole, path.read_bytes()))
        path.write_bytes(whole)
    LOG.info("%d flips and cuts: %s", count, dict(sorted(outcomes.items())))
    assert outcomes["verify found"] == count
    assert outcomes["read refused"] + outcomes["read harmless"] == count
    assert contents(table) == sound


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_lost_last_byte_is_found(table, folder):
    """Not even the newline at the end of a log entry goes unseen."""
    path = sorted((table / folder).iterdir())[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert verified(table, path) == "found"
    path.write_bytes(whole)


@pytest.mark.parametrize("folder", ["data", "_rejects"])
def test_a_part_that_seems_to_end_early_is_refused(table, folder):
    """A bit in a page header, under no page checksum, can make pyarrow stop without an error."""
    path = sorted((table / folder).iterdir())[0]
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[5] ^= 2  # after the magic number and a field's header: the type of the first page
    path.write_bytes(flipped)
    with pytest.raises(FeaturizeError, match=path.name):
        contents(table)
    path.write_bytes(whole)


@pytest.mark.parametrize("folder", ["data", "_rejects"])
def test_a_renamed_column_is_an_error_of_ours(table, folder):
    """A bit in a column's name, in the footer, is reported with the file."""
    path = sorted((table / folder).iterdir())[1]
    whole = path.read_bytes()
    place = whole.rindex(b"\x18\x0econtent_sha256") + 2
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    outcome = read(table, None)
    path.write_bytes(whole)
    assert outcome == "refused"
