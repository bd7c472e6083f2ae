from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from payment import credentials
from tests.payment.house import House


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full-price scrypt is tried once, in test_credentials; everywhere else it only costs time."""
    monkeypatch.setattr(credentials, "_SCRYPT_N", 2)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "payment")
    yield made
    made.close()
