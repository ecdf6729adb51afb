"""What one table of a devices.toml may hold; only read when there is such a file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mosegedge.devices.connection import TRANSPORTS


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
