"""The README's commands from a device to a verified network, run one after another at the smallest size.

Options that make them small are added behind those of the README, where the last value counts. A profile is replaced:
given once more, it would be that of a second device.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
SPACE = "nano:96x192:19"
PROFILE = "local/nano-96x192-19-fp32"
SMALL = {
    "profile": f"--space {SPACE} --scales 0 --networks 8 --passes 2",
    "search": "--supernet runs/supernet --initial 6 --generations 1 --evaluations 2 --inner-generations 4 "
    "--guide-pictures 4 --statistics-pictures 8 --chosen 2",
    "export": "--supernet runs/supernet",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with a supernet of a few training steps."""
    path = tmp_path_factory.mktemp("project")
    run(path, f"train --space {SPACE} --data scenes --steps 3 --batch-size 2 --output runs/supernet")
    return path


def run(folder: Path, arguments: str) -> str:
    command = [sys.executable, "-m", "mosegedge", *shlex.split(arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert result.returncode == 0, result.stderr
    return result.stdout


def readme_command(name: str) -> str:
    line = re.findall(rf"^mosegedge ({name} .*runs/.*|{name} --device .*)$", README, re.MULTILINE)[0]
    return f"{line.replace('local/tiny-fp32', PROFILE)} {SMALL[name]}"


def test_from_a_device_to_a_verified_network(folder: Path) -> None:
    run(folder, readme_command("profile"))
    run(folder, readme_command("search"))
    run(folder, readme_command("export"))
    verified = json.loads(run(folder, "verify runs/bundle --device local --pictures 2 --json"))
    assert verified["passed"]
    assert (folder / "runs/bundle/fps_card.txt").read_text().strip() == verified["fps_card"]
    assert Path(run(folder, "report runs/search").strip()) == Path("runs/search/report.html")
    assert "<svg" in (folder / "runs/search/report.html").read_text()

    front = json.loads((folder / "runs/search/front.json").read_text())
    bundle = json.loads((folder / "runs/bundle/bundle.json").read_text())
    assert bundle["code"] == front["chosen"][1]["code"]
    assert bundle["predicted"]["latency_ms"] == pytest.approx(front["chosen"][1]["latency_ms"], rel=1e-4)
    predicted = json.loads(run(folder, f"predict '{bundle['code']}' --profile {PROFILE} --json"))
    assert predicted["latency_ms"] == pytest.approx(bundle["predicted"]["latency_ms"])


def test_same_search_again_gives_the_same_archive(folder: Path) -> None:
    again = readme_command("search").replace("runs/search", "runs/again")
    result = json.loads(run(folder, f"{again} --json"))
    assert (folder / "runs/again/archive.jsonl").read_bytes() == (folder / "runs/search/archive.jsonl").read_bytes()
    assert len(result["chosen"]) <= 2
