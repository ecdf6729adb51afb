"""Stand-in for tegrastats of JetPack 6: one line a sample, for ever."""
# ruff: noqa: T201 - it is a command

import sys
import time

assert sys.argv[1] == "--interval"
LINE = (
    "11-24-2026 07:00:00 RAM 3479/7620MB (lfb 1x512kB) SWAP 43/3810MB (cached 0MB) CPU [32%@1510,off,12%@1510] "
    "EMC_FREQ 44%@2133 GR3D_FREQ 99%@918 VIC_FREQ 115 cpu@60.1C gpu@61.5C tj@62C "
    "VDD_IN 7812mW/7001mW VDD_CPU_GPU_CV 3000mW/2900mW"
)
while True:
    print(LINE, flush=True)
    time.sleep(int(sys.argv[2]) / 1000)
