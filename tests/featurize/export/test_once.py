"""What is exported into the cache is exported once, however many ask."""

import os
import subprocess
import sys
from pathlib import Path

from featurize.catalog import resolve
from featurize.export.origin import locate

REPO = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from featurize.catalog import resolve
print(resolve(sys.argv[1], say=lambda line: print(line, file=sys.stderr)).path)
"""


def test_two_first_users_export_once(make_model, tmp_path, monkeypatch):
    """Two processes that ask for the same model at once share one export; a third just opens."""
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "cache"))
    slug = locate(make_model()).slug
    leftover = tmp_path / "cache" / "bundles" / f".{slug}.{'a' * 32}"
    leftover.mkdir(parents=True)
    paths = [str(REPO), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    users = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(make_model())],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [user.communicate(timeout=300) for user in users]
    assert [user.returncode for user in users] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert sum("Exporting" in said for _, said in outputs) == 1
    assert not leftover.exists()
    lines = []
    assert str(resolve(str(make_model()), say=lines.append).path) == outputs[0][0].strip()
    assert lines == []
