"""Stand-in for nvpmodel of JetPack 6."""
# ruff: noqa: T201 - it is a command

import sys

assert sys.argv[1:] == ["-q"]
print("NVPMWARN: fan mode is not set\nNV Power Mode: 15W\n2")
