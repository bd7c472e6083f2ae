"""The one thread that writes im.db: all that waits goes into one transaction, and is answered after its commit."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from peewee import SqliteDatabase

from im_server.store.mailbox import Mailboxes, Post, Stored

log = logging.getLogger(__name__)

WAITING_MESSAGES_MAX = 8_192  # a disk slower than the senders must not fill the memory

Delivered = Callable[[list[Post], list[Stored]], None]
Failed = Callable[[list[Post]], None]


class Writer(threading.Thread):
    """Group commit. `delivered` and `failed` are called on this thread, after the commit or instead of it."""

    def __init__(
        self,
        database: SqliteDatabase,
        mailboxes: Mailboxes,
        commit_messages_max: int,
        delivered: Delivered,
        failed: Failed,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._database = database
        self.mailboxes = mailboxes
        self._commit_messages_max = commit_messages_max
        self._delivered = delivered
        self._failed = failed
        self._wanted = threading.Event()
        self._batches: deque[list[Post]] = deque()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()  # guards _waiting
        self._waiting = 0
        self._stopping = False

    def post(self, posts: list[Post]) -> None:
        """Queue chat messages; any thread."""
        with self._lock:
            self._waiting += len(posts)
        self._batches.append(posts)
        self._wanted.set()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that new messages should be refused."""
        return self._waiting >= WAITING_MESSAGES_MAX

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        """Run a function inside the next transaction; its future is done after the commit."""
        future: Future[Any] = Future()
        self._jobs.append((job, future))
        self._wanted.set()
        return future

    def stop(self) -> None:
        """Finish what is queued, then end."""
        self._stopping = True
        self._wanted.set()

    def run(self) -> None:
        self._database.connect(reuse_if_open=True)
        try:
            while True:
                self._wanted.wait()
                self._wanted.clear()
                while self._batches or self._jobs:
                    self._commit_once()
                if self._stopping and not self._batches and not self._jobs:
                    return
        finally:
            self._database.close()

    def _take(self) -> list[Post]:
        batches, posts = self._batches, list[Post]()
        while batches and len(posts) < self._commit_messages_max:
            posts += batches.popleft()
        if posts:
            with self._lock:
                self._waiting -= len(posts)
        return posts

    def _commit_once(self) -> None:
        posts = self._take()
        jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        stored: list[Stored] = []
        moved: dict[int, int] = {}
        try:
            with self._database.atomic("IMMEDIATE"):
                results = [self._run(job, future) for job, future in jobs]
                if posts:
                    stored, moved = self.mailboxes.store(posts, time.time_ns() // 1_000_000)
        except Exception as error:  # a full disk must not end the thread: what waits is told, the next may succeed
            log.exception("a commit of %d messages and %d jobs failed", len(posts), len(jobs))
            for _job, future in jobs:
                future.set_exception(error)
            self._failed(posts)
            return
        self.mailboxes.publish(moved)
        for future, result, failure in results:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
        if posts:
            self._deliver(posts, stored)

    def _run(self, job: Callable[[], Any], future: Future[Any]) -> tuple[Future[Any], Any, BaseException | None]:
        """One job in its own savepoint, so that its failure undoes nothing else."""
        try:
            with self._database.atomic():
                return future, job(), None
        except Exception as error:  # noqa: BLE001 - the job's own business; its future carries it
            return future, None, error

    def _deliver(self, posts: list[Post], stored: list[Stored]) -> None:
        try:
            self._delivered(posts, stored)
        except Exception:  # stored is stored: clients fetch by sync what was not pushed
            log.exception("delivering %d stored messages failed", len(posts))
