"""What happens to money when things break. Each test prints its count and the seed that replays it.

    python3 build_scripts/test.py tests/faults                            the short run, about a minute
    BILLBUDDY_FAULTS_LONG=1 python3 build_scripts/test.py tests/faults    the long one, before a release
    BILLBUDDY_SEED=123456 python3 build_scripts/test.py …                 the same dice again

test_kills             kill -9 of the payment subsystem and of the chat server under load, real processes over TLS
test_disk              every write, sync and truncate fails in turn, once and for good, also while recovering; disk full
test_disk_process      the real payment process on such a disk: it ends, and says that the outcome is unknown
test_power_cut         the file after a power cut: unsynced writes dropped, torn, reordered, again while recovering
test_bank              payers and snapshot readers at once; the history is checked for strict serializability
test_relay_and_clocks  simulated: a relay at its worst, clocks that jump a day, kills; real client and service logic
test_whole_path        a bad relay on the real link, clients that are killed, what is left on any disk

The parts: `house` (a folder with members, money and bills; the service driven by hand), `books` (what members know,
and an audit that shares no code with `ledger check`), `disk` and `power` (SQLite VFS shims), `simulation`, `town` and
`payer` (real processes and their load), `link_end` and `bad_link` (the test in the chat server's place, and between).
"""
