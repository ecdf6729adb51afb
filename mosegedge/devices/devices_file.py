"""What one table of a devices.toml may hold; only read when there is such a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mosegedge.devices.connection import TRANSPORTS
from mosegedge.errors import DeviceError


class DeviceTable(BaseModel):
    """One device of the user's; every field is optional and defaults to that of the template."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    template: str = ""
    backend: str = ""
    connection: Literal[tuple(TRANSPORTS)] = "local"  # type: ignore[valid-type]
    address: str = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    user: str = ""
    identity: str = ""
    environment: str = ""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    precision: Literal["fp32", "fp16", "bf16", "int8"] = "fp32"
    clock: Literal["host", "device"] = "host"
    opset: Annotated[int, Field(ge=11, le=17)] = 17
    interpreter: str = ""
    cache: str = ""
    description: str = ""
    settings: dict[str, str] = Field(default_factory=dict)


def checked_tables(content: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    """The tables of a file, with only the fields that are written there.

    Args:
        content: The parsed file.
        path: Where it is, for messages.

    Raises:
        DeviceError: A field is unknown, or its value is not possible; the message names it.
    """
    tables = {}
    for name, table in content.items():
        try:
            tables[name] = DeviceTable.model_validate(table).model_dump(exclude_unset=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join([name, *(str(part) for part in first["loc"])])
            known = ", ".join(sorted(DeviceTable.model_fields))
            raise DeviceError(
                f"{path}: {place}: {first['msg']}.",
                known=f"A device is a table with the fields {known}.",
                fix="Correct that line.",
            ) from error
    return tables
