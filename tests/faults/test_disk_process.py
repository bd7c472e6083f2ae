"""The payment process ends rather than go on after its disk failed, and says that the outcome is unknown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from payment.contract.messages import AskPayment, NotPaid, Paid, PaymentUnknown
from payment.runner import EXIT_OUTCOME_UNKNOWN
from tests.faults.books import Books
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.disk import How
from tests.faults.house import EXACT, House
from tests.faults.link_end import Gone, LinkEnd

pytestmark = [pytest.mark.faults, pytest.mark.integration, pytest.mark.slow]
POINTS, POINTS_LONG = 4, 60
NTH_MAX = 60


@pytest.fixture(scope="module")
def real_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """With the real password hashes: another process checks them."""
    return House.build(tmp_path_factory.mktemp("real") / "house")


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("how", ["once", "sticky"])
def test_process_ends_after_a_failed_write_or_sync(
    real_house: House, tmp_path: Path, luck: Luck, tally: Tally, how: How, is_long: bool
) -> None:
    points, seen = 0, Counter[str]()
    for _ in range(POINTS_LONG if is_long else POINTS):
        path, books = real_house.copy(tmp_path / "data"), Books(real_house)
        output = tmp_path / "output.txt"
        output.unlink(missing_ok=True)
        nth = luck.randint(1, NTH_MAX)
        status = _work_until_it_ends(real_house, path, output, books, luck, [str(nth), how])
        said = output.read_text()
        assert status in (EXIT_OUTCOME_UNKNOWN, 1), f"write {nth}: status {status}, said {said}"
        if status == EXIT_OUTCOME_UNKNOWN:
            assert "OUTCOME UNKNOWN" in said
        books.check(path)
        points += 1
        seen[f"status {status}"] += 1
        seen += _resolve(real_house, path, output, books, luck)
        books.check(path)
        ledger_check(path)
    tally.say(points=points, seen=dict(seen))


def _work_until_it_ends(house: House, path: Path, output: Path, books: Books, luck: Luck, plan: list[str]) -> int:
    def line(link: Path, token: Path) -> list[str]:
        return ["tests.faults.bad_disk_process", *plan, str(path), str(link), str(token)]

    with LinkEnd(house, path.parent, line, output) as server:
        if not server.accept():
            return server.wait()
        for _ in range(10 * NTH_MAX):
            member_id, due = luck.choice(house.members), luck.choice(house.bills)
            minor = None if due.biller_id == EXACT else luck.randint(1, 9)
            pay = house.order(luck.randbytes(16), member_id, due, minor)
            books.send(member_id, pay)
            try:
                books.hear(pay.payment_id, server.ask(member_id, pay, luck.randbytes(16)))
            except Gone:
                return server.wait()
    pytest.fail("the disk never failed")


def _resolve(house: House, path: Path, output: Path, books: Books, luck: Luck) -> Counter[str]:
    """With the real program on the real disk."""

    def line(link: Path, token: Path) -> list[str]:
        return ["payment", "--data", str(path), "--link", str(link), "--link-token-file", str(token), "serve"]

    outcomes: Counter[str] = Counter()
    with LinkEnd(house, path.parent, line, output) as server:
        assert server.accept(), output.read_text()
        for payment_id in books.open:
            member_id, pay = books.sent[payment_id]
            answer = server.ask(member_id, AskPayment(payment_id), luck.randbytes(16))
            outcomes[f"resolved {type(answer).__name__}"] += 1
            if isinstance(answer, PaymentUnknown):
                del books.sent[payment_id]
                continue
            assert isinstance(answer, Paid | NotPaid)
            books.hear(payment_id, answer)
        assert server.end() == 0
    return outcomes
