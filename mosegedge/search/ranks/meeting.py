"""How ranks find one another: rank 0 listens, and writes where into the store that the launcher keeps."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import time
from datetime import timedelta

from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

from mosegedge.errors import RankLostError
from mosegedge.search.ranks.link import Link
from mosegedge.supernet.launch import Member

WITHIN_S = 300.0
_HELLO_S = 10.0
_PAUSE_S = 0.1
_KEY = "mosegedge/search"
_AGAIN = "Start the same command again, with any number of processes or one; what is archived is kept."


def gather(member: Member, *, within_s: float = WITHIN_S) -> dict[int, Link]:
    """Rank 0 waits for all others; returns their links by rank.

    Raises:
        RankLostError: Not all of them came in time, or there is no store.
    """
    token = secrets.token_hex(16)
    links: dict[int, Link] = {}
    deadline_s = time.monotonic() + within_s
    with _listening(member) as server:
        try:
            store = _store(member, within_s)
            store.set(_KEY, f"{server.getsockname()[1]} {token}")
            while len(links) < member.size - 1:
                server.settimeout(max(_PAUSE_S, deadline_s - time.monotonic()))
                _greet(server.accept()[0], token, member.size, links)
        except (OSError, DistError) as error:
            _close(links)
            missing = ", ".join(str(rank) for rank in range(1, member.size) if rank not in links)
            late = isinstance(error, TimeoutError)
            what = f"did not come within {within_s:.0f} s" if late else "could not be met"
            raise RankLostError(f"Rank {missing} of {member.size} {what}: {error}.", fix=_AGAIN) from error
        except BaseException:
            _close(links)
            raise
    return links


def join(member: Member, *, within_s: float = WITHIN_S) -> Link:
    """Any other rank looks for rank 0.

    Raises:
        RankLostError: It was not found in time.
    """
    deadline_s = time.monotonic() + within_s
    reason = "it does not listen"
    try:
        store = _store(member, within_s)
        while time.monotonic() < deadline_s:
            # What is in the store may be of ranks that the launcher has replaced by now, so it is read each time.
            if store.check([_KEY]):
                port, token = store.get(_KEY).decode().split()
                with contextlib.suppress(OSError, ValueError):
                    return _introduced(member, int(port), token)
                reason = f"port {port} does not answer"
            time.sleep(_PAUSE_S)
    except DistError as error:
        reason = str(error)
    raise RankLostError(
        f"Rank 0 of {member.size} was not found at {member.host} within {within_s:.0f} s: {reason}.", fix=_AGAIN
    )


def _introduced(member: Member, port: int, token: str) -> Link:
    """A link on which rank 0 has bidden welcome; OSError or ValueError where that is somebody else."""
    link = Link(socket.create_connection((member.host, port), timeout=_HELLO_S))
    try:
        link.send({"kind": "hello", "rank": member.rank, "token": token})
        if link.receive(_HELLO_S) != {"kind": "welcome"}:
            raise ValueError("it is not rank 0")
    except BaseException:
        link.close()
        raise
    return link


def _greet(connection: socket.socket, token: str, size: int, links: dict[int, Link]) -> None:
    """Adds the link of a rank that knows the token; anybody else is sent away."""
    try:
        link = Link(connection)
    except OSError:  # it has hung up already
        connection.close()
        return
    with contextlib.suppress(OSError, ValueError):
        match link.receive(_HELLO_S):
            case {"kind": "hello", "rank": int(rank), "token": str(known)} if (
                0 < rank < size and rank not in links and hmac.compare_digest(known.encode(), token.encode())
            ):
                link.send({"kind": "welcome"})
                links[rank] = link
                return
    link.close()


def _store(member: Member, within_s: float) -> TCPStore:
    return TCPStore(
        member.host,
        member.port,
        is_master=member.rank == 0 and not member.hosted,
        timeout=timedelta(seconds=within_s),
        wait_for_workers=False,
    )


def _listening(member: Member) -> socket.socket:
    """Listens on the one address by which the others know rank 0."""
    try:
        family, _, _, _, address = socket.getaddrinfo(member.host, 0, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), 0), family=family)
    except OSError as error:
        raise RankLostError(f"Rank 0 of {member.size} cannot listen on {member.host}: {error}.", fix=_AGAIN) from error


def _close(links: dict[int, Link]) -> None:
    for link in links.values():
        link.close()
