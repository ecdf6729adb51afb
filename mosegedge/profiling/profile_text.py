"""The file of a profile: canonical JSON, sorted, one entry a line, with a digest over its content."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from mosegedge.errors import ProfileError
from mosegedge.files import canonical_json, sha256_of_bytes
from mosegedge.profiling.migrations import migrate
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import SourceSection

_BY_LINE = ("entries", "networks", "failed", "notes")
_DEEPEST = 24
_LONGEST = 200
_MEASURE_AGAIN = "Restore the file (git checkout, a copy), or measure again: mosegedge profile"


def text_of_profile(profile: Profile) -> str:
    """The content of the file; the digest is computed here."""
    content = profile.model_dump(mode="json", by_alias=True, exclude={"digest"})
    content["digest"] = digest_of(content)
    lines = []
    for name in sorted(content):
        value = content[name]
        if name in _BY_LINE and value:
            rows = ",\n".join(canonical_json(row) for row in value)
            lines.append(f"{canonical_json(name)}:[\n{rows}\n]")
        else:
            lines.append(f"{canonical_json(name)}:{canonical_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def source_of(profile: Profile) -> SourceSection:
    """What another profile says of this one where it took numbers from it."""
    content = profile.model_dump(mode="json", by_alias=True, exclude={"digest"})
    return SourceSection(profile=profile.name, digest=profile.digest or digest_of(content))


def profile_of_text(text: bytes, source: str) -> Profile:
    """Reads the content of a file.

    Args:
        text: The content.
        source: The file's name, for messages.

    Raises:
        ProfileError: It is no profile, was changed after it was written, or needs a newer mosegedge.
    """
    try:
        content = json.loads(text.decode(), parse_constant=_refuse_constant, object_pairs_hook=_without_doubles)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        _require_plain(content)
        found = digest_of(content)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{source} is no profile: {str(error)[:_LONGEST]}.", fix=_MEASURE_AGAIN) from error
    stated = content.get("digest")
    current = migrate(content, source)
    if found != stated:
        raise ProfileError(
            f"{source} was changed after it was written: its content has the digest {found[:12]}, "
            f"it states {str(stated)[:12]}.",
            known="A profile is never edited; a new measurement is a new version.",
            fix=_MEASURE_AGAIN,
        )
    try:
        return Profile.model_validate(current)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ProfileError(
            f"{source} is no profile: {place[:_LONGEST]}: {first['msg'][:_LONGEST]}.", fix=_MEASURE_AGAIN
        ) from error


def profile_schema() -> str:
    """The JSON Schema of the file, for other programs; published as profiles/profile.schema.json."""
    schema = Profile.model_json_schema(by_alias=True, mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 over all fields but the digest."""
    rest = {name: value for name, value in content.items() if name != "digest"}
    return sha256_of_bytes(canonical_json(rest).encode())


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: of two equal ones each reader would take another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the field {double[:40]!r} twice in one object")
    return found


def _require_plain(content: Any) -> None:
    """Refuses what no measurement writes and what a reader further on may stumble over.

    Raises:
        ValueError: Objects deep in each other, numbers beyond 64 bits, text that is no Unicode.
    """
    level, depth = [content], 0
    while level:
        if depth > _DEEPEST:
            raise ValueError(f"its objects lie more than {_DEEPEST} deep in each other")
        for value in level:
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError("it holds a number of more than 64 bits")
            if isinstance(value, str):
                value.encode()  # half of a surrogate pair cannot be printed
        inner = [value for value in level if isinstance(value, dict | list)]
        level = [part for value in inner for part in (value if isinstance(value, list) else [*value, *value.values()])]
        depth += 1


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
