"""What ATC's error codes mean and what to do next; follows the documented codes, others are quoted as they came."""

import re
from typing import Dict, List, NamedTuple, Optional

from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

_CODE = re.compile(r"^(E(?:[A-Z]\d{4}|\d{5}))\b:?\s*(.*)$", re.MULTILINE)
_WARNING = re.compile(r"^(?:W(?:[A-Z]\d{4}|\d{5})\b|\[WARNING\]).*$", re.MULTILINE)
_MOST_WARNINGS = 5
_LAST_LINES = 4
_TOO_LITTLE_MEMORY = "E10044"
_NO_SPACE = "No space left on device"


class Meaning(NamedTuple):
    """What a code means, what to do next, and whether the model is to blame."""

    sentence: str
    fix: str
    model: bool = False


MEANINGS: Dict[str, Meaning] = {
    "E10001": Meaning(
        "an option has a value that this ATC does not take",
        "Compare the value that it names with the documentation of the CANN version; blanks around it count as well.",
    ),
    "E10010": Meaning("the value of --log is not known", "Use a CANN version that documents --log=error."),
    "E10016": Meaning("an option names a node that the model does not have", "Export the model again.", True),
    _TOO_LITTLE_MEMORY: Meaning("there is too little memory", "Stop other programs there."),
    "E10501": Meaning(
        "an operator type is not registered in this toolkit",
        "Use another form of that operator, or a newer CANN on both sides.",
        True,
    ),
    "E13000": Meaning("a path is empty", "Report this as a bug, with the options that ATC shows in its log."),
    "E16001": Meaning("the model lacks a part that it must have", "Export the model again.", True),
    "E16005": Meaning(
        "the model names an opset more than once", "Export it again with one opset, 11 for these boards.", True
    ),
    "E19010": Meaning(
        "the ONNX parser does not know an operator: a custom one, or one of an opset that is too new",
        "Export with opset 11 and without custom operators.",
        True,
    ),
    "E19999": Meaning("ATC failed inside", "Look into the log; a newer patch of the same CANN may have it repaired."),
    "EE1001": Meaning(
        "an argument is invalid, which is also how a chip that the toolkit does not know shows",
        "Compare soc_version with the chip (npu-smi info) and with the chips of this CANN version.",
    ),
    "EZ3003": Meaning(
        "there is no kernel for an operator with these types and shapes (the meaning is not documented)",
        "Use another form of the operator that it names.",
        True,
    ),
}
_KERNELS = Meaning(
    "no kernel could be chosen or compiled for an operator on the AI core",
    "Use another form of the operator that it names, or another CANN version.",
    True,
)
_UNKNOWN = Meaning("the code is not in the table of documented ones", "Look it up for the installed CANN version.")


class AtcError(RpcError):
    """A failure in the three parts that the host's errors have too.

    Args:
        what: What failed.
        known: What is known about it.
        fix: The next step.
        model: Whether the model is to blame.
        elsewhere: Whether it may work where there is more memory, or a toolkit: on the host for a board, or the other
            way round. The message is for the board; the host makes its own.
    """

    def __init__(self, what: str, known: str = "", fix: str = "", model: bool = False, elsewhere: bool = False) -> None:
        other = "Or compile on the host: atc = host." if elsewhere else ""
        text = " ".join(part for part in (what, known, fix, other) if part)
        super(AtcError, self).__init__(BAD_MODEL if model else BACKEND_FAILED, text)
        self.what = what
        self.known = known
        self.fix = fix
        self.elsewhere = elsewhere


def explain(status: int, output: str, soc_version: str, log_folder: str) -> AtcError:
    """The failure of an ATC run as sentences.

    Args:
        status: Its exit status.
        output: What it printed.
        soc_version: The chip that was asked for.
        log_folder: Where it writes its logs.
    """
    if _NO_SPACE in output:
        return AtcError("ATC ran out of disk space.", "It said: %s." % _NO_SPACE, "Free some space and try again.")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    log = "Its logs are in %s." % log_folder
    codes = _CODE.findall(output)
    if not codes:
        said = " | ".join(lines[-_LAST_LINES:]).rstrip(".") or "nothing"
        if status in (-9, 137):
            what = "ATC was killed, most likely because memory ran out."
            return AtcError(what, "It said: %s." % said, "Stop other programs there.", elsewhere=True)
        what = "ATC failed with status %d and gave no error code." % status
        return AtcError(what, "It said: %s. %s" % (said, log), "Look into them.")
    code, text = codes[0]
    meaning = _meaning(code, text, soc_version)
    others = sorted({other for other, _ in codes} - {code})
    known = "It said: %s: %s" % (code, text.strip().rstrip(".") + ".")
    if others:
        known += " Further codes: %s." % ", ".join(others)
    return AtcError(
        "ATC failed: %s (%s)." % (meaning.sentence, code),
        "%s %s" % (known, log),
        meaning.fix,
        meaning.model,
        code == _TOO_LITTLE_MEMORY,
    )


def warnings_in(output: str) -> List[str]:
    """Warnings of a run that succeeded."""
    found: List[str] = []
    for line in _WARNING.findall(output):
        if line.strip() not in found:
            found.append(line.strip())
    more = len(found) - _MOST_WARNINGS
    return found[:_MOST_WARNINGS] + (["and %d more warnings of ATC" % more] if more > 0 else [])


def _meaning(code: str, text: str, soc_version: str) -> Meaning:
    if code in ("E10001", "EE1001") and ("soc_version" in text or soc_version in text):
        return Meaning(
            "this toolkit does not know the chip %s" % soc_version,
            "Correct soc_version, or install a CANN that lists this chip.",
        )
    found: Optional[Meaning] = MEANINGS.get(code)
    if found is None:
        found = _KERNELS if code.startswith("EZ") else _UNKNOWN
    return found
