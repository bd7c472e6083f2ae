"""A data folder deep down, with a name longer than a socket's may be and of another script."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_scripts.dormitory import Dormitory, from_checkout
from im_server.data_folder import DataFolder
from im_server.errors import StartError

pytestmark = pytest.mark.slow

LIN = 10001


def test_a_path_that_no_database_can_open_is_refused_at_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "宿舍楼" / ("x" * 200) / ("y" * 200))
    with pytest.raises(StartError, match="Choose a shorter one"):
        folder.prepare()
    assert not (tmp_path / "宿舍楼").exists()


def test_bills_are_paid_in_a_folder_with_a_long_chinese_name(tmp_path: Path) -> None:
    folder = tmp_path / ("宿舍楼" * 12) / ("a long name " * 8)
    folder.mkdir(parents=True)
    place = Dormitory(from_checkout(), folder)
    try:
        place.start()
        place.load()
        assert place.client_json(LIN, "bills", "101")["bills"]
        place.client_json(LIN, "pay", "101")
        assert not place.client_json(LIN, "bills", "101")["bills"]
        place.admin("ledger", "check")
    finally:
        place.stop()
