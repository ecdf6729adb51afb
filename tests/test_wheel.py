"""A wheel holds all that an installed package needs: it profiles this machine from a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Where the checkout is on the path of whoever runs the tests, it would be found before the wheel.
CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel alone; the dependencies are those of the running one, without the project."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env/bin/python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, env=CLEAN)
    # The path of the dependencies comes after the environment's own, and its editable install is not followed.
    site = next((folder / "env/lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


def run(python: Path, *arguments: str, cwd: Path) -> str:
    command = [str(python), "-m", "mosegedge", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=CLEAN)
    assert result.returncode == 0, result.stderr
    return result.stdout


def python_of(python: Path, code: str, *, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, env=CLEAN)


def test_wheel_is_used_and_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import mosegedge, device_agents; print(mosegedge.__file__, device_agents.__file__)"
    result = python_of(installed, code, cwd=tmp_path)
    for path in result.stdout.split():
        assert path.startswith(str(installed.parents[1]))


def test_installed_package_profiles_this_machine(installed: Path, tmp_path: Path) -> None:
    arguments = "profile --space nano:96x192:19 --scales 0 --method networks --networks 8 --passes 2 --json"
    result = json.loads(run(installed, *arguments.split(), cwd=tmp_path))
    assert (tmp_path / result["path"]).is_file()
    assert "nano-96x192-19" in result["path"]


def test_installed_package_has_the_weights_of_the_demo_and_the_recipes(installed: Path, tmp_path: Path) -> None:
    code = (
        "from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info;"
        "from mosegedge.supernet.recipe import load_recipe, shipped_recipes;"
        "print(supernet_info(checkpoint_path('demo')).space.name, *(load_recipe(n).data for n in shipped_recipes()))"
    )
    result = python_of(installed, code, cwd=tmp_path)
    assert result.stdout.split() == ["tiny:192x384:19", "camvid", "cityscapes", "cocostuff10k", "scenes", "voc2012"]
