"""An older copy of the data folder was put back: it is told, and no number is used for two payments."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import msgspec
import pytest

from payment.contract.messages import Overview, OverviewIs, Paid, Receipt, SignedReceipt
from payment.contract.receipts import verify_receipt
from payment.errors import FolderError
from tests.payment.house import ELECTRICITY, LIN, MOBILE, WANG, House


def pay(house: House, biller: int) -> tuple[SignedReceipt, Receipt]:
    bills = {ELECTRICITY: {}, MOBILE: {"minor": 3_000, "customer_number": "13800000001", "bill_id": 3}}
    paid = house.ask(LIN, house.order(LIN, biller_id=biller, **bills[biller]))
    assert isinstance(paid, Paid), paid
    return paid.receipt, verify_receipt(paid.receipt, house.core.keystore.root_public)


def notices(house: House, member: int, newest: SignedReceipt | None) -> list[str]:
    overview = house.ask(member, Overview(newest))
    assert isinstance(overview, OverviewIs)
    return overview.notices


def put_back(house: House, copy: Path) -> None:
    house.close()
    shutil.rmtree(house.path)
    shutil.copytree(copy, house.path)
    house.open()


@pytest.fixture
def copied(tmp_path: Path) -> tuple[House, Path]:
    house = House(tmp_path / "house")
    house.restart()
    copy = tmp_path / "copy"
    house.close()
    shutil.copytree(house.path, copy)
    house.open()
    return house, copy


def test_ledger_that_lost_a_payment_tells_who_shows_its_receipt(
    copied: tuple[House, Path], caplog: pytest.LogCaptureFixture
) -> None:
    house, copy = copied
    signed, receipt = pay(house, ELECTRICITY)
    assert notices(house, LIN, signed) == []
    put_back(house, copy)
    assert notices(house, LIN, None) == []
    with caplog.at_level(logging.CRITICAL):
        (notice,) = notices(house, LIN, signed)
    assert receipt.receipt_no in notice
    assert "Do not pay again" in notice
    assert "older copy" in caplog.text
    house.close()


def test_transfer_number_given_out_again_has_another_receipt_number_and_is_told(copied: tuple[House, Path]) -> None:
    house, copy = copied
    signed, lost = pay(house, ELECTRICITY)
    put_back(house, copy)
    house.clock.forward(60)
    again, anew = pay(house, MOBILE)
    assert anew.transfer_no == lost.transfer_no
    assert anew.receipt_no != lost.receipt_no
    assert len(notices(house, LIN, signed)) == 1
    assert notices(house, LIN, again) == []
    house.close()


def test_receipt_that_is_not_genuine_or_not_ones_own_tells_nothing(copied: tuple[House, Path]) -> None:
    house, copy = copied
    signed, receipt = pay(house, ELECTRICITY)
    put_back(house, copy)
    forged = msgspec.msgpack.encode(msgspec.structs.replace(receipt, transfer_no=2**62))
    for member, shown in (
        (LIN, SignedReceipt(forged, signed.signature)),
        (WANG, signed),
        (LIN, SignedReceipt(b"", bytes(64))),
    ):
        assert notices(house, member, shown) == []
    house.close()


def test_receipt_numbers_end_in_four_signs_of_the_chain(copied: tuple[House, Path]) -> None:
    house, _copy = copied
    _signed, receipt = pay(house, ELECTRICITY)
    number, _, signs = receipt.receipt_no.partition("-")
    assert number == f"BB{receipt.transfer_no:08d}"
    assert len(signs) == 4
    house.close()


# ---- a damaged copy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", range(1, 9))
def test_damaged_database_is_refused_in_words_and_left_as_it_is(tmp_path: Path, page: int) -> None:
    house = House(tmp_path / "house")
    pay(house, ELECTRICITY)
    house.close()
    file = house.core.folder.database
    content = bytearray(file.read_bytes())
    content[page * 4_096 : (page + 1) * 4_096] = bytes(4_096)
    file.write_bytes(content)
    with pytest.raises(FolderError, match=r"is damaged .*backup"):
        house.open()
    assert file.read_bytes() == content


def test_ledger_with_a_hole_is_refused(tmp_path: Path) -> None:
    import apsw

    house = House(tmp_path / "house")
    pay(house, ELECTRICITY)
    house.close()
    connection = apsw.Connection(str(house.core.folder.database))
    for (trigger,) in list(connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        connection.execute(f'DROP TRIGGER "{trigger}"')
    connection.execute("DELETE FROM transfer WHERE no = 2")
    connection.close()
    with pytest.raises(FolderError, match="has 2 transfers, and the last one is number 3"):
        house.open()
