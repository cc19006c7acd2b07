"""The only place that hashes, fsyncs, renames, locks and removes.

Every effect on a disk that matters after a crash goes through the `os` of `disk` and `locking`, so
that a test can fail any of them, and lose what was not synced.
"""

from featurize.storage.disk import (
    create,
    make_folder,
    names,
    publish,
    put,
    put_if_absent,
    read,
    remove,
    scratch,
    sync_folder,
    try_writing,
)
from featurize.storage.folders import new_folder
from featurize.storage.hashing import (
    canonical_json,
    pretty_json,
    sha256_bytes,
    sha256_file,
    sha256_joined,
)
from featurize.storage.locking import HOLDER, holder, lock

__all__ = [
    "HOLDER",
    "canonical_json",
    "create",
    "holder",
    "lock",
    "make_folder",
    "names",
    "new_folder",
    "pretty_json",
    "publish",
    "put",
    "put_if_absent",
    "read",
    "remove",
    "scratch",
    "sha256_bytes",
    "sha256_file",
    "sha256_joined",
    "sync_folder",
    "try_writing",
]
