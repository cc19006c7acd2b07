"""Small tables, made by embedding CSV files in chunks of a few rows."""

import contextlib

import pytest
from faulty_disk import Crash, FaultyDisk


@pytest.fixture(scope="session")
def embed_rows(tiny_text):
    """Return a function that writes (id, text) rows to a CSV file and embeds it."""
    from featurize.bundle import Bundle
    from featurize.config import Job
    from featurize.encoder import Encoder
    from featurize.pipeline import embed_source
    from featurize.sources import open_source
    from featurize.types import Silent

    def embed(source, out, rows=None, **options):
        if rows is not None:
            lines = ["id,text", *(f"{key},{text}" for key, text in rows.items())]
            source.write_text("\n".join(lines) + "\n")
        job = Job(source, out=out, **options)
        encoder = Encoder.open(Bundle.open(tiny_text), device="cpu")
        encoder.processor.chunk_bytes = 30
        return embed_source(
            job, open_source(job), encoder, bundle=str(tiny_text), reporter=Silent()
        )

    return embed


@pytest.fixture
def killed_at(monkeypatch):
    """Return a function that works on a folder until it is killed at its n-th disk operation.

    Says whether it came to that.
    """

    def work_until(number, folder, work):
        disk = FaultyDisk(folder, fail_at=number, failure=Crash())
        with disk.mounted(monkeypatch), contextlib.suppress(Crash):
            work()
        return disk.failed

    return work_until
