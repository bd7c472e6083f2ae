"""One program dies, the others say so and go on."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from build_scripts.dormitory import Dormitory
from im_protocol import codes
from im_protocol.packets import ChatAccepted, ChatSend, Type
from payment.contract.messages import AskPayment, Overview, OverviewIs, Paid, Pay, PaymentUnknown
from tests.integration.processes import payment_process, wait_until
from tests.integration.wire import Refused, WireClient

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.slow]


def is_back(client: WireClient) -> bool:
    try:
        return isinstance(client.ask_payment(Overview()), OverviewIs)
    except Refused as refused:
        assert refused.code in {codes.PAYMENT_AWAY, codes.OUTCOME_UNKNOWN}
        return False


def test_killed_payment_subsystem_is_told_and_comes_back_by_itself(
    dormitory: Dormitory, signed_in: Callable[[int], WireClient]
) -> None:
    client = signed_in(10001)
    process = payment_process(dormitory)
    assert process is not None
    process.kill()
    process.wait(10)
    with pytest.raises(Refused) as refused:
        client.ask_payment(Overview())
    assert refused.value.code in {codes.PAYMENT_AWAY, codes.OUTCOME_UNKNOWN}
    message = ChatSend(secrets.token_bytes(16), "chat goes on")
    assert client.ask(Type.CHAT_SEND, message, ChatAccepted, receiver_id=10002).message_id == message.message_id
    wait_until("the payment subsystem to come back", lambda: is_back(client))
    restarted = payment_process(dormitory)
    assert restarted is not None and restarted.pid != process.pid


def test_payment_cut_off_by_a_kill_resolves_by_its_id(
    dormitory: Dormitory, signed_in: Callable[[int], WireClient]
) -> None:
    client = signed_in(10001)
    payment_id = secrets.token_bytes(16)
    order = Pay(payment_id, 101, "88201402", None, None, None, dormitory.members[10001].pin)
    process = payment_process(dormitory)
    assert process is not None
    client.fetch_key()
    process.suspend()
    started = client.start_payment(order)
    process.kill()
    with pytest.raises(Refused) as refused:
        client.finish(started)
    assert refused.value.code in {codes.OUTCOME_UNKNOWN, codes.PAYMENT_AWAY}
    wait_until("the payment subsystem to come back", lambda: is_back(client))
    outcome = client.ask_payment(AskPayment(payment_id))
    assert isinstance(outcome, Paid | PaymentUnknown)
    dormitory.admin("ledger", "check")


def test_stopped_server_leaves_no_process_behind(dormitory: Dormitory) -> None:
    process = payment_process(dormitory)
    assert process is not None
    assert dormitory.stop_server() == 0
    wait_until("the payment subsystem to end", lambda: not process.is_running())


def test_killed_server_takes_its_payment_subsystem_with_it(dormitory: Dormitory) -> None:
    process = payment_process(dormitory)
    assert process is not None
    dormitory.kill_server()
    wait_until("the payment subsystem to end", lambda: not process.is_running() or process.status() == "zombie")
    dormitory.start()
    assert payment_process(dormitory) is not None
