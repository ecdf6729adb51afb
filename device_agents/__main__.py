"""Command line of the agent: `python -m device_agents --backend onnxruntime`, or the same as one zip file."""

import argparse
import signal
import sys
from typing import Any

OLDEST_PYTHON = (3, 7)


def main() -> int:
    """Reads the arguments and serves requests until stdin ends; returns the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write("The agent needs Python 3.7 or newer; %s is Python %s.\n" % (sys.executable, found))
        return 3
    parser = argparse.ArgumentParser(prog="device_agents", description="Times models on this device for mosegedge.")
    parser.add_argument("--backend", required=True, help="runtime to use, such as onnxruntime")
    parser.add_argument("--cache", default="", help="folder for models and build results")
    parser.add_argument("--lock", default="", help="lock file that keeps two runs from timing at once")
    arguments = parser.parse_args()

    # Imported here: an interpreter that is too old must come as far as the message above.
    from device_agents import agent, protocol

    signal.signal(signal.SIGTERM, _end)
    wire = protocol.Wire.take_over_stdout()
    return agent.serve(wire, arguments.backend, arguments.cache, arguments.lock)


def _end(number: int, frame: Any) -> None:
    """Ends like a program that was hung up on: the compilers and the folders of this conversation go with it."""
    del frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
