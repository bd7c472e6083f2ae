"""The one thread that writes im.db: all that waits goes into one transaction, and is answered after its commit."""

from __future__ import annotations

import functools
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from peewee import SqliteDatabase

from im_server.send_order import split_off_behind
from im_server.store.damage import is_disk_failure
from im_server.store.mailbox import Mailboxes, Post, Stored

log = logging.getLogger(__name__)

CACHE_KIB = 32_768  # the indexes' scattered pages: a miss costs a copy from the system's cache
SHRINK_SECONDS = 30.0  # so often the cache begins anew, so that one busy minute does not hold it for ever
FACTS_PER_COMMIT_MAX = 256  # about 10 ms: messages must not wait behind a thousand people who left at once
LIGHT_WAITING_MAX = 32  # unanswered messages of one connection; who has more waits in the lane for the heavy
HEAVY_PER_COMMIT_MAX = 128  # a few ms: so long the light wait at most for the heavy, however many those are
HEAVY_BYTES_PER_COMMIT_MAX = 131_072  # as those of short messages weigh
HEAVY_WAITING_MAX = 4_096
LONG_BYTES = 2_048  # a longer message makes its connection a heavy one at two unanswered messages
WAITING_MESSAGES_MAX = 8_192  # a disk slower than the senders must not fill the memory

FAILED_PAUSE_SECONDS = 0.05
"""Between a failed commit and its refusals: what senders had on the wire behind it comes in meanwhile, and is known to
have been sent without waiting (see `send_order`). A full disk is not emptied sooner."""

Delivered = Callable[[list[Post], list[Stored]], None]
Failed = Callable[[list[Post]], None]
Job = tuple[Callable[[], Any], "Future[Any]"]


class RolledBack(Exception):
    """One job's error cost the whole group its transaction."""


class Writer(threading.Thread):
    """Group commit. `delivered` and `failed` are called on this thread, after the commit or instead of it; `behind`
    instead of storing what would overtake a refused message; `disk_failed` once, when the disk cannot be trusted any
    more: from then on nothing is written, and whoever waits is told that it failed."""

    def __init__(
        self,
        database: SqliteDatabase,
        mailboxes: Mailboxes,
        commit_messages_max: int,
        delivered: Delivered,
        failed: Failed,
        behind: Failed,
        disk_failed: Callable[[], None],
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self._database = database
        self.mailboxes = mailboxes
        self._commit_messages_max = commit_messages_max
        self._delivered = delivered
        self._failed = failed
        self._behind = behind
        self._disk_failed = disk_failed
        self._given_up: Exception | None = None
        self.failed_pause_seconds = FAILED_PAUSE_SECONDS
        self._never = threading.Event()
        self._wanted = threading.Event()
        self._batches: deque[list[Post]] = deque()
        self._jobs: deque[Job] = deque()
        self._facts: dict[tuple[Any, ...], Callable[[], Any]] = {}
        self._lock = threading.Lock()  # guards the two counts and _facts
        self._waiting = 0
        self._heavy: deque[list[Post]] = deque()
        self._heavy_waiting = 0
        self._stopping = False

    def post(self, posts: list[Post]) -> None:
        """Queue chat messages; any thread."""
        with self._lock:
            self._waiting += len(posts)
        self._batches.append(posts)
        self._wanted.set()

    def is_full(self, is_heavy: bool) -> bool:
        """Whether so much waits in this lane that new messages should be refused."""
        return self._heavy_waiting >= HEAVY_WAITING_MAX if is_heavy else self._waiting >= WAITING_MESSAGES_MAX

    def post_heavy(self, posts: list[Post]) -> None:
        """Queue messages of connections that have many waiting: they take what room the others leave in a commit."""
        with self._lock:
            self._heavy_waiting += len(posts)
        self._heavy.append(posts)
        self._wanted.set()

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        """Run a function inside the next transaction; its future is done after the commit."""
        future: Future[Any] = Future()
        self._jobs.append((job, future))
        self._wanted.set()
        return future

    def keep(self, key: tuple[Any, ...], job: Callable[[], Any]) -> None:
        """Write a fact inside the next transaction. A later one of the same key takes the place of one that still
        waits, so that what waits is bounded by what there is to know, not by how often somebody changes it."""
        with self._lock:
            self._facts[key] = job
        self._wanted.set()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        self._stopping = True
        self._wanted.set()

    def run(self) -> None:
        self._database.connect(reuse_if_open=True)
        self._database.execute_sql(f"PRAGMA cache_size = {-CACHE_KIB}")
        shrink_at = time.monotonic() + SHRINK_SECONDS
        try:
            while True:
                self._wanted.wait()
                self._wanted.clear()
                while self._has_work():
                    self._commit_once()
                    if time.monotonic() >= shrink_at:
                        shrink_at = time.monotonic() + SHRINK_SECONDS
                        self._database.execute_sql("PRAGMA shrink_memory")
                if self._stopping and not self._has_work():
                    return
        finally:
            self._database.close()

    def _has_work(self) -> bool:
        return bool(self._batches or self._heavy or self._jobs or self._facts)

    def _take(self) -> list[Post]:
        batches, posts = self._batches, list[Post]()
        while batches and len(posts) < self._commit_messages_max:
            posts += batches.popleft()
        if posts:
            with self._lock:
                self._waiting -= len(posts)
        return posts + self._take_heavy()

    def _take_heavy(self) -> list[Post]:
        heavy, posts = self._heavy, list[Post]()
        size = 0
        while heavy and len(posts) < HEAVY_PER_COMMIT_MAX and size < HEAVY_BYTES_PER_COMMIT_MAX:
            batch = heavy.popleft()
            at = 0
            while at < len(batch) and len(posts) < HEAVY_PER_COMMIT_MAX and size < HEAVY_BYTES_PER_COMMIT_MAX:
                posts.append(batch[at])
                size += len(batch[at].body)
                at += 1
            if at < len(batch):
                heavy.appendleft(batch[at:])
        if posts:
            with self._lock:
                self._heavy_waiting -= len(posts)
        return posts

    def _take_facts(self) -> list[Job]:
        with self._lock:
            taken = list(itertools.islice(self._facts.items(), FACTS_PER_COMMIT_MAX))
            for key, _job in taken:
                del self._facts[key]
        jobs = []
        for key, job in taken:
            future: Future[Any] = Future()
            future.add_done_callback(functools.partial(_log_failure, key[0]))
            jobs.append((job, future))
        return jobs

    def _commit_once(self) -> None:
        posts, behind = split_off_behind(self._take())
        if behind:
            self._behind(behind)
        jobs = [self._jobs.popleft() for _ in range(len(self._jobs))] + self._take_facts()
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        stored: list[Stored] = []
        moved: dict[int, int] = {}
        try:
            if self._given_up is not None:
                raise self._given_up
            with self._database.atomic("IMMEDIATE"):
                results = [self._run(job, future) for job, future in jobs]
                if posts:
                    stored, moved = self.mailboxes.store(posts, time.time_ns() // 1_000_000)
        except Exception as error:  # noqa: BLE001
            # A full disk must not end the thread: what waits is told, and the next commit may succeed.
            self._not_committed(posts, jobs, error)
            return
        self.mailboxes.publish(moved)
        for future, result, failure in results:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
        if posts:
            self._deliver(posts, stored)

    def _not_committed(self, posts: list[Post], jobs: list[Job], error: Exception) -> None:
        if self._given_up is None:
            log.exception("a commit of %d messages and %d jobs failed", len(posts), len(jobs))
            if is_disk_failure(error):
                log.critical("the disk failed: what was being stored may or may not be there; nothing more is written")
                self._given_up = error
        for _job, future in jobs:
            future.set_exception(error)
        if posts:
            self._never.wait(self.failed_pause_seconds)
            self._failed(posts)
        if self._given_up is error:
            self._disk_failed()

    def _run(self, job: Callable[[], Any], future: Future[Any]) -> tuple[Future[Any], Any, BaseException | None]:
        """One job in its own savepoint, so that its failure undoes nothing else.

        Some errors make SQLite roll back everything (a full disk, an I/O error): then the whole group has failed, and
        must not go on as if what was done before were still there.
        """
        try:
            with self._database.atomic():
                return future, job(), None
        except Exception as error:  # the job's own business, unless it is the disk's; its future carries it
            if self._database.connection().getautocommit():
                raise RolledBack("SQLite rolled the whole transaction back") from error
            if is_disk_failure(error):
                raise
            return future, None, error

    def _deliver(self, posts: list[Post], stored: list[Stored]) -> None:
        try:
            self._delivered(posts, stored)
        except Exception:  # stored is stored: clients fetch by sync what was not pushed
            log.exception("delivering %d stored messages failed", len(posts))


def _log_failure(kind: str, done: Future[Any]) -> None:
    """Nobody waits for a fact: what could not be written is told to the operator."""
    if (error := done.exception()) is not None:
        log.error("could not write (%s): %s", kind, error)
