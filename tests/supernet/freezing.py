"""The second process of a training, which freezes after its first sum: `python freezing.py`, as torchrun starts it."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import torch

from mosegedge.supernet.ranks import joined

if __name__ == "__main__":
    os.write(1, b"ready\n")
    with joined(torch.device("cpu"), patience=timedelta(seconds=20)) as ranks:
        ranks.total(torch.ones(1))
        os.kill(os.getpid(), signal.SIGSTOP)
