"""How the ranks of a search find one another through the store of their launcher."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from mosegedge.errors import RankLostError
from mosegedge.search.ranks import meeting
from mosegedge.search.ranks.link import Link
from mosegedge.supernet.launch import Member


@pytest.fixture
def store() -> TCPStore:
    """The launcher's."""
    return TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=5), wait_for_workers=False)


def members(store: TCPStore, size: int) -> list[Member]:
    return [Member(rank=rank, size=size, host="127.0.0.1", port=store.port, hosted=True) for rank in range(size)]


def test_ranks_find_one_another_and_send_strangers_away(store):
    first, second, third = members(store, 3)
    store.set("mosegedge/search", "1 of-ranks-that-were-replaced")
    with ThreadPoolExecutor(3) as pool:
        joined = [pool.submit(meeting.join, second, within_s=5.0)]
        gathered = pool.submit(meeting.gather, first, within_s=5.0)
        while (known := store.get("mosegedge/search").decode().split())[1] == "of-ranks-that-were-replaced":
            assert not gathered.done(), gathered.exception()
        stranger = Link(socket.create_connection(("127.0.0.1", int(known[0]))))
        stranger.send({"kind": "hello", "rank": 2, "token": "guessed"})
        with pytest.raises(ConnectionError):
            stranger.receive(5.0)
        stranger.close()
        joined.append(pool.submit(meeting.join, third, within_s=5.0))
        links = gathered.result()
    assert sorted(links) == [1, 2]
    for rank, there in zip((1, 2), joined, strict=True):
        links[rank].send({"value": 0.1 + 0.2})
        assert there.result().receive(5.0) == {"value": 0.30000000000000004}
        links[rank].close()
        there.result().close()


def test_ranks_that_do_not_come_are_named(store):
    first, second, _ = members(store, 3)
    with pytest.raises(RankLostError, match=r"Rank 1, 2 of 3 did not come within 0 s: timed out"):
        meeting.gather(first, within_s=0.1)
    with pytest.raises(RankLostError, match=r"Rank 0 of 3 was not found at 127\.0\.0\.1 within 0 s: port \d+ does not"):
        meeting.join(second, within_s=0.2)
    with pytest.raises(RankLostError, match=r"Rank 0 of 3 cannot listen on 192\.0\.2\.1"):
        meeting.gather(replace(first, host="192.0.2.1"))
