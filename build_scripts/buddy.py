"""A member of the demonstration who is online and answers: `billbuddy-cli listen` and `billbuddy-cli send`."""

from __future__ import annotations

import json
import threading

from build_scripts import common
from build_scripts.dormitory import Dormitory

ONLINE_SECONDS_MAX = 20


def answer_to(text: str) -> str:
    """What the buddy answers."""
    return f"Got it: “{text}” 👍"


class AnsweringBuddy:
    """Listens, and sends an answer to every message."""

    def __init__(self, place: Dormitory, member_id: int) -> None:
        self._place = place
        self._member_id = member_id
        self._online = threading.Event()
        self._thread = threading.Thread(target=self._answer_messages, name="buddy", daemon=True)

    def start(self) -> None:
        """Returns when the member is online. Raises SetupError after a while."""
        line = self._place.client_line(self._member_id, "--json", "listen")
        self._listener = self._place.start_client(line, self._place.client_environment(self._member_id, "listen"))
        self._thread.start()
        if not self._online.wait(ONLINE_SECONDS_MAX):
            raise common.SetupError("The member who answers did not come online.")

    def _answer_messages(self) -> None:
        """Ends when the listener's output does."""
        assert self._listener.stdout is not None
        for line in self._listener.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self._online.set()
            if event["event"] == "message":
                self._place.client(self._member_id, "send", str(event["sender"]), answer_to(event["text"]))
