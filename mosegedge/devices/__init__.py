"""Where networks are measured: devices, connections to them, and the agent that runs there.

In: the name of a device. Out: an `AgentClient` that loads ONNX models on it, times them and runs them. Profiling and
export call it; it knows nothing of search spaces.

    inventory.py      Device: from the built-in templates and the user's devices.toml; inventory_edit.py writes there
    backends.py       the runtimes an agent can use; other packages add theirs by an entry point
    connection.py     the three verbs run, put, get; local.py is this machine, ssh/ another one
    agent_package.py  the agent as one zip file, named by its digest
    agent_client.py   starts the agent and speaks its protocol (channel.py); replies.py checks what it says
    suiting.py        whether a device can run what is asked, and a model in its forms; host_compiler.py: ATC here
    doctor/           examines a device from its address to its clocks
    conformance/      checks a backend against the protocol

Example:
    >>> from mosegedge.devices import load_device, open_agent
    >>> with open_agent(load_device("local")) as agent:  # doctest: +SKIP
    ...     model = agent.load(onnx_bytes)
    ...     outputs = agent.run(model, [picture])
"""

from mosegedge.devices.agent_client import AgentClient, open_agent
from mosegedge.devices.connection import Connection, connect
from mosegedge.devices.inventory import Device, list_devices, load_device

__all__ = ["AgentClient", "Connection", "Device", "connect", "list_devices", "load_device", "open_agent"]
