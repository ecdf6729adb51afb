"""What the device is and what it was doing: processor, clocks, temperature, load.

Every source is optional. One that is absent is left out of the result; nothing is guessed.
"""

import os
import platform
from typing import Any, Dict, List, Optional

_SYS_CPU = "/sys/devices/system/cpu"
_SYS_THERMAL = "/sys/class/thermal"

# How /proc/cpuinfo tells one design of processor from another, on x86 and on ARM.
_DESIGN = (
    (("vendor_id", ""), ("cpu family", "family "), ("model", "model "), ("stepping", "stepping ")),
    (
        ("CPU implementer", "implementer "),
        ("CPU variant", "variant "),
        ("CPU part", "part "),
        ("CPU revision", "revision "),
    ),
)
# Instructions by which runtimes choose their code.
_FEATURES = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "avx_vnni", "amx_tile", "amx_int8", "amx_bf16",
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip


def hardware() -> Dict[str, Any]:
    """What does not change between runs: processor, cores, memory.

    A hypervisor may give processors of several designs one name, so the design itself is told too.
    """
    found = {
        "cpu": _cpu_field("model name") or _cpu_field("Hardware") or platform.processor() or platform.machine(),
        "cpu_design": _cpu_design(),
        "cpu_features": _cpu_features(),
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "memory_mib": _memory_mib(),
    }
    return {name: value for name, value in found.items() if value is not None}


def system() -> Dict[str, str]:
    """Operating system and interpreter."""
    return {
        "os": _os_name(),
        "kernel": platform.system() + " " + platform.release(),
        "python": platform.python_version(),
    }


def conditions() -> Dict[str, Any]:
    """What may change from minute to minute: clocks, governor, temperatures, load, time stolen by a hypervisor."""
    found = {
        "clock_mhz": _clocks_mhz(),
        "governor": _read(_SYS_CPU + "/cpu0/cpufreq/scaling_governor"),
        "temperature_c": _hottest_c(),
        "load_1m": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "steal_ticks": _steal_ticks(),
    }
    return {name: value for name, value in found.items() if value is not None}


def resident_mib() -> int:
    """Memory that this process holds; 0 where the system does not tell."""
    pages = (_read("/proc/self/statm") or "").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") // 1024**2 if len(pages) > 1 else 0


def _read(path: str) -> Optional[str]:
    try:
        with open(path) as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _cpu_field(name: str) -> Optional[str]:
    fields = _cpu_fields(name)
    return fields[0] if fields else None


def _cpu_fields(name: str) -> List[str]:
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    return [line.split(":", 1)[1].strip() for line in lines if ":" in line and line.split(":")[0].strip() == name]


def _cpu_design() -> Optional[str]:
    """Family, model and stepping, or what ARM has in their place; several where cores differ."""
    for names in _DESIGN:
        columns = [[word + value for value in _cpu_fields(name)] for name, word in names]
        cores = {" ".join(column[core] for column in columns if column[core:]) for core in range(len(columns[0]))}
        if cores:
            return "; ".join(sorted(cores))
    return None


def _cpu_features() -> Optional[str]:
    there = set((_cpu_field("flags") or _cpu_field("Features") or "").split())
    return " ".join(name for name in _FEATURES if name in there) or None


def _clocks_mhz() -> Optional[List[int]]:
    """Clock of every core, from the frequency driver where there is one, else from /proc/cpuinfo."""
    driver = []
    for core in range(os.cpu_count() or 1):
        text = _read("%s/cpu%d/cpufreq/scaling_cur_freq" % (_SYS_CPU, core))
        if text and text.isdigit():
            driver.append(int(text) // 1000)
    return driver or [int(float(text)) for text in _cpu_fields("cpu MHz")] or None


def _hottest_c() -> Optional[float]:
    readings = []
    for zone in sorted(os.listdir(_SYS_THERMAL)) if os.path.isdir(_SYS_THERMAL) else []:
        text = _read("%s/%s/temp" % (_SYS_THERMAL, zone))
        if text and text.lstrip("-").isdigit():
            readings.append(int(text) / 1000.0)
    return max(readings) if readings else None


def _memory_mib() -> Optional[int]:
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return None


def _steal_ticks() -> Optional[int]:
    first = (_read("/proc/stat") or "").splitlines()[:1]
    fields = first[0].split() if first else []
    return int(fields[8]) if len(fields) > 8 else None


def _os_name() -> str:
    for line in (_read("/etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return platform.platform()
