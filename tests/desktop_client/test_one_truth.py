"""While an order is open, nothing anywhere says that nothing was sent, charged or moved."""

from __future__ import annotations

import pytest

from desktop_client.i18n import set_language
from desktop_client.wording import cause, problem, unanswered
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Type
from tests.desktop_client.peer import Peer
from tests.desktop_client.person import Person
from tests.desktop_client.subsystem import ELECTRICITY, WATER
from tests.desktop_client.test_outcomes import ALL_CODES

CLAIMS = ("othing was", "o money", "not paid", "没有发送", "没有扣", "未扣", "没有任何扣", "资金", "没有付款", "未付")


def claims(text: str) -> bool:
    return any(words in text for words in CLAIMS)


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_no_cause_says_what_became_of_the_money(lang: str) -> None:
    set_language(lang)
    known = {code: cause(code, "", "host:1") for code in [*ALL_CODES, "stale", "never_arrived"]}
    assert {code: text for code, text in known.items() if claims(text)} == {}
    assert all(claims(problem(code)) for code in ("payment_away", "bad_seal", "not_connected", "never_arrived"))


def test_certain_refusals_still_say_that_nothing_was_charged() -> None:
    set_language("en")
    for code in ("payment_away", "bad_seal", "not_connected"):
        assert claims(problem(code)) and claims(unanswered(code, "", is_open=False))
        assert not claims(unanswered(code, "", is_open=True))


@pytest.mark.parametrize("cut", ["connection", "payment service"])
def test_cut_while_paying_is_told_alike_in_every_window(person: Person, peer: Peer, cut: str) -> None:
    person.signed_in()
    view = person.open_biller()
    person.app.open_contact(WATER)
    water = person.windows.last("conversation")
    person.app.open_contact(PAYMENT_ID)
    wallet = person.windows.last("conversation")
    seen = peer.types_received().count(Type.SEALED_REQUEST)
    peer.silent_types.add(Type.SEALED_REQUEST)
    person.pay(view)
    person.until(lambda: peer.types_received().count(Type.SEALED_REQUEST) > seen)
    told_before = [len(v.calls) for v in (view, water, wallet)]
    peer.stop()
    person.until(lambda: not person.app.client.session.signed_in)
    if cut == "payment service":
        peer.silent_types.clear()
        peer.payment_away = True
        peer.start()
        person.until(lambda: person.app.client.session.signed_in)
    view.on_check_bill()
    water.on_check_bill()
    person.until(lambda: any(c.banner == "Still deciding" for c in view.keyed("order-")))
    person.until(lambda: water.last("show_banner") and water.last("show_banner")[0])
    for each, before in zip((view, water, wallet), told_before, strict=True):
        banners = [arguments[0] for name, arguments in each.calls[before:] if name == "show_banner"]
        assert not [text for text in banners if claims(text)], banners
    assert peer.subsystem.due[ELECTRICITY]
