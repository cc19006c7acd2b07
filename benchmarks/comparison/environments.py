"""A Python environment for each peer, made once from its pinned requirements."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[1] / "peers"
_STAMP = "installed.txt"


class CannotInstall(Exception):
    """A peer's requirements cannot be installed here; the message says why, in one line."""


def python_of(peer: str | None, environments: Path) -> Path:
    """Return the Python that runs a peer, after making its environment where it is missing.

    None is the environment of this process. Raises CannotInstall with pip's own words.
    """
    if peer is None:
        return Path(sys.executable)
    requirements = REQUIREMENTS / f"{peer}.txt"
    folder = environments / peer
    python, stamp = folder / "bin" / "python", folder / _STAMP
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return python
    print(f"Installing {peer} into {folder} ...", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, "-r", str(requirements)], capture_output=True, text=True)
    if done.returncode:
        raise CannotInstall(_reason(done.stderr))
    stamp.write_text(requirements.read_text())
    return python


def _reason(output: str) -> str:
    """Return pip's last error."""
    lines = output.strip().splitlines() or ["pip said nothing"]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines)[-1]
