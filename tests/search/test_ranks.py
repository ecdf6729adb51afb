"""A search shared by ranks that are threads here: same archive, and every way to be lost.

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
from pathlib import Path

import pytest
from standin import PROVENANCE, QUICK, SPACE, Latency, Linear, evaluate

from mosegedge.errors import DataError, RankLostError, SearchError
from mosegedge.progress import Silent
from mosegedge.search.archive import Archive
from mosegedge.search.config import InnerSettings
from mosegedge.search.evaluating import in_turn
from mosegedge.search.loop import Search
from mosegedge.search.ranks import crew, helping, meeting
from mosegedge.search.ranks.link import Link
from mosegedge.search.ranks.sharing import shared_among
from mosegedge.supernet.launch import ALONE, Member, member_from

_PATIENCE_S = 60.0  # a test that goes wrong ends
FACTS = {"supernet": "s", "guide_pictures": 3}
CONFIG = replace(QUICK, initial=12, generations=2, evaluations=4, inner=InnerSettings(population=8, generations=4))


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """After a loss the handler stays, as the process is to end."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def sigterm_here() -> None:
    """SIGTERM to this process, which runs other tests too: never where nothing would catch it."""
    assert callable(signal.getsignal(signal.SIGTERM)), "SIGTERM would end the tests"
    os.kill(os.getpid(), signal.SIGTERM)


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
    """Starts other ranks as threads; gives rank 0, and in the end what each returned or raised."""

    @contextmanager
    def started(*helpers: Callable[[Link], object]) -> Iterator[tuple[Member, list[object]]]:
        ended: list[object] = [None] * len(helpers)

        def helped(number: int, link: Link) -> None:
            try:
                ended[number] = helpers[number](link)
            except BaseException as error:
                ended[number] = error
            finally:
                link.close()

        pairs = [linked() for _ in helpers]
        threads = [threading.Thread(target=helped, args=(k, there), daemon=True) for k, (_, there) in enumerate(pairs)]
        for thread in threads:
            thread.start()
        monkeypatch.setattr(meeting, "gather", lambda member: {k + 1: here for k, (here, _) in enumerate(pairs)})
        yield Member(rank=0, size=1 + len(helpers)), ended
        for thread in threads:
            thread.join(_PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads)

    return started


def helper(score=evaluate, facts=FACTS, rank=1) -> Callable[[Link], None]:
    """What another rank does."""
    return lambda link: helping.serve(link, Member(rank=rank, size=3), lambda: (score, facts))


def search_in(folder: Path, score=evaluate, member: Member = ALONE, progress=None):
    """A search with a quick predictor."""
    search = Search(SPACE, Latency(), CONFIG, folder, PROVENANCE, predictor_for=Linear)
    with shared_among(member, FACTS, folder, progress or Silent()) as share:
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
        first_done.wait(_PATIENCE_S)  # the first networks are the last to be known
        return evaluate(architecture)

    def here(architecture):
        first_done.set()
        return evaluate(architecture)

    said = []
    progress = Silent()
    progress.say = said.append
    with ranks(helper(late), helper(late, rank=2)) as (member, ended):
        search_in(tmp_path, here, member, progress)
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
    with ranks(helper(broken)) as (member, _):
        result = search_in(tmp_path / "shared", broken, member)
    assert result.failed > 2
    assert results_in(tmp_path / "shared") == results_in(tmp_path / "alone")


def test_a_rank_that_comes_when_all_is_done_is_let_go(alone, tmp_path, ranks):
    over = threading.Event()

    def late(link):
        def work():
            over.wait(_PATIENCE_S)
            return evaluate, FACTS

        helping.serve(link, Member(rank=1, size=2), work)

    search_in(tmp_path)
    with ranks(late) as (member, ended):
        search_in(tmp_path, member=member)
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

    helping.serve(link, Member(rank=1, size=2), work)


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
        ranks(lost) as (member, ended),
        pytest.raises(RankLostError, match=said) as refusal,
    ):
        search_in(tmp_path, member=member)
    assert isinstance(ended[0], raised)
    whole = (alone / "archive.jsonl").read_bytes()
    archive = tmp_path / "archive.jsonl"
    kept = archive.read_bytes() if archive.exists() else b""
    assert whole.startswith(kept)
    assert f"{kept.count(b'{')} evaluated networks are kept in {archive}" in refusal.value.known
    assert f"mosegedge search --output {tmp_path}" in refusal.value.fix
    sigterm_here()  # the launcher's, while the loss is being told: passed over
    search_in(tmp_path)
    assert results_in(tmp_path) == results_in(alone)


def test_a_mistake_on_rank_0_is_named_too_and_the_others_are_let_go(tmp_path, ranks):
    mistaken = threading.Event()

    def broken(architecture):
        mistaken.set()
        raise RuntimeError("out of memory")

    def late(architecture):
        mistaken.wait(_PATIENCE_S)  # else it may evaluate all networks before rank 0 has its turn
        return evaluate(architecture)

    with (
        ranks(helper(late)) as (member, ended),
        pytest.raises(RankLostError, match=r"Rank 0 of 2 failed: RuntimeError: out of memory \(test_ranks.py, line"),
    ):
        search_in(tmp_path, broken, member)
    assert ended == [None]


def test_a_rank_that_was_interrupted_interrupts_all(tmp_path, ranks):
    def interrupted(architecture):
        raise KeyboardInterrupt

    with ranks(helper(interrupted)) as (member, ended), pytest.raises(KeyboardInterrupt):
        search_in(tmp_path, member=member)
    assert isinstance(ended[0], KeyboardInterrupt)


@pytest.mark.parametrize(
    ("gone", "said"), [(True, "Rank 1 of 2 was lost: the connection"), (False, "The launcher end")]
)
def test_sigterm_at_rank_0_says_who_was_lost_if_anyone(tmp_path, monkeypatch, ranks, gone, said):
    monkeypatch.setattr(crew, "_GRACE_S", 0.2)
    over = threading.Event()

    def waits(architecture):
        over.wait(_PATIENCE_S)
        return evaluate(architecture)

    def stopped(architecture):
        if gone:
            over.link.close()
        sigterm_here()
        return evaluate(architecture)

    def other(link):
        over.link = link
        helper(waits)(link)

    with ExitStack() as stack:
        member, _ = stack.enter_context(ranks(other))
        stack.callback(over.set)
        with pytest.raises(RankLostError, match=said):
            search_in(tmp_path, stopped, member)
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
    monkeypatch.setattr(helping, "join", lambda member: link)

    def stopped(architecture):
        if not lives:
            ahead.close()
        sigterm_here()

    with pytest.raises(expected) as end:
        helping.help_first(Member(rank=1, size=2), lambda: (stopped, FACTS))
    assert not lives or end.value.code == 143


def test_another_rank_says_that_it_lives_while_it_evaluates(monkeypatch, linked):
    monkeypatch.setattr(helping, "_HEARTBEAT_S", 0.01)
    ahead, link = linked()
    monkeypatch.setattr(helping, "join", lambda member: link)
    evaluating, beaten = threading.Event(), threading.Event()

    def slow(architecture):
        evaluating.set()
        beaten.wait(_PATIENCE_S)
        return evaluate(architecture)

    def lead():
        ahead.send({"kind": "evaluate", "code": str(SPACE.smallest)})
        evaluating.wait(_PATIENCE_S)
        said = [ahead.receive(5.0)["kind"] for _ in range(6)]
        beaten.set()
        ahead.send({"kind": "end"})
        return said

    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(lead)
        helping.help_first(Member(rank=1, size=2), lambda: (slow, FACTS))
    assert said.result().count("alive") == 5


def test_one_process_opens_nothing(tmp_path, monkeypatch):
    for name in ("meeting", "crew", "stopping", "link"):
        monkeypatch.setitem(sys.modules, f"mosegedge.search.ranks.{name}", None)  # an import would be an error
    assert member_from({"RANK": "0"}) == member_from({"WORLD_SIZE": "1"}) == ALONE
    with shared_among(ALONE, FACTS, tmp_path, Silent()) as share:
        assert share is in_turn
