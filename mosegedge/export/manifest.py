"""bundle.json: what a bundle says about itself, checked field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mosegedge.errors import ExportError
from mosegedge.export.migrations import FORMAT, STEPS, migrated

MANIFEST = "bundle.json"
NETWORK, WEIGHTS = "network.onnx", "weights.safetensors"
GOLDEN_INPUT, GOLDEN_OUTPUT = "golden_input.npy", "golden_output.npy"
AGENT, VERIFIER = "agent.pyz", "verify.py"
CONTENT = (NETWORK, WEIGHTS, GOLDEN_INPUT, GOLDEN_OUTPUT)
AGAIN = "Export the network again."

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]
NotNegative = Annotated[Finite, Field(ge=0)]
Share = Annotated[Finite, Field(ge=0, le=1)]
Triple = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Prediction(_Part):
    """Latency that a profile predicts for the network.

    Attributes:
        profile: Its name.
        statistic: Which of all timed runs of a network stands for it in that profile.
        latency_ms: Predicted.
        sd_ms: Standard deviation of the prediction.
    """

    profile: str
    statistic: Literal["median", "quantile10"]
    latency_ms: Positive
    sd_ms: NotNegative


class ArtefactSection(_Part):
    """The file that a device runs, and everything that decided what it is.

    Attributes:
        file: Its name in the bundle; network.onnx where the device runs that one itself.
        format: What loads it: `onnx`, `engine`, `om`.
        sha256: Its digest; the same on the device that built it.
        device: Name of that device.
        backend: Runtime of its agent.
        precision: Number format of weights and activations.
        threads: Threads inside one operator.
        settings: What only that backend knows.
        runtime: Versions by name.
        accelerator: What computes.
        clock: Whose time counts, `host` or `device`.
        origin: `measured`, or `simulated` where times come from a law.
        build_s: How long compiling took.
        notes: What the compiler said that a reader should know.
        golden_tolerance: Largest difference of the golden output, relative to the largest logit, that is rounding.
        agreement: Share of pixels that must get PyTorch's class.
    """

    file: Annotated[str, Field(pattern=r"^network(\.[a-z0-9]{1,16}){1,2}$")]
    format: Annotated[str, Field(pattern="^[a-z0-9]{1,16}$")]
    sha256: Digest
    device: str
    backend: Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,64}$")]
    precision: str
    threads: Annotated[int, Field(ge=1)]
    settings: dict[str, str]
    runtime: dict[str, str]
    accelerator: str
    clock: Literal["host", "device"]
    origin: Literal["measured", "simulated"]
    build_s: NotNegative
    notes: list[str]
    golden_tolerance: Positive
    agreement: Share


class BundleManifest(_Part):
    """Content of bundle.json."""

    format: str
    code: str
    space: dict[str, Any]
    data: str
    classes: list[str]
    mean: Triple
    std: Triple
    opset: int
    supernet_sha256: str
    versions: dict[str, str]
    difference_to_torch: Finite
    predicted: Prediction | None
    artefact: ArtefactSection | None
    files_sha256: dict[str, str]

    @property
    def content(self) -> tuple[str, ...]:
        """Names of the files that a bundle of this kind has, bundle.json aside."""
        if self.artefact is None:
            return CONTENT
        return tuple(dict.fromkeys((*CONTENT, self.artefact.file, AGENT, VERIFIER)))

    @model_validator(mode="after")
    def _has_the_digests_of_its_files(self) -> BundleManifest:
        if set(self.files_sha256) != set(self.content):
            found = ", ".join(sorted(self.files_sha256)) or "none"
            raise ValueError(f"it has the digests of {found}, needed are {', '.join(self.content)}")
        if self.artefact and self.artefact.sha256 != self.files_sha256[self.artefact.file]:
            raise ValueError(f"it has two digests of {self.artefact.file}")
        return self


def read_manifest(path: Path) -> BundleManifest:
    """Reads bundle.json of the present format or an older one.

    Raises:
        ExportError: It is damaged, or of a format that this version does not know.
    """
    try:
        record = json.loads(path.read_bytes())
        if isinstance(record, dict):
            # The format first: the fields of another one would be judged by the wrong rules.
            found = record.get("format")
            record = migrated(record)
            if record.get("format") != FORMAT:
                readable = ", ".join([*STEPS, FORMAT])
                raise ExportError(f"{path} has the format {found!r}.", known=f"This version reads {readable}.")
        return BundleManifest.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "its content"
        raise ExportError(f"{path} cannot be read: {place}: {first['msg']}.", fix=AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} cannot be read: {first_line(error)}.", fix=AGAIN) from error


def first_line(error: Exception) -> str:
    """The start of an error's text, without the full stop."""
    return " ".join(str(error).split("\n")[:2]).strip().rstrip(".")
