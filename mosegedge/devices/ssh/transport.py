"""paramiko's transport with one request for the login service, however many keys and passwords are tried after it.

paramiko asks for that service anew before every attempt, and there are servers that hang up when they are asked twice.
This module imports paramiko, so it is imported where a connection is opened and not before.
"""

from __future__ import annotations

from paramiko import Message, Transport
from paramiko.common import cMSG_SERVICE_REQUEST

_LOGIN_SERVICE = "ssh-userauth"


class LoginTransport(Transport):  # type: ignore[misc]  # paramiko has no types
    """A transport that asks once; every attempt waits for its answer, so at the second the service was granted."""

    _was_asked = False

    def _send_message(self, data: Message) -> None:
        if not data.asbytes().startswith(cMSG_SERVICE_REQUEST):
            super()._send_message(data)
        elif not self._was_asked:
            self._was_asked = True
            super()._send_message(data)
        else:
            granted = Message()
            granted.add_string(_LOGIN_SERVICE)
            granted.rewind()
            self.auth_handler._parse_service_accept(granted)
