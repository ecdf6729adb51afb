"""Stand-in for jetson_clocks of JetPack 6."""
# ruff: noqa: T201 - it is a command

import sys

assert sys.argv[1:] == ["--show"]
print("SOC family:tegra234  Machine:NVIDIA Jetson Orin Nano Developer Kit")
print("cpu0: Online=1 Governor=schedutil MinFreq=729600 MaxFreq=1510400 CurrentFreq=1510400")
print("GPU MinFreq=306000000 MaxFreq=918000000 CurrentFreq=918000000")
print("EMC MinFreq=204000000 MaxFreq=2133000000 CurrentFreq=2133000000 FreqOverride=0\nNV Power Mode: 15W")
