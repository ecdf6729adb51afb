"""The README tells the truth: its links exist, its commands are commands, its Python runs."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mosegedge.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
CONSOLE = [
    line for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line
]
COMMANDS = [line for line in CONSOLE if line.startswith("mosegedge ")]
TARGETS = [line for line in CONSOLE if line.startswith("make ")]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mosegedge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@functools.cache
def help_of(*names: str) -> str:
    """The help text of a command; empty where there is no such command."""
    # So wide that no line is wrapped.
    result = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "250"}, prog_name="mosegedge")
    return result.stdout if result.exit_code == 0 else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_two_commands_that_set_everything_up_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert TARGETS == ["make demo", "make test"]
    for line in TARGETS:
        assert f"\n{line.split()[1]}:" in makefile


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_and_their_options_exist(line: str) -> None:
    words = shlex.split(line)[1:]
    names = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
    shown = re.sub(r"[│\s]+", " ", help_of(*names) or help_of(names[0]))
    assert shown
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in shown, f"{line}: {option}"


def test_every_command_has_help_with_an_example_json_and_a_row_in_the_readme() -> None:
    listed = re.findall(r"^│ ([a-z]+)  ", help_of(), re.MULTILINE)
    assert {"demo", "profile", "profiles", "predict", "devices", "data", "train", "search", "report"} <= set(listed)
    for name in listed:
        groups = [name] if "COMMAND [ARGS]" not in help_of(name) else [
            f"{name} {sub}" for sub in re.findall(r"^│ ([a-z]+)  ", help_of(name), re.MULTILINE)
        ]  # fmt: skip
        for command in groups:
            text = help_of(*command.split())
            assert "Example: mosegedge" in text, command
            assert "--json" in text, command
            last = command.split()[-1]
            assert f"`mosegedge {command}" in README or f"`{name} {last}" in README, command


def test_python_of_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("4098191328270 1419399 221622528")
    assert "encoder.stem stem res" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("predict", "9", "--profile", "none/tiny-fp32"), 4),
        (("profile", "--space", "tinny", "--dry-run"), 2),
        (("profile", "--device", "nowhere", "--dry-run"), 3),
        (("train", "--data", "camvid", "--data-root", "/nonexistent", "--output", "/nonexistent"), 5),
        (("search", "--supernet", "none.safetensors", "--profile", "none", "--output", "/nonexistent"), 4),
        (("export", "0 00", "--output", "/nonexistent"), 2),
        (("verify", "/nonexistent"), 9),
        (("report", "/nonexistent"), 7),
        (("nonsense",), 2),
    ],
)
def test_wrong_input_ends_with_a_message_and_the_documented_exit_code(arguments: tuple[str, ...], code: int) -> None:
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()
    assert result.stdout == ""


def test_version_and_help_agree_with_the_module() -> None:
    assert run("--version").stdout.startswith("mosegedge 0.")
    assert " Usage: " in run("--help").stdout
