"""The program that runs on a device: it loads models into the vendor's runtime and times them.

In: JSON-RPC 2.0 requests on stdin, model files in a cache folder, named by their SHA-256. Out: replies and raw
samples on stdout. The host package starts it and talks to it; this package imports nothing but the standard library
and the runtime of the chosen backend.

    __main__.py               the command line, and the check that the interpreter is new enough
    protocol.py               the wire: one JSON object a line, error codes, who owns stdout
    agent.py                  the methods of the protocol
    timing.py                 the one timed loop
    telemetry.py              clocks, temperature, load: what the device was doing meanwhile
    priority.py               the scheduler's favour while a burst is timed
    lock.py, cache.py         one run at a time; model files by digest
    artefacts.py              compiled models, never compiled twice
    runner.py                 starts programs where the process with the runtime must not
    tensors.py                numpy arrays and raw bytes
    random_inputs.py          inputs that nobody sent, without numpy
    onnx_file.py              inputs, outputs and precision of an ONNX file, without any package
    options.py                threads, precision and settings of a conversation
    backends/                 one module or package a runtime; the contract is in its docstring
    sensors/                  clocks, temperature, power by the vendors' own interfaces

Syntax floor: Python 3.6, so that an old interpreter can at least say that it is too old. Working floor: 3.7.
"""

VERSION = "0.1.0"
