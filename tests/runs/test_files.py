"""A file is there as a whole, the new one or the old one."""

import pytest

from fairfl.runs import files


def test_written_and_replaced(tmp_path):
    file = tmp_path / "new" / "file.json"
    files.write_whole(file, "one")
    files.write_whole(file, "two")
    assert file.read_text() == "two" and list(file.parent.iterdir()) == [file]


def test_a_failure_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "file.json"
    files.write_whole(file, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(file, "new")
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
