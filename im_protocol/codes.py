"""Refusal codes. A code is for programs and never changes; the sentence beside it is for people."""

# The stream itself is broken; the connection is closed after the refusal.
BAD_MAGIC = "bad_magic"
BAD_VERSION = "bad_version"
BAD_HEADER = "bad_header"
BODY_TOO_LARGE = "body_too_large"
TOO_SLOW = "too_slow"
TOO_MANY_CONNECTIONS = "too_many_connections"

# One packet is wrong; the connection stays, except before sign-in.
UNKNOWN_TYPE = "unknown_type"
BAD_BODY = "bad_body"
BAD_REQUEST_ID = "bad_request_id"  # 0 on a packet that has an answer: there would be no telling whose answer it is
NOT_NOW = "not_now"  # right type, wrong state (for example anything before SignIn)
FORGED_SENDER = "forged_sender"
NO_SUCH_MEMBER = "no_such_member"
MESSAGE_ID_USED = "message_id_used"  # another message of the same sender has this id; this one is not stored
RATE_LIMITED = "rate_limited"
SERVER_ERROR = "server_error"
MAILBOX_CHANGED = "mailbox_changed"  # the mailbox is not the one that the device knows: an older copy was put back

# Signing in.
WRONG_PASSWORD = "wrong_password"
UNKNOWN_MEMBER = "unknown_member"
SIGNED_IN_ELSEWHERE = "signed_in_elsewhere"

# Relaying to the payment subsystem.
PAYMENT_AWAY = "payment_away"  # never reached the subsystem: nothing was charged
OUTCOME_UNKNOWN = "outcome_unknown"  # reached it, no answer yet: ask again by payment id
BAD_SEAL = "bad_seal"  # the subsystem could not open the order, for whatever reason: nothing was charged
