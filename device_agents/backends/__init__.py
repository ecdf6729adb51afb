"""One module or package a runtime, each with the functions that are listed here.

    FORMAT                                what `build` makes and `load` takes: "onnx", "engine", "om"
    describe(options) -> dict             what the runtime is; see below
    build(path, options, folder) -> Built turns an ONNX file into a file of FORMAT, kept in `folder`
    load(path, options) -> model          an object with `inputs` and `outputs`: lists of name, dtype, shape
    run(model, inputs)                    with inputs (raw little-endian bytes each): the outputs as name, dtype, shape,
                                          content. With None: one run to be timed, on the inputs of the last call
                                          (random ones at first), outputs stay where they are; returns nanoseconds by
                                          the device's own clock, or None where it has none
    close(model)                          frees it

and, where the runtime can do it,

    on_processor(options) -> bool         whether the processor computes: the agent keeps to as many cores as threads
    start(options)                        called once, before anything else: probe, start helper processes
    stop()                                called once, at the end of the conversation
    conditions() -> dict                  clocks, temperature_c, power_w, throttled (list of reasons), energy_mj
    memory() -> (used_mib, total_mib)     of the accelerator; empty where it shares the processor's
    layers(model, runs) -> list           time inside one run: name, kind, ns, nodes (names of ONNX nodes), note
    meters(options) -> list               what may tell the energy of what computes, best first: see `sensors.meter`
    memory_of(path, options) -> dict      mib that a model needs and how that was measured; see `memory`
    checks(options) -> list               for the doctor: name, status ("ok", "warning", "failed"), found, fix

`options` is an `Options`: threads, precision, settings. `describe` returns

    runtime       versions by name, as {"tensorrt": "10.3.0", "cuda": "12.6"}; part of the device's fingerprint
    accelerator   one line: what computes
    precisions    those that can be timed here
    opset         highest ONNX opset that is taken
    clock         "device" where `run` returns nanoseconds of the device, else "host"
    host_clock    false where a run starts a program, so that the processor's clock says nothing; true by default
    typed_onnx    true where the precision must be in the ONNX file already, because the builder has no switch for it
    origin        "measured", or "simulated" for a backend that computes its times from a law

Failures are `RpcError`s with a sentence; nothing falls back to another device, provider or precision in silence.
"""
