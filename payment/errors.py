"""Errors of the subsystem, as a tree.

PaymentError
├── FolderError      the data folder cannot be used: its sentence says what to do
│   └── FolderInUse  another process works on it
├── OperatorError    an operator's command was refused: nothing was changed
└── OutcomeUnknown   a commit failed: whether it is on disk is not known, so the process must end
"""


class PaymentError(Exception):
    """Base. Its text is one sentence for the operator."""


class FolderError(PaymentError):
    """The data folder, a key file or the database is not fit for use."""


class FolderInUse(FolderError):
    """Another payment process holds the folder's lock."""


class OperatorError(PaymentError):
    """The command was refused. The sentence says whether money moved when money was asked for."""


class OutcomeUnknown(PaymentError):
    """The database failed during a commit; only a restart can tell what is on disk."""
