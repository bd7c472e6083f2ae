"""Threads for what blocks (password hashes, reading pages of history), behind a bounded queue."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from im_server.errors import Busy

log = logging.getLogger(__name__)

Job = Callable[[], None]
_BUSY_SECONDS_MIN = 0.5


class Workers:
    """A fixed number of threads. `each_thread_ends` closes what a thread holds (its database connection)."""

    def __init__(self, name: str, threads: int, queue_max: int, each_thread_ends: Job) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(queue_max)
        self._ends = each_thread_ends
        self._job_seconds = 0.0
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{i}", daemon=True) for i in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises Busy at once when too many wait."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            text = "The server is busy; try again in a moment."
            raise Busy(text, max(_BUSY_SECONDS_MIN, self.waiting_seconds() / 2)) from error

    def stop(self) -> None:
        """End after what is queued."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(10)

    @property
    def waiting(self) -> int:
        """How many jobs no thread has begun yet."""
        return self._jobs.qsize()

    def waiting_seconds(self) -> float:
        """How long a job that is queued now will wait, as things go."""
        return self._jobs.qsize() * self._job_seconds / len(self._threads)

    def _run(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                began = time.monotonic()
                try:
                    job()
                except Exception:  # a worker survives any job
                    log.exception("a job failed")
                self._job_seconds += (time.monotonic() - began - self._job_seconds) / 16  # a moving average
        finally:
            self._ends()
