"""A cache of the Hugging Face Hub as its client lays it out, made by hand."""

import hashlib
import os
from pathlib import Path


def keep(cache: Path, name: str, folder: Path, commit: str, refs=("main",)) -> Path:
    """Put a model's folder into a cache as a commit of a repository; return its snapshot.

    Files lie in `blobs` by their hash, and are linked from `snapshots/COMMIT`; `refs` are the
    branches and tags that stand for the commit.
    """
    root = cache / f"models--{name.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    for file in (path for path in sorted(folder.rglob("*")) if path.is_file()):
        blob = root / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        link = snapshot / file.relative_to(folder)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(file.read_bytes())
        link.symlink_to(os.path.relpath(blob, link.parent))
    for ref in refs:
        path = root / "refs" / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    return snapshot
