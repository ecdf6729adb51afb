"""The commands on the page are ones that the command line takes, and `mosegedge report` itself."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path

import pytest
import standins
import typer
from typer.testing import CliRunner

from mosegedge.cli.main import app
from mosegedge.report.commands import commands_of, folded, other_settings
from mosegedge.report.page import build_report
from mosegedge.report.run import Sources, Training, read_run


@pytest.fixture
def run(tmp_path):
    return standins.make_run(tmp_path)


@pytest.mark.parametrize(
    "sources", [Sources(), Sources(profile_root=Path("my profiles"), data_root=Path("data"), supernet="demo")]
)
def test_every_command_is_understood(run, sources):
    training = Training(space="nano", data="scenes", settings={"steps": 4, "learning_rate": 0.1, "unknown": 1})
    commands = commands_of(read_run(run), "local", sources, training)
    assert [command[1] for command in commands] == ["train", "search", "export", "verify", "report"]
    group = typer.main.get_command(app)
    for _, name, *arguments in commands:
        command = group.commands[name]
        context = command.make_context(name, list(arguments))
        assert not context.args


def test_the_search_command_says_how_far_each_generation_looked(run):
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"] |= {"exploration": [1.0, 0.5, 3.0], "explore_from": 7}
    (run / "run.json").write_text(json.dumps(manifest))
    (command,) = [one for one in commands_of(read_run(run), "local", Sources(), None) if one[1] == "search"]
    assert command[command.index("--exploration") + 1] == "1,0.5,3"
    assert command[command.index("--explore-from") + 1] == "7"


def test_without_a_checkpoint_there_is_no_training(run):
    assert commands_of(read_run(run), "local", Sources(), None)[0][1] == "search"


def test_settings_without_an_option_are_named(run):
    assert other_settings(read_run(run)) == []
    manifest = json.loads((run / "run.json").read_text())
    manifest["settings"]["inner"]["population"] = 60
    manifest["settings"]["held_out"] = 0.5
    (run / "run.json").write_text(json.dumps(manifest))
    assert other_settings(read_run(run)) == ["held_out = 0.5", "inner.population = 60"]
    page = build_report(run, created=date(2026, 1, 2), pictures=0).path.read_text()
    assert "<code>inner.population = 60</code>" in page


def test_a_folded_command_is_the_same_command(run):
    for command in commands_of(read_run(run), "a device", Sources(data_root=Path("x y")), None):
        text = folded(command)
        assert shlex.split(text.replace("\\\n", "")) == command
        assert all(len(line) <= 130 for line in text.splitlines())


def test_report_writes_the_page_and_says_what_is_left_out(run):
    result = CliRunner().invoke(app, ["report", str(run), "--pictures", "0", "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert Path(record["report"]) == run / "report.html"
    assert (run / "report.html").is_file()
    assert len(record["left_out"]) == 2
    assert "Left out:" in result.stderr


def test_report_of_nothing_is_an_error(tmp_path):
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert "holds no run.json" in str(result.exception)


def test_help_has_an_example():
    assert "Example: mosegedge report" in CliRunner().invoke(app, ["report", "--help"]).output
