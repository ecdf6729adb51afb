"""`mosegedge supernet`: an import and what is shown of it; commands that need accuracy refuse what has no decoder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ofa_standin
import pytest

from mosegedge.cli.main import main
from mosegedge.files import sha256_of_file
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano:96x192:19")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ofa_standin.write(tmp_path, {"state_dict": ofa_standin.stand_in(SPACE).state_dict()})
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mosegedge", *arguments])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_an_import_is_shown_and_starts_no_search(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "supernet", "import-ofa", "ofa.pth", "--output", "run", "--space", SPACE.name) == 0
    printed = capsys.readouterr()
    path = folder / "run" / "supernet.safetensors"
    for text in (
        *(sha256_of_file(path), sha256_of_file(folder / "ofa.pth"), SPACE.name, "trained     not yet"),
        *("untrained   decoder, auxiliary heads", "mapped      366 tensors"),
        *("left out    classifier.linear.linear.weight", "differs     stem widths:"),
        *("differs     batch norm:", "differs     normalisation:"),
    ):
        assert text in printed.out
    assert "mosegedge train --encoder run --space nano:96x192:19" in printed.err

    assert call(monkeypatch, "supernet", "show", "run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["sha256"], shown["size_bytes"]) == (sha256_of_file(path), path.stat().st_size)
    assert (shown["space"], shown["data"], shown["step"]) == (SPACE.name, None, 0)
    assert shown["imported"]["file"] == "ofa.pth"
    assert shown["imported"]["mapped"] == 366

    assert call(monkeypatch, "export", str(SPACE.smallest), "--supernet", "run", "--output", "bundle") == 6
    assert "random weights in its decoder and auxiliary heads" in capsys.readouterr().err
    assert call(monkeypatch, "supernet", "import-ofa", "ofa.pth", "--output", "run", "--space", SPACE.name) == 6


def test_a_trained_supernet_is_shown_with_its_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "supernet", "show", "demo") == 0
    printed = capsys.readouterr().out
    assert "trained     on scenes, " in printed
    assert "batch_size" in printed
    assert "untrained" not in printed
    assert "imported" not in printed


def test_what_cannot_be_imported_ends_with_one_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes").write_text("no weights")
    for arguments, code in (
        (("none.pth", "--output", "run"), 6),
        (("notes", "--output", "run"), 6),
        (("ofa.pth", "--output", "run", "--space", "tinny"), 2),
    ):
        assert call(monkeypatch, "supernet", "import-ofa", *arguments) == code
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "Traceback" not in printed.err
        assert not (folder / "run").exists()
