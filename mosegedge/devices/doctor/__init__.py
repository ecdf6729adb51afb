"""Examines a device and says of everything that is wrong what to do about it.

In: a `Device`. Out: a `Diagnosis`; `mosegedge devices doctor` prints it.

    diagnosis.py  diagnose: all checks in order; those that need what failed are skipped
    checks.py     Check
    network.py    address, host key, login (over SSH only)
    probe.py      environment script, interpreter, disk, memory
    agent.py      runtime, the backend's own checks, precision, opset, clock, speed, load, other users
"""
