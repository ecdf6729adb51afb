"""Files as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mosegedge.files import write_atomic


def test_a_file_that_cannot_be_written_is_named_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_atomic(taken, "text")
    assert caught.value.filename == str(taken)
    assert list(tmp_path.iterdir()) == [taken]
