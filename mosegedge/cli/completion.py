"""Names that the shell offers when Tab is pressed; nothing heavy is loaded for it."""

from __future__ import annotations


def device_names(incomplete: str) -> list[str]:
    """Devices whose name begins like what was typed; after a comma the next one of a list."""
    from mosegedge.devices.inventory import definitions
    from mosegedge.errors import DeviceError

    before, comma, typed = incomplete.rpartition(",")
    try:
        known = definitions()
    except DeviceError:  # A shell that completes has no place for a message; the command itself will say it.
        return []
    return [f"{before}{comma}{name}" for name in known if name.startswith(typed)]
