"""The agent as one file: a zip that any Python 3.7 runs, equal bytes for equal sources."""

from __future__ import annotations

import io
import zipfile

from mosegedge.devices.backends import Backend, agent_sources

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_MAIN = b"import sys\n\nfrom device_agents.__main__ import main\n\nsys.exit(main())\n"


def agent_zipapp(backend: Backend) -> bytes:
    """Builds the zip application of the agent with one backend's module."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {"__main__.py": _MAIN} | {
            f"device_agents/{name}": text for name, text in agent_sources(backend).items()
        }
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
