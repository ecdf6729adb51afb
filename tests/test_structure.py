"""The folders show the data flow: an import points only backwards, and importing the package costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mosegedge

ROOT = Path(__file__).parents[1]
ORDER = [
    "errors", "files", "progress", "space", "networks", "devices", "profiling", "data",
    "supernet", "search", "export", "report", "cli",
]  # fmt: skip
HEAVY = ("torch", "onnx", "onnxruntime", "pymoo", "lightgbm", "sklearn", "scipy", "pydantic", "matplotlib", "paramiko")
MODULES = sorted((ROOT / "mosegedge").rglob("*.py"))


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_backwards(path: Path) -> None:
    part = path.relative_to(ROOT / "mosegedge").parts[0].removesuffix(".py")
    if part in ("__init__", "__main__"):
        return
    allowed = ORDER[: ORDER.index(part) + 1]
    for name in imports_of(path):
        package, *rest = name.split(".")
        if package == "mosegedge" and rest:
            assert rest[0] in allowed or rest[0] == "__version__", f"{part} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "device_agents").rglob("*.py")), ids=lambda path: path.name)
def test_agents_do_not_import_the_package(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.split(".")[0] == "mosegedge"]


def test_importing_the_package_and_its_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, mosegedge, mosegedge.space, mosegedge.cli.main, mosegedge.devices, mosegedge.profiling;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_does_not_even_load_numpy() -> None:
    code = (
        "import sys; sys.argv = ['mosegedge', '--help']\nfrom mosegedge.cli.main import main\n"
        "try: main()\nfinally: assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


@pytest.mark.parametrize("name", mosegedge.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(mosegedge, name).__name__ == name


def test_public_names_are_sorted_and_listed() -> None:
    assert list(mosegedge.__all__) == sorted(mosegedge.__all__)
    assert set(mosegedge.__all__) <= set(dir(mosegedge))
    with pytest.raises(AttributeError):
        _ = mosegedge.Nothing


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_no_two_files_of_tests_have_one_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
