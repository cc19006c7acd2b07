"""What readers of tar and zip files share: the members of an archive, one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from featurize.errors import InputRejected, SourceError
from featurize.sources.packed import Packed
from featurize.sources.walk import is_passed_over, is_utf8, percent_escaped
from featurize.types import RejectReason

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


class MemberKind(StrEnum):
    """What a member is; all but files are counted and passed over."""

    FILE = "file"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Member:
    """A member that is no folder: its name and `size` as the archive has them.

    `packed` says where its content lies, None where only a pass over the archive can find it.
    `read` returns the content, until the next member is asked for; it raises InputRejected.
    `problem` is why the content cannot be used. Bytes of the name that are not UTF-8 are
    surrogates.
    """

    name: str
    kind: MemberKind
    size: int
    packed: Packed | None
    read: Callable[[], bytes]
    problem: InputRejected | None = None

    @property
    def path(self) -> str:
        """Return the name without steps that lead nowhere; a name that leads out stays as it is."""
        if self.leads_out:
            return self.name
        return "/".join(part for part in self.name.split("/") if part not in {"", "."})

    @property
    def leads_out(self) -> bool:
        """Tell whether the name, as a path, would leave the folder it is unpacked in."""
        return self.name.startswith("/") or ".." in self.name.split("/")

    @property
    def is_passed_over(self) -> bool:
        """Tell whether the member lies in a hidden place, or was left behind by a system."""
        parts = self.name.split("/")
        return any(is_passed_over(part) for part in parts if part not in {".", ".."})

    @property
    def refusal(self) -> InputRejected | None:
        """Return why the member cannot be an input, None where nothing is known against it."""
        if not is_utf8(self.name):
            return InputRejected(RejectReason.BAD_NAME, "the name of the member is not UTF-8")
        if self.leads_out:
            return InputRejected(
                RejectReason.OUTSIDE_ROOT, "the name of the member leads out of the archive"
            )
        return self.problem


def is_archive(name: str) -> bool:
    """Tell whether a file of this name is read as an archive."""
    return name.lower().endswith(ARCHIVES)


def damaged(archive: str, count: int, last: str, why: str) -> SourceError:
    """Return the error of an archive of which the first `count` members are whole."""
    named = last if is_utf8(last) else percent_escaped(last)
    place = f"after member {count} ({named})" if count else "before its first member"
    return SourceError(
        f"{archive} is damaged {place}: {why}.", fix="Bring a whole copy of the archive."
    )
