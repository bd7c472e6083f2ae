"""Sentences for what can go wrong, and dates and sums as people read them. Shared by windows and command line."""

from __future__ import annotations

from datetime import date, datetime

from desktop_client.config import MEMBER_DIGITS_MAX
from desktop_client.i18n import _, language, ngettext
from desktop_client.mending import NO_STORE
from desktop_client.outcomes import NEVER_ARRIVED, REUSED
from desktop_client.sealer import CLOCK_WRONG, PAYMENT_KEY_CHANGED
from desktop_client.session import BAD_ANSWER, NOT_CONNECTED, TIMED_OUT
from desktop_client.transport import KEY_CHANGED, LOST, NOT_A_SERVER, UNREACHABLE
from im_protocol import codes
from payment.contract.messages import Receipt
from payment.contract.money import AmountError, with_sign

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def presence_word(presence: str) -> str:
    """How a presence is told."""
    words = {"online": _("online"), "away": _("away"), "busy": _("busy"), "offline": _("offline")}
    return words.get(presence, presence)


def problem(code: str, message: str = "", address: str = "") -> str:
    """A sentence for a refusal code; `message` (the server's English) only for codes that are not known here."""
    claims = {
        codes.PAYMENT_AWAY: _("The payment service is away. Nothing was charged."),
        codes.BAD_SEAL: _("The payment service could not open the order. Nothing was charged."),
        PAYMENT_KEY_CHANGED: _("The payment key is not the trusted one. Nothing was sent. Ask your operator."),
        NOT_CONNECTED: _("There is no connection to the server. Nothing was sent."),
        NO_STORE: _("Nothing can be stored on this device, so you were not signed in: {why}").format(why=message),
        NEVER_ARRIVED: _("The order never reached the payment service. No money moved."),
        REUSED: _("This payment id stands for another order. No money moved for this one."),
    }
    return claims.get(code) or cause(code, message, address)


def cause(code: str, message: str = "", address: str = "") -> str:
    """The same without any word on money: while an order is open, nobody knows whether some moved."""
    known = {
        codes.WRONG_PASSWORD: _("The password is wrong."),
        codes.UNKNOWN_MEMBER: _("There is no member with this number on this server."),
        codes.SIGNED_IN_ELSEWHERE: _("You were signed out because this device signed in again."),
        codes.RATE_LIMITED: _("Too many tries. Wait a moment and try again."),
        codes.TOO_MANY_CONNECTIONS: _("The server is full. Try again later."),
        codes.NO_SUCH_MEMBER: _("There is no such member."),
        codes.PAYMENT_AWAY: _("The payment service is away."),
        codes.BAD_SEAL: _("The payment service could not open the order."),
        codes.OUTCOME_UNKNOWN: _("The connection broke before the answer. It is not known yet what was decided."),
        codes.BAD_VERSION: _("The server speaks another version. Update BillBuddy."),
        "stale": _("This computer's clock is wrong: check date and time."),
        CLOCK_WRONG: _("This computer's clock is wrong: check date and time."),
        UNREACHABLE: _("The server cannot be reached: {address}. Is this device's network connected?").format(
            address=address
        ),
        NOT_A_SERVER: _("There is no BillBuddy server at {address}.").format(address=address),
        KEY_CHANGED: _("The server's key has changed. BillBuddy does not connect to it. Ask your operator."),
        PAYMENT_KEY_CHANGED: _("The payment key is not the trusted one. Ask your operator."),
        LOST: _("The network connection broke off."),
        NOT_CONNECTED: _("There is no connection to the server."),
        TIMED_OUT: _("No answer came through the network in time."),
        BAD_ANSWER: _("The server's answer cannot be read."),
    }
    return known.get(code) or message or _("Something went wrong ({code}).").format(code=code)


def went_back(what: str) -> str:
    """A sentence for records that were put back to an older copy."""
    known = {
        "messages": _(
            "The server works with an older copy of its messages. Nothing on this device is lost, and messages of yours"
            " that the server lost are sent again. Tell your operator."
        ),
    }
    return known[what]


def receipt_held(receipt: Receipt) -> str:
    """A warning beside a bill that looks open, though this device can prove that it was paid."""
    return _(
        "You hold receipt {no} for this bill: {amount} paid on {day}. The payment service does not know of it. "
        "Ask your operator before you pay again."
    ).format(
        no=receipt.receipt_no,
        amount=with_sign(receipt.paid),
        day=short_day(datetime.fromtimestamp(receipt.paid_at_ms / 1000).astimezone().date().isoformat()),
    )


def unanswered(code: str, message: str, *, is_open: bool) -> str:
    """Why a question could not be answered, worded here for all windows.

    `is_open`: an order was sent and may still be decided, so that nothing may say that nothing was sent or charged.
    """
    return cause(code, message) if is_open else problem(code, message)


def trying_again(code: str, seconds: float) -> str:
    """What is said while a request waits before it is sent again by itself."""
    why = _("The payment service is busy.") if code == codes.RATE_LIMITED else cause(code)
    return why + " " + _("Trying again in {n} s…").format(n=max(1, round(seconds)))


def pin_change_unknown() -> str:
    """For a change of the payment password that was sent, and not answered."""
    return _("Whether the payment password was changed is not known yet: the next payment shows it.")


def member_id_problem() -> str:
    """For text that is no member number."""
    text = _("A member number is digits only: 10001 or higher, at most {n} digits.")
    return text.format(n=MEMBER_DIGITS_MAX)


def invite_problem() -> str:
    """A sentence for text that is no whole invite link."""
    return _(
        "The invite link is not whole, or a character of it was changed. Copy the whole link, or ask for it again."
    )


def amount_problem(error: AmountError) -> str:
    """A sentence for text that is no amount."""
    known = {
        "empty": _("Type an amount, for example 86.40."),
        "not_a_number": _("An amount is digits with at most one dot, for example 86.40."),
        "not_positive": _("The amount must be more than zero."),
        "too_many_decimals": _("The amount has too many decimals."),
        "too_large": _("The amount is too large."),
    }
    return known.get(error.code, error.message)


def more_bills(shown: int, count: int) -> tuple[str, str]:
    """How many bills are open, and that not all of them are shown."""
    words = ngettext("{count} bill is open.", "{count} bills are open.", count).format(count=count)
    return words, _("The oldest {shown} are shown; the others come as these are paid.").format(shown=shown)


def parse_day(text: str) -> date | None:
    """A date of the contract (YYYY-MM-DD), or None."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def short_day(text: str) -> str:
    """`30 Nov`; in Chinese `11月30日`."""
    day = parse_day(text)
    if day is None:
        return text
    if language() == "zh_CN":
        return f"{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]}"


def due_in_words(due_on: str, today: date) -> str:
    """`due in 8 days · 30 Nov`."""
    day = parse_day(due_on)
    if day is None:
        return ""
    days = (day - today).days
    if days < 0:
        words = ngettext("overdue by {n} day", "overdue by {n} days", -days).format(n=-days)
    elif days == 0:
        words = _("due today")
    else:
        words = ngettext("due in {n} day", "due in {n} days", days).format(n=days)
    return f"{words} · {short_day(due_on)}"


def clock_time(at_ms: int) -> str:
    """`20:14` in the local time zone."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M")


def time_mark(at_ms: int, now_ms: int) -> str:
    """`Today 20:14`, `Yesterday 21:40`, `3 Nov 09:00`."""
    then = datetime.fromtimestamp(at_ms / 1000).astimezone()
    today = datetime.fromtimestamp(now_ms / 1000).astimezone().date()
    days = (today - then.date()).days
    if days == 0:
        day = _("Today")
    elif days == 1:
        day = _("Yesterday")
    else:
        day = short_day(then.date().isoformat())
    return f"{day} {then:%H:%M}"


def account_tail(number: str, name: str) -> str:
    """`Wallet • • • 0234`: an account that can be told apart without showing its number."""
    return f"{name} • • • {number[-4:]}"


def looks_like_pin(text: str) -> bool:
    """Exactly six digits, as a payment password has: not something to put into a chat by mistake."""
    stripped = text.strip()
    return len(stripped) == 6 and stripped.isdigit()
