"""Files that somebody broke or made up: each is a clear error with a way out, none a traceback."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_profile_file import EXAMPLES, PROFILE, SPACE, TEXT, make_profile

from mosegedge.cli.main import main
from mosegedge.errors import MosegedgeError, ProfileError
from mosegedge.profiling import load_profile, save_profile
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.profile_text import digest_of, profile_of_text, profile_schema, text_of_profile
from mosegedge.profiling.store import series_of

CODE = "0-00-001100-001100-00111100-001100"
CONTENT = json.loads(TEXT)
DEEP = b'{"a":' * 900 + b"1" + b"}" * 900


def with_field(value: str) -> bytes:
    """The file with an own JSON text in the place of the mosegedge version."""
    return TEXT.replace('"mosegedge":"0.1.0"', f'"mosegedge":{value}').encode()


BAD = {
    "empty": b"",
    "cut": TEXT.encode()[: len(TEXT) // 2],
    "no JSON": b"<html>",
    "no object": b"[1]",
    "no UTF-8": TEXT.encode("utf-16"),
    "not a number": with_field("NaN"),
    "infinite": with_field("Infinity"),
    "overflow": with_field("1e400"),
    "huge number": with_field("9" * 4000),
    "too many digits": with_field("9" * 5000),
    "wrong type": with_field("3"),
    "half a character": with_field('"\\ud800"'),
    "long text": with_field('"' + "x" * 10**6 + '"'),
    "deep": DEEP,
    "deeper": b"[" * 10**5,
    "doubled field": TEXT.replace("{\n", '{\n"schema":3,\n', 1).encode(),
    "edited": TEXT.replace('"value_ms":0.5', '"value_ms":0.4', 1).encode(),
    "wrong digest": TEXT.replace(CONTENT["digest"], "0" * 64).encode(),
    "future": TEXT.replace('"schema":3', '"schema":99').encode(),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_profile(PROFILE, series_of(Path("profiles"), device="local", space=SPACE, precision="fp32", threads=1))
    return tmp_path


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mosegedge", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_clear_error_to_every_command(name, folder, monkeypatch, capsys):
    bad = folder / "profiles" / "local" / "bad-fp32" / "v1.json"
    bad.parent.mkdir()
    bad.write_bytes(BAD[name])
    with pytest.raises(ProfileError) as error:
        load_profile(bad)
    assert str(bad) in error.value.what
    assert error.value.fix
    assert len(str(error.value)) < 1000
    for arguments in (["profiles", "show", str(bad)], ["predict", CODE, "--profile", "local/bad-fp32"]):
        code, out, err = run(monkeypatch, capsys, *arguments)
        assert (code, out) == (4, "")
        assert err.startswith("mosegedge: ")
        assert "Traceback" not in err
    code, out, _ = run(monkeypatch, capsys, "profiles", "list")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["local/bad-fp32/v1", "local/nano-fp32/v1"]


def make_loop(path: Path) -> None:
    path.symlink_to(path.with_name("other.json"))
    path.with_name("other.json").symlink_to(path)


def make_huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2**30)  # takes no room on the disk


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "Is a directory|no regular file"), (os.mkfifo, "no regular file"),
        (make_huge, "1073741824 bytes, more than"),
        (make_loop, "Too many levels"), (lambda path: path.symlink_to("/absent"), "No such file"),
    ],
    ids=["folder", "pipe", "huge", "loop", "dangling"],
)  # fmt: skip
def test_what_is_no_file_is_refused_before_it_is_read(make, words, folder, monkeypatch, capsys):
    path = folder / "profiles" / "local" / "bad-fp32" / "v1.json"
    path.parent.mkdir()
    make(path)
    with pytest.raises(ProfileError, match=words):
        load_profile(path)
    assert run(monkeypatch, capsys, "profiles", "show", "local/bad-fp32/v1")[0] == 4
    code, out, _ = run(monkeypatch, capsys, "profiles", "list")
    assert (code, len(out.splitlines())) == (0, 2)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "x" * 5000 + ".json", "\x1b[2J/v1", "a\0.json", "\ud800.json"])
def test_names_that_no_file_can_have_are_names_of_no_profile(name, folder):
    with pytest.raises(ProfileError):
        load_profile(name, root=folder / "profiles")


def places(tree, path=()):
    yield path
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree[:2]) if isinstance(tree, list) else ()
    for name, value in inner:
        yield from places(value, (*path, name))


PLACES = [path for path in places(CONTENT) if path and path != ("digest",)]
ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        2**62,
        1e-300,
        1e300,
        -1e15,
        "",
        "../../x",
        "\x1b[31m",
        [],
        {},
        [[]],
        [None],
        {"": None},
        "9" * 99,
    ]
)


@given(st.sampled_from(PLACES), ODD | st.just("gone"))
def test_any_value_at_any_place_is_a_profile_that_predicts_or_a_clear_error(path, value):
    content = copy.deepcopy(CONTENT)
    parent = content
    for name in path[:-1]:
        parent = parent[name]
    if value == "gone":
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    content["digest"] = digest_of(content)
    with contextlib.suppress(MosegedgeError):
        found = profile_of_text(json.dumps(content).encode(), "v1.json")
        assert text_of_profile(found)
        found.latency_model(SPACE).predict_one(SPACE.smallest)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_every_stored_example_is_read_and_follows_the_schema_when_written_again(path):
    found = profile_of_text(path.read_bytes(), str(path))
    content = json.loads(text_of_profile(found))
    assert not list(Draft202012Validator(json.loads(profile_schema())).iter_errors(content))
    assert json.loads(path.read_text())["schema"] == int(path.stem.removeprefix("schema"))


def test_there_is_a_stored_example_of_every_schema():
    names = {path.stem for path in EXAMPLES.glob("schema*.json")}
    assert names == {f"schema{number}" for number in range(1, CONTENT["schema"] + 1)}


BURST = {
    "type": "burst", "key": "a", "visit": 0, "warmup_ns": [9], "samples_ns": [5, 6], "device_ns": None,
    "preempted": [0, 0],
}  # fmt: skip
RECORDS = [
    {"type": "begin", "plan": "p", "fingerprint": {}, "command": "c", "run": "r"},
    {"type": "model", "key": "a", "sha256": "0" * 64, "format": "onnx"},
    {"type": "built", "key": "a", "sha256": "0" * 64, "bytes": 3, "build_s": 0.1, "cached": False, "notes": ["n"]},
    {"type": "conditions", "values": {"load_1m": 0.1}},
    BURST,
    {"type": "discard", "visits": [["a", 0]], "reason": "hot"},
    {"type": "failed", "key": "b", "error": "no kernel"},
    {"type": "end", "reason": "2 passes"},
]


TIMED = [*RECORDS[:5], BURST | {"type": "probe"}]
FIELDS = [path for place, record in enumerate(TIMED) for path in places(record, (place,)) if len(path) > 1]


@given(st.sampled_from(FIELDS), ODD | st.just("gone"))
@example((4, "preempted"), None)
@example((5, "samples_ns"), [])
@example((5, "visit"), "gone")
def test_a_journal_with_any_value_at_any_place_is_read_or_refused(tmp_path_factory, path, value):
    records = copy.deepcopy(TIMED)
    parent = records[path[0]]
    for name in path[1:-1]:
        parent = parent[name]
    if value == "gone":
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    journal = tmp_path_factory.mktemp("journal") / "v1.journal.jsonl"
    journal.write_text("".join(json.dumps(record) + "\n" for record in records))
    with contextlib.suppress(ProfileError):
        found = ProfileJournal(journal)
        for measurement in (found.measurement("a"), found.probes.measurement("a")):
            assert measurement is None or measurement.value_ms("median") > 0


LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()


@given(st.integers(0, len(LINES) - 2), st.binary(max_size=6), st.integers(0, 30))
def test_a_journal_with_other_bytes_anywhere_is_read_or_refused(tmp_path_factory, place, inserted, removed):
    journal = tmp_path_factory.mktemp("journal") / "v1.journal.jsonl"
    journal.write_bytes(LINES[:place] + inserted + LINES[place + removed :])
    with contextlib.suppress(ProfileError):
        ProfileJournal(journal)


@pytest.mark.parametrize("line", [b"[" * 10**5, b"\xff\xfe", b'{"type": "burst"}', b"3", b'{"type": ["end"]}', b'""'])
def test_a_hostile_line_of_a_journal_is_a_clear_error(line, tmp_path):
    journal = tmp_path / "v1.journal.jsonl"
    journal.write_bytes(LINES + line + b"\n" + LINES)
    with pytest.raises(ProfileError) as error:
        ProfileJournal(journal)
    assert "--restart" in error.value.fix


def test_a_device_name_that_leads_out_of_the_folder_is_refused():
    with pytest.raises(ValueError, match="pattern"):
        make_profile(device={**PROFILE.device.model_dump(), "name": "../../etc"})
