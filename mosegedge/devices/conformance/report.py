"""What the conformance kit found."""

from __future__ import annotations

from dataclasses import dataclass

from mosegedge.errors import AgentError


@dataclass(frozen=True, slots=True)
class ConformanceCheck:
    """One check.

    Attributes:
        name: What should be so, in a few words.
        passed: Whether it is.
        detail: What was found; for a failed check what should have been found, too.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """All checks of one device, in the order in which they ran."""

    device: str
    checks: tuple[ConformanceCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[ConformanceCheck, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def require_passed(self) -> None:
        """Does nothing if every check passed.

        Raises:
            AgentError: At least one did not; the message names all of them.
        """
        if self.failed:
            raise AgentError(
                f"The backend of {self.device} fails {len(self.failed)} of {len(self.checks)} checks.",
                known=" ".join(f"{check.name}: {check.detail}" for check in self.failed),
                fix="Compare its module with the contract in device_agents/backends/__init__.py.",
            )
