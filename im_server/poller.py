"""Readiness of sockets: epoll where there is one (cheaper than `selectors` by an object an event), else selectors."""

from __future__ import annotations

import select
import selectors
from typing import Protocol

READ = 1
WRITE = 4


class Poller(Protocol):
    """File descriptors and the readiness that is waited for (READ, WRITE, both, or 0: at most errors are told)."""

    def add(self, fd: int, mask: int) -> None: ...
    def change(self, fd: int, mask: int) -> None: ...
    def remove(self, fd: int) -> None: ...
    def wait(self, seconds: float) -> list[tuple[int, int]]: ...
    def close(self) -> None: ...


class EpollPoller:
    """Linux. EPOLLIN is 1 and EPOLLOUT is 4, as READ and WRITE; errors wake as both."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.add = self._epoll.register
        self.change = self._epoll.modify
        self.close = self._epoll.close

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return self._epoll.poll(seconds)

    def remove(self, fd: int) -> None:
        self._epoll.unregister(fd)


class SelectorsPoller:
    """Everywhere else."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, fd: int, mask: int) -> None:
        self._selector.register(fd, _events(mask))

    def change(self, fd: int, mask: int) -> None:
        known = fd in self._selector.get_map()
        if mask and known:
            self._selector.modify(fd, _events(mask))
        elif mask:
            self._selector.register(fd, _events(mask))
        elif known:
            self._selector.unregister(fd)

    def remove(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def close(self) -> None:
        self._selector.close()

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return [
            (key.fd, (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0))
            for key, events in self._selector.select(seconds)
        ]


def _events(mask: int) -> int:
    return (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)


def new_poller() -> Poller:
    """The best poller of this system."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorsPoller()
