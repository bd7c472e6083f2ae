"""The entries of a biller's conversation, as its window shows them: an outcome stands with its bill and is in view."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from desktop_client.presenters import cards
from desktop_client.presenters.views import Card, ConversationView, Entry, FormCard, TimeMark
from desktop_client.wording import time_mark

MARK_EVERY_MS = 60_000


class BillStream:
    """Keeps what one window shows, and tells the window each change."""

    def __init__(self, view: ConversationView) -> None:
        self._view = view
        self._entries: list[Entry] = []
        self._last_mark_ms = 0

    def begin(self, entries: Sequence[Entry]) -> None:
        """What the history holds."""
        self._entries = list(entries)
        self._view.show_entries(tuple(self._entries))

    def put(self, entry: Card | FormCard) -> None:
        """Shows a card: in its place when it is there already, otherwise at the end."""
        at = self._index(entry.key)
        if at is None:
            self._entries.append(entry)
            self._view.append(entry)
        elif self._entries[at] != entry:
            self._entries[at] = entry
            self._view.replace(entry.key, entry)

    def put_all(self, entries: Sequence[Card]) -> None:
        """Shows many cards; the new ones at once, at the end."""
        known = {e.key for e in self._entries if not isinstance(e, TimeMark)}
        for entry in entries:
            if entry.key in known:
                self.put(entry)
        new = [entry for entry in entries if entry.key not in known]
        if new:
            at = len(self._entries)
            self._entries += new
            self._view.insert(at, tuple(new))

    def put_outcome(self, bill_id: int, card: Card) -> None:
        """Shows what became of an order under its bill's card, and brings it into view."""
        at = self._after_outcomes(cards.bill_key(bill_id))
        if self._index(card.key) is not None:
            self.put(card)
        elif at is None:
            self.mark(force=True)
            self.put(card)
        else:
            mark = self._mark_before(at)
            new: list[Entry] = [card] if mark is None else [mark, card]
            self._entries[at:at] = new
            self._view.insert(at, tuple(new))
        self._view.see(card.key)

    def drop(self, unwanted: Callable[[Card | FormCard], bool]) -> None:
        """Takes away the cards and forms that are not wanted any more."""
        kept = [e for e in self._entries if not (isinstance(e, Card | FormCard) and unwanted(e))]
        if len(kept) != len(self._entries):
            self._entries = kept
            self._view.show_entries(tuple(kept))

    def settle(self, wanted: Callable[[Card], bool]) -> None:
        """These bills were dealt with: their cards stay, with nothing to press."""
        for entry in list(self._entries):
            if isinstance(entry, Card) and wanted(entry) and entry.buttons:
                self.put(cards.settled_bill_card(entry))

    def mark(self, *, force: bool = False) -> None:
        """The time, at the end, unless it was told a moment ago."""
        now = _now_ms()
        if force or now - self._last_mark_ms >= MARK_EVERY_MS:
            self._last_mark_ms = now
            mark = self._mark_before(len(self._entries))
            if mark is not None:
                self._entries.append(mark)
                self._view.append(mark)

    def form(self, key: str) -> FormCard | None:
        """The form of this key, where it is shown."""
        at = self._index(key)
        entry = self._entries[at] if at is not None else None
        return entry if isinstance(entry, FormCard) else None

    def _mark_before(self, at: int) -> TimeMark | None:
        """A mark of this moment, unless the entries before `at` stand under the same one."""
        now = _now_ms()
        mark = TimeMark(time_mark(now, now))
        shown = [e for e in self._entries[:at] if isinstance(e, TimeMark)]
        return None if shown and shown[-1] == mark else mark

    def _index(self, key: str) -> int | None:
        found = (at for at, e in enumerate(self._entries) if not isinstance(e, TimeMark) and e.key == key)
        return next(found, None)

    def _after_outcomes(self, bill_key: str) -> int | None:
        """The place after a bill's card and the outcomes that stand under it; None without such a card."""
        at = self._index(bill_key)
        if at is None:
            return None
        at += 1
        while at < len(self._entries):
            entry = self._entries[at]
            under = self._entries[at + 1] if isinstance(entry, TimeMark) and at + 1 < len(self._entries) else entry
            if not (isinstance(under, Card) and cards.is_outcome(under)):
                break
            at += 1 if under is entry else 2
        return at


def _now_ms() -> int:
    return int(time.time() * 1000)
