"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.atomic_files import write_atomically


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_next_to_it(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.toml"
    write_atomically(file, "ö = 1")
    write_atomically(file, b"second")
    assert file.read_bytes() == b"second"
    assert [one.name for one in file.parent.iterdir()] == ["b.toml"]


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    (folder / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomically(folder, "text")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]


def test_a_reader_of_the_old_file_still_reads_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_atomically(file, "first")
    with file.open() as reader:
        write_atomically(file, "second")
        assert reader.read() == "first"


def test_a_link_keeps_pointing_to_its_file_which_gets_the_bytes(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_gets_the_bytes_and_stays_a_device(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(full, "too much")
    assert full.is_char_device()
