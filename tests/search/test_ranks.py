"""A search shared by ranks that are threads here: same archive, every way to be lost, and how ranks find one another.

`tests/cli/test_search_ranks.py` has real processes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from standin import PROVENANCE, QUICK, SPACE, Latency, Linear, evaluate
from torch.distributed import TCPStore

from mosegedge.errors import DataError, RankLostError, SearchError, UsageError
from mosegedge.progress import Silent
from mosegedge.search.archive import Archive
from mosegedge.search.config import InnerSettings
from mosegedge.search.evaluating import in_turn
from mosegedge.search.loop import Search
from mosegedge.search.ranks import crew, helping, meeting
from mosegedge.search.ranks.link import Link
from mosegedge.search.ranks.place import ALONE, Place, place_from
from mosegedge.search.ranks.sharing import shared_among

FACTS = {"supernet": "s", "guide_pictures": 3}
CONFIG = replace(QUICK, initial=12, generations=2, evaluations=4, inner=InnerSettings(population=8, generations=4))
ENVIRONMENT = {"WORLD_SIZE": "4", "RANK": "2", "MASTER_ADDR": "a", "MASTER_PORT": "5"}


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """After a loss the handler stays, as the process is to end."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def linked() -> Iterator[Callable[[], tuple[Link, Link]]]:
    """Makes both ends of a connection between two ranks."""
    links: list[Link] = []

    def link() -> tuple[Link, Link]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            there = socket.create_connection(server.getsockname())
            links.extend((Link(server.accept()[0]), Link(there)))
        return links[-2], links[-1]

    yield link
    for one in links:
        one.close()


@pytest.fixture
def ranks(monkeypatch, linked):
    """Starts other ranks as threads; gives the place of rank 0, and in the end what each returned or raised."""

    @contextmanager
    def started(*helpers: Callable[[Link], object]) -> Iterator[tuple[Place, list[object]]]:
        ended: list[object] = [None] * len(helpers)

        def helped(number: int, link: Link) -> None:
            try:
                ended[number] = helpers[number](link)
            except BaseException as error:
                ended[number] = error
            finally:
                link.close()

        pairs = [linked() for _ in helpers]
        threads = [threading.Thread(target=helped, args=(k, there)) for k, (_, there) in enumerate(pairs)]
        for thread in threads:
            thread.start()
        monkeypatch.setattr(meeting, "gather", lambda place: {k + 1: here for k, (here, _) in enumerate(pairs)})
        yield Place(rank=0, size=1 + len(helpers)), ended
        for thread in threads:
            thread.join()

    return started


def helper(score=evaluate, facts=FACTS, rank=1) -> Callable[[Link], None]:
    """What another rank does."""
    return lambda link: helping.serve(link, Place(rank=rank, size=3), lambda: (score, facts))


def search_in(folder: Path, score=evaluate, place: Place = ALONE, progress=None):
    """A search with a quick predictor."""
    search = Search(SPACE, Latency(), CONFIG, folder, PROVENANCE, predictor_for=Linear)
    with shared_among(place, FACTS, folder, progress or Silent()) as share:
        return search.run(score, share=share)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    search_in(folder)
    return folder


def results_in(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("archive.jsonl", "baselines.jsonl", "front.json", "run.json")]


def test_three_ranks_leave_the_archive_of_one(alone, tmp_path, ranks):
    first_done = threading.Event()

    def late(architecture):
        first_done.wait()  # the first networks are the last to be known
        return evaluate(architecture)

    def here(architecture):
        first_done.set()
        return evaluate(architecture)

    said = []
    progress = Silent()
    progress.say = said.append
    with ranks(helper(late), helper(late, rank=2)) as (place, ended):
        search_in(tmp_path, here, place, progress)
    assert results_in(tmp_path) == results_in(alone)
    assert ended == [None, None]
    shares = [int(word) for word in said[-1].removeprefix("Networks evaluated by rank: ").rstrip(".").split(", ")]
    assert sum(shares) == 20 + 15
    assert min(shares) > 0


def test_a_failed_evaluation_is_archived_whoever_made_it(tmp_path, ranks):
    def broken(architecture):
        if architecture in (SPACE.smallest, SPACE.largest):
            raise DataError("Picture 3 is unreadable.")
        return float("nan") if architecture.scale == 2 else evaluate(architecture)

    search_in(tmp_path / "alone", broken)
    with ranks(helper(broken)) as (place, _):
        result = search_in(tmp_path / "shared", broken, place)
    assert result.failed > 2
    assert results_in(tmp_path / "shared") == results_in(tmp_path / "alone")


def test_a_rank_that_comes_when_all_is_done_is_let_go(alone, tmp_path, ranks):
    over = threading.Event()

    def late(link):
        def work():
            over.wait()
            return evaluate, FACTS

        helping.serve(link, Place(rank=1, size=2), work)

    search_in(tmp_path)
    with ranks(late) as (place, ended):
        search_in(tmp_path, place=place)
        over.set()
    assert ended == [None]
    assert results_in(tmp_path) == results_in(alone)


def dies(link: Link) -> None:
    """A rank that is killed in the middle of its third network; it is given one of each batch at least."""
    count = 0

    def score(architecture):
        nonlocal count
        count += 1
        if count == 3:
            link.close()
        return evaluate(architecture)

    helper(score)(link)


def raises(link: Link) -> None:
    """A rank with a mistake in it."""

    def score(architecture):
        raise RuntimeError("out of\nmemory")

    helper(score)(link)


def refuses(link: Link) -> None:
    """A rank that lacks its pictures."""

    def work():
        raise DataError("There is no data set x.")

    helping.serve(link, Place(rank=1, size=2), work)


def silent(link: Link) -> None:
    """A rank that hangs."""
    link.receive(None)


def babbles(link: Link) -> None:
    """A rank that answers what nobody has asked."""
    link.send({"kind": "ready", "facts": FACTS})
    link.send({"kind": "score", "code": "0", "miou": 0.5, "failure": None})


@pytest.mark.parametrize(
    ("lost", "said", "raised"),
    [
        (dies, r"Rank 1 of 2 was lost: (the connection was closed|.*reset by peer)\.", RankLostError),
        (raises, r"Rank 1 of . failed: RuntimeError: out of memory \(test_ranks\.py, line \d+\)", SearchError),
        (refuses, r"Rank 1 of 2 failed: DataError: There is no data set x\.", SearchError),
        (silent, r"Rank 1 of 2 was lost: it has not said a word for 0 s\.", type(None)),
        (babbles, r"Rank 1 of 2 was lost: it said {'kind': 'score'", type(None)),
        (helper(facts={**FACTS, "supernet": "other"}), r"its supernet is other, that of rank 0 s\.", type(None)),
    ],
)
def test_a_lost_rank_ends_the_search_and_one_process_finishes_it(
    alone, tmp_path, monkeypatch, ranks, lost, said, raised
):
    if lost is silent:
        monkeypatch.setattr(crew, "SILENCE_S", 0.05)
    with (
        ranks(lost) as (place, ended),
        pytest.raises(RankLostError, match=said) as refusal,
    ):
        search_in(tmp_path, place=place)
    assert isinstance(ended[0], raised)
    whole = (alone / "archive.jsonl").read_bytes()
    archive = tmp_path / "archive.jsonl"
    kept = archive.read_bytes() if archive.exists() else b""
    assert whole.startswith(kept)
    assert f"{kept.count(b'{')} evaluated networks are kept in {archive}" in refusal.value.known
    assert f"mosegedge search --output {tmp_path}" in refusal.value.fix
    os.kill(os.getpid(), signal.SIGTERM)  # the launcher's, while the loss is being told: passed over
    search_in(tmp_path)
    assert results_in(tmp_path) == results_in(alone)


def test_a_mistake_on_rank_0_is_named_too_and_the_others_are_let_go(tmp_path, ranks):
    def broken(architecture):
        raise RuntimeError("out of memory")

    with (
        ranks(helper()) as (place, ended),
        pytest.raises(RankLostError, match=r"Rank 0 of 2 failed: RuntimeError: out of memory \(test_ranks.py, line"),
    ):
        search_in(tmp_path, broken, place)
    assert ended == [None]


def test_a_rank_that_was_interrupted_interrupts_all(tmp_path, ranks):
    def interrupted(architecture):
        raise KeyboardInterrupt

    with ranks(helper(interrupted)) as (place, ended), pytest.raises(KeyboardInterrupt):
        search_in(tmp_path, place=place)
    assert isinstance(ended[0], KeyboardInterrupt)


@pytest.mark.parametrize(
    ("gone", "said"), [(True, "Rank 1 of 2 was lost: the connection"), (False, "The launcher end")]
)
def test_sigterm_at_rank_0_says_who_was_lost_if_anyone(tmp_path, monkeypatch, ranks, gone, said):
    monkeypatch.setattr(crew, "_GRACE_S", 0.2)
    over = threading.Event()

    def waits(architecture):
        over.wait()
        return evaluate(architecture)

    def stopped(architecture):
        if gone:
            over.link.close()
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(architecture)

    def other(link):
        over.link = link
        helper(waits)(link)

    with ExitStack() as stack:
        place, _ = stack.enter_context(ranks(other))
        stack.callback(over.set)
        with pytest.raises(RankLostError, match=said):
            search_in(tmp_path, stopped, place)
        assert Archive(tmp_path / "archive.jsonl").candidates == ()


@pytest.mark.parametrize(
    ("message", "said"),
    [(None, "Rank 0 of 3 was lost: "), ({"kind": "sing"}, r"Rank 0 of 3 was lost: it said {'kind': 'sing'}")],
)
def test_the_loss_of_rank_0_is_told_by_another(linked, message, said):
    ahead, link = linked()
    if message is None:
        ahead.close()
    else:
        ahead.send(message)
    with pytest.raises(RankLostError, match=said) as lost:
        helper()(link)
    assert "in its archive" in lost.value.known


@pytest.mark.parametrize(("lives", "expected"), [(True, SystemExit), (False, RankLostError)])
def test_sigterm_ends_another_rank_quietly_unless_rank_0_is_gone(monkeypatch, linked, lives, expected):
    monkeypatch.setattr(helping, "_GRACE_S", 0.05)
    ahead, link = linked()
    ahead.send({"kind": "evaluate", "code": str(SPACE.smallest)})
    monkeypatch.setattr(helping, "join", lambda place: link)

    def stopped(architecture):
        if not lives:
            ahead.close()
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(expected) as end:
        helping.help_first(Place(rank=1, size=2), lambda: (stopped, FACTS))
    assert not lives or end.value.code == 143


def test_another_rank_says_that_it_lives_while_it_evaluates(monkeypatch, linked):
    monkeypatch.setattr(helping, "_HEARTBEAT_S", 0.01)
    ahead, link = linked()
    monkeypatch.setattr(helping, "join", lambda place: link)
    evaluating, beaten = threading.Event(), threading.Event()

    def slow(architecture):
        evaluating.set()
        beaten.wait()
        return evaluate(architecture)

    def lead():
        ahead.send({"kind": "evaluate", "code": str(SPACE.smallest)})
        evaluating.wait()
        said = [ahead.receive(5.0)["kind"] for _ in range(6)]
        beaten.set()
        ahead.send({"kind": "end"})
        return said

    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(lead)
        helping.help_first(Place(rank=1, size=2), lambda: (slow, FACTS))
    assert said.result().count("alive") == 5


@pytest.fixture
def store() -> TCPStore:
    """The launcher's."""
    return TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=5), wait_for_workers=False)


def places(store: TCPStore, size: int) -> list[Place]:
    return [Place(rank=rank, size=size, host="127.0.0.1", port=store.port, hosted=True) for rank in range(size)]


def test_ranks_find_one_another_and_send_strangers_away(store):
    first, second, third = places(store, 3)
    store.set("mosegedge/search", "1 of-ranks-that-were-replaced")
    with ThreadPoolExecutor(3) as pool:
        joined = [pool.submit(meeting.join, second, within_s=5.0)]
        gathered = pool.submit(meeting.gather, first, within_s=5.0)
        while (known := store.get("mosegedge/search").decode().split())[1] == "of-ranks-that-were-replaced":
            pass
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
    first, second, _ = places(store, 3)
    with pytest.raises(RankLostError, match=r"Rank 1, 2 of 3 did not come within 0 s: timed out"):
        meeting.gather(first, within_s=0.1)
    with pytest.raises(RankLostError, match=r"Rank 0 of 3 was not found at 127\.0\.0\.1 within 0 s: port \d+ does not"):
        meeting.join(second, within_s=0.2)
    with pytest.raises(RankLostError, match=r"Rank 0 of 3 cannot listen on 192\.0\.2\.1"):
        meeting.gather(replace(first, host="192.0.2.1"))


def test_one_process_opens_nothing(tmp_path, monkeypatch):
    for name in ("meeting", "crew", "stopping", "link"):
        monkeypatch.setitem(sys.modules, f"mosegedge.search.ranks.{name}", None)  # an import would be an error
    assert place_from({"RANK": "0"}) == place_from({"WORLD_SIZE": "1"}) == ALONE
    with shared_among(ALONE, FACTS, tmp_path, Silent()) as share:
        assert share is in_turn


def test_the_place_is_read_from_the_environment_of_torchrun():
    assert place_from(ENVIRONMENT) == Place(rank=2, size=4, host="a", port=5, hosted=False)
    assert place_from({**ENVIRONMENT, "TORCHELASTIC_USE_AGENT_STORE": "True"}).hosted


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"RANK": "4"}, "RANK is 4"),
        ({"RANK": "one"}, "RANK is one"),
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is 0"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(changed, said):
    with pytest.raises(UsageError, match=said) as refusal:
        place_from({**ENVIRONMENT, **changed})
    assert "torchrun --nproc-per-node N" in refusal.value.fix
