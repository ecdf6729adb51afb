"""Passwords typed on a terminal: in every way that a server asks for one, one question at a time, no bar over it."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich.console
from passwordserver import PASSWORD, PasswordServer

from mosegedge import progress
from mosegedge.cli import bars
from mosegedge.progress import TERMINAL

ASKED = b"Password of "
# A bar is drawn ten times a second.
MANY_DRAWINGS_S = 0.4
MOST_READS = 10
CHILD = """
import sys, threading
from mosegedge.cli.bars import DeviceBars
from mosegedge.devices import Device, connect
from mosegedge.errors import DeviceError
from mosegedge.progress import TERMINAL

def log_in(name, bars):
    connection = connect(Device(name=name, backend="x", connection="ssh", address="127.0.0.1", port=int(sys.argv[1])))
    line = bars.of(name)
    line.start("work", 3)
    try:
        for _ in range(2):  # the second time nobody is asked
            with connection:
                line.advance()
    except DeviceError as error:
        line.say(str(error))

with DeviceBars() as bars:
    threads = [threading.Thread(target=log_in, args=(name, bars)) for name in sys.argv[2:]]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    line = bars.of("all")
    line.say("finished")
"""


class Terminal:
    """A terminal with a program that logs in to these devices, each in a thread of its own."""

    def __init__(self, port: int, names: tuple[str, ...]) -> None:
        self.shown = b""
        self._pid, self._end = pty.fork()
        if self._pid == 0:
            os.environ |= {"TERM": "xterm", "COLUMNS": "200"}
            os.execv(sys.executable, [sys.executable, "-c", CHILD, str(port), *names])

    def read_until(self, text: bytes, count: int = 1) -> None:
        while self.shown.count(text) < count:
            assert select.select([self._end], [], [], 60)[0], self.shown
            self.shown += self._read()

    def question(self, number: int) -> None:
        """Waits for a question."""
        self.read_until(ASKED, number)
        for _ in range(MOST_READS):
            if self.shown.endswith(b": "):
                return
            self.shown += self._read()
        pytest.fail(f"Something is drawn over the question: {self.shown!r}")

    def is_silent(self) -> bool:
        return not select.select([self._end], [], [], MANY_DRAWINGS_S)[0]

    def type(self, text: str) -> None:
        os.write(self._end, f"{text}\n".encode())

    def close(self) -> None:
        """Reads to the end of the program, which does not come by itself where a question is left open."""
        if b"finished" not in self.shown:
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            while part := self._read():
                self.shown += part
        os.waitpid(self._pid, 0)
        os.close(self._end)

    def _read(self) -> bytes:
        return os.read(self._end, 4000)


@contextlib.contextmanager
def terminal(way: str, keys: Path, home, *names: str) -> Iterator[Terminal]:
    (home.ssh / "id_ed25519").unlink()
    with PasswordServer(way, keys) as server:
        kind, key = (keys / "host.pub").read_text().split()[:2]
        home.known_hosts.write_text(f"[127.0.0.1]:{server.port} {kind} {key}\n")
        shown = Terminal(server.port, names)
        try:
            yield shown
        finally:
            shown.close()


@pytest.mark.parametrize("way", ["password", "questions"])
def test_a_password_is_asked_for_until_it_fits_and_never_shown(keys, home, way):
    with terminal(way, keys, home, "board") as shown:
        shown.question(1)
        assert shown.is_silent()
        shown.type("wrong")
        shown.question(2)
        shown.type(PASSWORD)
        shown.read_until(b"finished")
    assert b"refuses" not in shown.shown
    assert shown.shown.count(ASKED) == 2
    assert PASSWORD.encode() not in shown.shown


def test_questions_of_several_devices_come_one_after_the_other(keys, home):
    with terminal("password", keys, home, "one", "two") as shown:
        for number in (1, 2):
            shown.question(number)
            assert shown.is_silent()
            assert shown.shown.count(ASKED) == number
            shown.type(PASSWORD)
        shown.read_until(b"finished")
    assert b"refuses" not in shown.shown


def test_nothing_typed_ends_the_questions(keys, home):
    with terminal("password", keys, home, "board") as shown:
        shown.question(1)
        shown.type("")
        shown.read_until(b"finished")
    assert b"refuses the login" in shown.shown
    assert shown.shown.count(ASKED) == 1


def test_a_code_of_the_moment_cannot_be_given_and_is_named(keys, home):
    with terminal("code", keys, home, "board") as shown:
        shown.question(1)
        shown.type(PASSWORD)
        shown.read_until(b"finished")
    assert b"refuses the login" in shown.shown
    assert b"Verification code:" in shown.shown
    assert shown.shown.count(ASKED) == 1


@pytest.mark.parametrize("kind", [bars.RichProgress, bars.DeviceBars])
def test_a_bar_makes_room_for_a_question_and_comes_back(monkeypatch, kind):
    screen = io.StringIO()
    monkeypatch.setattr(
        bars, "Console", lambda stderr: rich.console.Console(file=screen, force_terminal=True, width=80)
    )
    with kind() as shown:
        with TERMINAL.asking():
            before = screen.getvalue()
            line = shown if kind is bars.RichProgress else shown.of("board")
            line.start("work", 2)
            line.advance()
            shown.say("a line") if kind is bars.RichProgress else line.say("a line")
            assert screen.getvalue() == before
        assert "a line" in screen.getvalue()
        line.advance()
    after = screen.getvalue()
    assert "2/2" in after
    with TERMINAL.asking():
        pass
    assert screen.getvalue() == after  # what is no longer shown does not come back


def test_one_question_at_a_time():
    asked, answered = threading.Event(), []

    def second() -> None:
        asked.set()
        with TERMINAL.asking():
            answered.append("second")

    with TERMINAL.asking():
        thread = threading.Thread(target=second)
        thread.start()
        asked.wait()
        answered.append("first")
    thread.join()
    assert answered == ["first", "second"]


def test_lines_are_not_held_back_for_ever_when_a_question_cannot_be_asked():
    def cannot_pause() -> None:
        raise OSError("the terminal is gone")

    terminal, shown = progress.Terminal(), []
    with (
        terminal.drawing(lambda: shown.append("paused"), lambda: shown.append("resumed")),
        terminal.drawing(cannot_pause, lambda: shown.append("never paused")),
        pytest.raises(OSError, match="terminal is gone"),
        terminal.asking(),
    ):
        shown.append("asked")
    terminal.print_line(lambda: shown.append("a line"))
    assert shown == ["paused", "resumed", "a line"]
