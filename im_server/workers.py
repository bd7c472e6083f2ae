"""Threads for what blocks (password hashes, reading pages of history), behind a bounded queue."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from im_server.errors import QueueFull

log = logging.getLogger(__name__)

Job = Callable[[], None]


class Workers:
    """A fixed number of threads. `each_thread_ends` closes what a thread holds (its database connection)."""

    def __init__(self, name: str, threads: int, queue_max: int, each_thread_ends: Job) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(queue_max)
        self._ends = each_thread_ends
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{i}", daemon=True) for i in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises QueueFull at once when too many wait."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            raise QueueFull("too much work is waiting") from error

    def stop(self) -> None:
        """End after what is queued."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(10)

    def _run(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                try:
                    job()
                except Exception:  # a worker survives any job
                    log.exception("a job failed")
        finally:
            self._ends()
