"""The file of a profile: canonical JSON, sorted, one entry a line, with a digest over its content."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from mosegedge.errors import ProfileError
from mosegedge.files import canonical_json, sha256_of_bytes
from mosegedge.profiling.migrations import migrate
from mosegedge.profiling.profile import Profile

_BY_LINE = ("entries", "networks", "failed", "notes")
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


def profile_of_text(text: bytes, source: str) -> Profile:
    """Reads the content of a file.

    Args:
        text: The content.
        source: The file's name, for messages.

    Raises:
        ProfileError: It is no profile, was changed after it was written, or needs a newer mosegedge.
    """
    try:
        content = json.loads(text.decode(), parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        found = digest_of(content)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{source} is no profile: {error}.", fix=_MEASURE_AGAIN) from error
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
        raise ProfileError(f"{source} is no profile: {place}: {first['msg']}.", fix=_MEASURE_AGAIN) from error


def profile_schema() -> str:
    """The JSON Schema of the file, for other programs; published as profiles/profile.schema.json."""
    schema = Profile.model_json_schema(by_alias=True, mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 over all fields but the digest."""
    rest = {name: value for name, value in content.items() if name != "digest"}
    return sha256_of_bytes(canonical_json(rest).encode())


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")
