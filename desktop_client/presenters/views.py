"""What a presenter may ask of a window (verbs) and what it shows (view models). No tkinter here.

Texts in view models are ready to show: translated, money formatted. A window never decides; it shows what it is told
and calls the presenter back through the callbacks that it was given (`on_…`). All calls are on the
user-interface thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Tone = Literal["plain", "muted", "good", "warning", "danger", "accent"]
Dot = Literal["online", "away", "busy", "offline", "none"]


# ---- login and first connection ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoginForm:
    """What the person typed. `server` is host[:port] or a whole invite link."""

    member_id: str
    password: str
    server: str
    remember: bool


class LoginView(Protocol):
    on_sign_in: Callable[[LoginForm], None]
    on_paste_invite: Callable[[str], None]

    def prefill(self, member_id: str, server_line: str, server: str, remember: bool) -> None: ...
    def show_server(self, line: str, pinned: bool, tone: Tone) -> None: ...
    def set_busy(self, busy: bool) -> None: ...
    def show_error(self, message: str, field_name: str = "") -> None: ...
    def close(self) -> None: ...


class TrustView(Protocol):
    """First connection: six words to compare. Also the hard stop for a changed key (no way to continue)."""

    def ask(self, server_name: str, address: str, words: Sequence[str], answer: Callable[[bool], None]) -> None: ...
    def show_key_changed(self, server_name: str, address: str, old: Sequence[str], new: Sequence[str]) -> None: ...


# ---- roster ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RosterRow:
    """One contact. `trailing` is the amount due, a tick or nothing; `unread` a red badge when over 0."""

    contact_id: int
    kind: Literal["member", "biller"]
    name: str
    detail: str
    dot: Dot
    icon: str = ""
    trailing: str = ""
    trailing_tone: Tone = "plain"
    unread: int = 0
    dimmed: bool = False


@dataclass(frozen=True)
class RosterGroup:
    key: str
    title: str
    count: str
    rows: tuple[RosterRow, ...]


@dataclass(frozen=True)
class Me:
    member_id: int
    name: str
    presence: Dot
    signature: str
    balance: str


class RosterView(Protocol):
    on_open_contact: Callable[[int], None]
    on_set_presence: Callable[[str], None]
    on_search: Callable[[str], None]
    on_sign_out: Callable[[], None]

    def show_me(self, me: Me) -> None: ...
    def show_groups(self, groups: Sequence[RosterGroup]) -> None: ...
    def show_connection(self, text: str, tone: Tone) -> None: ...
    def show_toast(self, text: str, tone: Tone) -> None: ...
    def close(self) -> None: ...


# ---- conversations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TimeMark:
    """A centred line between entries: the time, or a notice."""

    text: str


@dataclass(frozen=True)
class Bubble:
    """A chat message. `status` is shown small under it: its time; for own ones sending…, sent, not sent."""

    key: str
    own: bool
    author_name: str
    text: str
    status: str = ""
    failed: bool = False


@dataclass(frozen=True)
class CardButton:
    action: str
    text: str
    style: Literal["primary", "outline", "link"] = "primary"
    enabled: bool = True


@dataclass(frozen=True)
class CardRow:
    label: str
    value: str
    tone: Tone = "plain"
    strong: bool = False


@dataclass(frozen=True)
class Card:
    """A card of a bill-pay conversation: a bill, a receipt, a refusal, or a payment still being decided.

    `banner` is the coloured head (receipt: good; refusal: danger; deciding: warning), empty for a bill.
    `headline` is the small grey line, `amount` the big figure, `note` the line under it.
    """

    key: str
    banner: str = ""
    banner_tone: Tone = "plain"
    headline: str = ""
    amount: str = ""
    note: str = ""
    note_tone: Tone = "muted"
    rows: tuple[CardRow, ...] = ()
    buttons: tuple[CardButton, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class FormField:
    name: str
    kind: Literal["digits", "text", "amount", "choice", "pin"]
    label: str
    hint: str = ""
    rule: str = ""
    error: str = ""
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FormCard:
    """A prompt of the subsystem, drawn as a form in the conversation. Submit calls on_form(key, values)."""

    key: str
    title: str
    text: str
    fields: tuple[FormField, ...]
    submit_text: str
    error: str = ""


Entry = TimeMark | Bubble | Card | FormCard


@dataclass(frozen=True)
class ConversationHead:
    contact_id: int
    kind: Literal["member", "biller"]
    name: str
    detail: str
    dot: Dot
    icon: str = ""
    badge: str = ""
    footer: str = ""


class ConversationView(Protocol):
    """A biller's conversation or a chat; entries are keyed, so one can be replaced in place (bill → receipt).

    `is_seen`: a person can read the newest entry now; `on_seen` is called when that becomes true with messages unread.
    `on_older` is called when the first entry comes near; who has older ones inserts them before it.
    """

    on_send_text: Callable[[str], None]
    on_card_action: Callable[[str, str], None]
    on_form: Callable[[str, dict[str, str]], None]
    on_check_bill: Callable[[], None]
    on_close: Callable[[], None]
    on_seen: Callable[[], None]
    on_draft: Callable[[str], None]
    on_older: Callable[[], None]

    def show_head(self, head: ConversationHead) -> None: ...
    def show_entries(self, entries: Sequence[Entry]) -> None: ...
    def append(self, entry: Entry) -> None: ...
    def insert(self, index: int, entries: Sequence[Entry]) -> None: ...
    def see(self, key: str) -> None: ...
    def replace(self, key: str, entry: Entry) -> None: ...
    def show_banner(self, text: str, tone: Tone) -> None: ...
    def set_draft(self, text: str) -> None: ...
    def is_seen(self) -> bool: ...
    def show_unread(self, count: int) -> None: ...
    def raise_window(self) -> None: ...
    def close(self) -> None: ...


# ---- pay sheet ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AmountChoice:
    key: Literal["full", "minimum", "other"]
    text: str
    value: str


@dataclass(frozen=True)
class PaySheetModel:
    """`accounts` are (number, text) pairs. `choices` has one entry where the biller takes only the exact sum.

    `amount`, `after_text` and `pay_text` are of one offer. Without `can_pay` the button rests, and `after_text` says
    why. `amount_hint` stands in the empty field of another amount.
    """

    title: str
    headline: str
    amount: str
    choices: tuple[AmountChoice, ...]
    accounts: tuple[tuple[str, str], ...]
    after_text: str
    pay_text: str
    footer: str
    can_pay: bool = True
    after_tone: Tone = "muted"
    amount_hint: str = ""


@dataclass(frozen=True)
class PaySheetForm:
    """What is chosen and typed; `pay_text` is what stood on the pressed button (empty while nothing was pressed)."""

    choice: str
    other_amount: str
    account: str
    pin: str = field(repr=False)
    pay_text: str = field(default="", compare=False)


class PaySheetView(Protocol):
    """Asks for amount, account and payment password. `on_change` is called at every key, paste and choice."""

    on_change: Callable[[PaySheetForm], None]
    on_pay: Callable[[PaySheetForm], None]
    on_cancel: Callable[[], None]

    def show(self, model: PaySheetModel) -> None: ...
    def set_busy(self, busy: bool, text: str = "") -> None: ...
    def show_error(self, message: str, field_name: str = "") -> None: ...
    def clear_pin(self) -> None: ...
    def close(self) -> None: ...


class Windows(Protocol):
    """Opens windows for the application's coordinator (`presenters.app`)."""

    def login(self) -> LoginView: ...
    def trust(self) -> TrustView: ...
    def roster(self) -> RosterView: ...
    def conversation(self, contact_id: int, kind: Literal["member", "biller"]) -> ConversationView: ...
    def pay_sheet(self, parent: ConversationView) -> PaySheetView: ...
    def notice(self, text: str) -> None: ...
    def call_soon(self, work: Callable[[], None]) -> None: ...
    def call_later(self, milliseconds: int, work: Callable[[], None]) -> Callable[[], None]: ...
    def quit(self) -> None: ...
