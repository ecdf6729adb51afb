"""Where profiles are: `<root>/<device>/<space>-<precision>/v<N>.json`, one folder a series, never rewritten."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mosegedge.errors import ProfileError
from mosegedge.files import read_regular, write_atomic
from mosegedge.profiling.profile import Profile, series_name
from mosegedge.profiling.profile_text import profile_of_text, text_of_profile
from mosegedge.space import SearchSpace

DEFAULT_ROOT = Path("profiles")
_MOST_BYTES = 64 * 1024**2
_VERSION_FILE = re.compile(r"v([1-9][0-9]*)\.json")


@dataclass(frozen=True, slots=True)
class Series:
    """All versions of one device's profile of one space.

    Attributes:
        folder: Where they are; it need not exist yet.
    """

    folder: Path

    @property
    def versions(self) -> list[int]:
        """Numbers of the versions on disk, oldest first."""
        matches = (_VERSION_FILE.fullmatch(path.name) for path in self.folder.glob("v*.json"))
        return sorted(int(match[1]) for match in matches if match)

    @property
    def latest(self) -> int | None:
        """Newest version on disk."""
        return max(self.versions, default=None)

    @property
    def next_version(self) -> int:
        """Number that a new measurement gets."""
        return (self.latest or 0) + 1

    def path(self, version: int) -> Path:
        """File of a version."""
        return self.folder / f"v{version}.json"

    def journal(self, version: int) -> Path:
        """Raw samples of a version."""
        return self.folder / f"v{version}.journal.jsonl"

    def require_no_open_measurement(self) -> None:
        """A measurement that was not finished is going to be the next version, and its record has that name.

        Raises:
            ProfileError: There is one.
        """
        journal = self.journal(self.next_version)
        if journal.exists():
            raise ProfileError(
                f"{journal} is the record of a measurement that was not finished.",
                known=f"It will be version {self.next_version}, so nothing else can be.",
                fix="Finish it with the command that began it, or move the file away.",
            )

    def costs(self, version: int) -> Path:
        """Raw readings of energy and memory of a version."""
        return self.folder / f"v{version}.costs.jsonl"


def series_of(root: Path, *, device: str, space: SearchSpace, precision: str, threads: int) -> Series:
    """The series that a measurement belongs to."""
    return Series(root / device / series_name(space.slug, precision=precision, threads=threads))


def save_profile(profile: Profile, series: Series) -> Path:
    """Writes a profile as a version of a series.

    Raises:
        ProfileError: There is such a version already.
    """
    path = series.path(profile.version)
    if path.exists():
        raise ProfileError(
            f"{path} exists, and a profile is never rewritten.",
            fix="Measure again; the new profile gets the next version.",
        )
    write_atomic(path, text_of_profile(profile))
    return path


def load_profile(reference: str | Path, *, root: Path = DEFAULT_ROOT) -> Profile:
    """Loads a profile.

    Args:
        reference: A file, or `device/series` for the latest version, or `device/series/v2`.
        root: Folder that holds the devices.

    Raises:
        ProfileError: There is none, or it cannot be used.

    Example:
        >>> load_profile("local/tiny-fp32").certificate.kendall_tau  # doctest: +SKIP
    """
    path = profile_path(reference, root=root)
    try:
        content = read_regular(path, most_bytes=_MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ProfileError(
            f"{path} cannot be read: {error.strerror if isinstance(error, OSError) else error}.",
            known="A profile is a regular file of some hundred kilobytes.",
            fix="Name another one: mosegedge profiles list",
        ) from error
    return profile_of_text(content, str(path))


def profile_path(reference: str | Path, *, root: Path = DEFAULT_ROOT) -> Path:
    """The file that `load_profile` reads.

    Raises:
        ProfileError: There is none.
    """
    return _find(str(reference), root)


def list_profiles(root: Path = DEFAULT_ROOT) -> list[Path]:
    """Files of all profiles under a root, by name and version."""
    found = [path for path in root.glob("*/*/v*.json") if _VERSION_FILE.fullmatch(path.name)]
    return sorted(found, key=lambda path: (str(path.parent), int(path.stem[1:])))


def latest_profiles(root: Path = DEFAULT_ROOT) -> list[Path]:
    """Files of the newest version of every series under a root, by name."""
    return list({path.parent: path for path in list_profiles(root)}.values())


def _find(reference: str, root: Path) -> Path:
    if reference.endswith(".json"):
        path = Path(reference)
        if _exists(path):
            return path
        raise _absent(reference, root)
    folder, _, last = reference.rpartition("/")
    if re.fullmatch(r"v[1-9][0-9]*", last):
        path = root / folder / f"{last}.json"
        if _exists(path):
            return path
        raise _absent(reference, root)
    series = Series(root / reference)
    try:
        latest = series.latest
    except (OSError, ValueError) as error:  # a name that no folder can have
        raise _absent(reference, root) from error
    if latest is None:
        raise _absent(reference, root)
    return series.path(latest)


def _is_strange(reference: str) -> bool:
    return len(reference) > 200 or not reference.isprintable()


def _exists(path: Path) -> bool:
    """Whether something has this name, of whatever sort; a name that no file can have is the name of none."""
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def _absent(reference: str, root: Path) -> ProfileError:
    known = ", ".join(str(path.relative_to(root).with_suffix("")) for path in list_profiles(root))
    return ProfileError(
        f"There is no profile {reference[:200]!r}." if _is_strange(reference) else f"There is no profile {reference}.",
        known=f"Profiles in {root}: {known or 'none'}.",
        fix="Measure one: mosegedge profile --device local --space tiny; or name their folder with --profile-root.",
    )
