"""Devices at the other end of an SSH connection.

In: a `Device` with an address. Out: the three verbs of `mosegedge.devices.connection`; nothing else calls this package.

    connection.py  SshConnection: run, put, get
    config.py      where it is: devices.toml, then ~/.ssh/config
    hostkeys.py    whether it is the one that it claims to be
    keys.py        keys, each once, those that were asked for first
    prompt.py      questions on the terminal, one at a time
    auth.py        logging in with keys, passphrases and passwords
    transport.py   paramiko's transport, for servers that are asked once
    login.py       a checked and logged-in transport, and whether it still lives
    start.py       how a program is started there, whatever the login shell is; local.py uses it too
    answer.py      what that start has answered, and the errors of one that failed
    process.py     a program there with its streams
    files.py       files there, with the help of device_agents/transfer.py
"""
