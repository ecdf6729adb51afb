"""Stand-in for one GPU: memory in this process, a clock that moves only when kernels run, streams and captures.

Not NVIDIA software. The stand-ins for cuda-python (12 and 13) and TensorRT (8.5 to 11) share it. By the environment:

    STANDIN_GPU     "ok", "none" (no driver), "empty" (no device), "crash" (asking ends the process)
    STANDIN_FAIL    what goes wrong, words with commas between; each stand-in says which it knows
"""

import ctypes
import os
import signal

from standin_names import NAMES

NAME = "NVIDIA GeForce RTX 3090 (stand-in)"
PCI_BUS_ID = "0000:65:00.0"
LAUNCH_NS = 1000


def state():
    return os.environ.get("STANDIN_GPU", "ok")


def fails(word):
    return word in os.environ.get("STANDIN_FAIL", "").split(",")


def noise(text):
    """Prints as C++ does, past Python."""
    os.write(1, text.encode() + b"\n")


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def number(text):
    return tuple(int(part) for part in f"{text}.0".split(".")[:2])


def documented(table, name, version):
    """Whether a version has a name, by the table: "8.6<11.0" means since 8.6, gone in 11.0."""
    since, _, until = NAMES[table].get(name, "999").partition("<")
    return number(since) <= number(version) and (not until or number(version) < number(until))


class Gpu:
    def __init__(self):
        self.now_ns = 0
        self.memory = {}
        self.capturing = {}
        self.handles = 0
        self.pending = None

    def handle(self):
        self.handles += 1
        return 0x1000 + self.handles

    def allocate(self, size):
        buffer = ctypes.create_string_buffer(max(size, 1))
        self.memory[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def submit(self, stream, work, duration_ns):
        """Runs something on a stream, or writes it down while the stream is captured."""
        if stream in self.capturing:
            self.capturing[stream].append((work, duration_ns))
            return
        self.now_ns += LAUNCH_NS
        self.perform([(work, duration_ns)])

    def perform(self, entries):
        for work, duration_ns in entries:
            self.pending = work
            self.now_ns += duration_ns

    def settle(self):
        """Computes what the latest kernels left; before a copy looks at it or changes its inputs, and never else."""
        work, self.pending = self.pending, None
        if work is not None:
            work()


GPU = Gpu()
