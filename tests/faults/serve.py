"""A real server in a process of its own, for tests that kill it: `python -m tests.faults.serve DATA PORT [LINK]`.

It differs from `billbuddy-server serve` in two waits: a payment subsystem that was killed starts again at once however
often it is killed, and an order that is never answered makes room after two seconds. With LINK the subsystem connects
there instead of to the server, so that a test can stand between them. Prints "ready PORT"; ends with its input.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from im_server.app import Server
from im_server.config import Settings
from im_server.data_folder import DataFolder
from im_server.logs import no_core_dumps, start_logging
from im_server.supervisor import payment_program


def main() -> int:
    folder, port = DataFolder(Path(sys.argv[1])), int(sys.argv[2])
    link = sys.argv[3] if len(sys.argv) > 3 else str(folder.link_socket)
    no_core_dumps()
    folder.prepare()
    start_logging(folder.log)
    program = [*payment_program(), "--data", str(folder.payment)]
    argv = [*program, "--link", link, "--link-token-file", str(folder.link_token), "serve"]
    settings = Settings(restart_seconds_min=0.05, restart_seconds_max=0.1, relay_seconds_max=2)
    server = Server(folder, host="127.0.0.1", port=port, settings=settings, payment_argv=argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    server.start()
    sys.stdout.write(f"ready {server.port}\n")
    sys.stdout.flush()
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
