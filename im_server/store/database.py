"""Opening im.db: Peewee over APSW, which brings its own SQLite (many a system's has the WAL-reset corruption bug)."""

from __future__ import annotations

from pathlib import Path

import apsw
from peewee import PeeweeException
from playhouse.apsw_ext import APSWDatabase

from im_server.errors import StartError
from im_server.store.damage import ADVICE, findings_at_start, is_disk_failure
from im_server.store.known_devices import hide_device_ids
from im_server.store.models import ALL, SCHEMA_VERSION

_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",  # an acknowledged message survives a power cut
    "foreign_keys": 1,
    "cache_size": -4_096,  # KiB; the threads that read find the pages in the system's cache
    "wal_autocheckpoint": 4_000,  # pages: fewer, longer checkpoints cost less than SQLite's 1,000
}


def _refuse_damage(database: APSWDatabase, path: Path) -> None:
    found = findings_at_start(database.connection(), path)
    if found:
        raise StartError(f"The database {path} is damaged ({found[0]}). {ADVICE}")


def open_database(path: Path) -> APSWDatabase:
    """The database with its tables made. Raises StartError in a sentence when it cannot be used."""
    database = APSWDatabase(str(path), pragmas=_PRAGMAS, timeout=10)
    try:
        database.connect()
        version = database.execute_sql("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StartError(f"{path} was written by a newer BillBuddy. Install that version to open it.")
        if version:
            _refuse_damage(database, path)
        database.bind(ALL)
        if 0 < version < 2:  # until then the indexes of the mailboxes let a number be given twice
            for index in ("message_sender_id_sender_sequence", "message_receiver_id_receiver_sequence"):
                database.execute_sql(f"DROP INDEX IF EXISTS {index}")
        database.create_tables(ALL)
        hide_device_ids(database)
        database.execute_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except StartError:
        database.close()
        raise
    except (PeeweeException, apsw.Error, UnicodeDecodeError) as error:
        database.close()
        if isinstance(error, UnicodeDecodeError) or is_disk_failure(error):
            raise StartError(f"The database {path} is damaged ({error}). {ADVICE}") from error
        raise StartError(f"The database {path} cannot be used ({error}). Check its rights and the disk.") from error
    path.chmod(0o600)
    return database
