"""Windows that remember what presenters told them, and a loop that runs without sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Recorder:
    """Any view: every verb is recorded under its name; `last(verb)` gives the newest arguments."""

    def __init__(self, *key: object) -> None:
        self.key = key
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def verb(*arguments: Any) -> None:
            self.calls.append((name, arguments))

        return verb

    def last(self, verb: str) -> tuple[Any, ...] | None:
        return next((arguments for name, arguments in reversed(self.calls) if name == verb), None)

    def count(self, verb: str) -> int:
        return sum(1 for name, _ in self.calls if name == verb)

    @property
    def closed(self) -> bool:
        return self.count("close") > 0


class ConversationRecorder(Recorder):
    """Keeps the entries as a window would show them."""

    def __init__(self, *key: object) -> None:
        super().__init__(*key)
        self.entries: list[Any] = []
        self.seen = True

    def is_seen(self) -> bool:
        return self.seen

    def show_entries(self, entries: Any) -> None:
        self.entries = list(entries)

    def append(self, entry: Any) -> None:
        self.entries.append(entry)

    def insert(self, index: int, entries: Any) -> None:
        self.entries[index:index] = entries

    def replace(self, key: str, entry: Any) -> None:
        at = next(i for i, e in enumerate(self.entries) if getattr(e, "key", None) == key)
        self.entries[at] = entry

    def keyed(self, start: str) -> list[Any]:
        return [e for e in self.entries if getattr(e, "key", "").startswith(start)]


class FakeWindows:
    """Hands out recorders; `call_later` works on a list that `run` serves."""

    def __init__(self) -> None:
        self.opened: dict[str, list[Any]] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def _open(self, kind: str, view: Any) -> Any:
        self.opened.setdefault(kind, []).append(view)
        return view

    def login(self) -> Any:
        return self._open("login", Recorder())

    def trust(self) -> Any:
        return self._open("trust", Recorder())

    def roster(self) -> Any:
        return self._open("roster", Recorder())

    def conversation(self, contact_id: int, kind: str) -> Any:
        return self._open("conversation", ConversationRecorder(contact_id, kind))

    def pay_sheet(self, parent: Any) -> Any:
        return self._open("pay_sheet", Recorder())

    def notice(self, text: str) -> None:
        self.opened.setdefault("notice", []).append(text)

    def last(self, kind: str) -> Any:
        return self.opened[kind][-1]

    def call_soon(self, work: Callable[[], None]) -> None:
        self.call_later(0, work)

    def call_later(self, milliseconds: int, work: Callable[[], None]) -> Callable[[], None]:
        self._count += 1
        item = (time.monotonic() + milliseconds / 1000, self._count, work)
        self._later.append(item)

        def cancel() -> None:
            if item in self._later:
                self._later.remove(item)

        return cancel

    def quit(self) -> None:
        """Nothing to leave."""

    def turn(self) -> None:
        """Runs what is due."""
        now = time.monotonic()
        for item in sorted(i for i in self._later if i[0] <= now):
            if item in self._later:
                self._later.remove(item)
                item[2]()


def wait_until(condition: Callable[[], Any], turn: Callable[[], object], seconds: float = 15) -> None:
    """Turns the loop until the condition holds; fails the test when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this never happened"
        turn()
