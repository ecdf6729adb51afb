"""One bundle with an engine for all files of tests; each test works on a copy."""

from __future__ import annotations

from pathlib import Path

import boards
import products
import pytest


@pytest.fixture(scope="session")
def engine_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle that the board built, with the board's compilations counted beside it."""
    folder = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch:
        boards.install(folder, patch)
        return products.make_bundle(folder / "bundle", opset=13, device=boards.board(folder)).folder
