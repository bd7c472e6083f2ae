"""Every limit of the wire, each with its unit last in its name and its reason beside it."""

HEADER_BYTES = 32
BODY_BYTES_MAX = 65_536  # a sealed order is under 34 KiB; a page of history fits as well
BODY_BYTES_MAX_BEFORE_SIGN_IN = 2_048  # a stranger cannot make the server hold more than this
CHAT_BODY_BYTES_MAX = 16_384  # 4,000 characters of four bytes, the frame of the fields, and 362 bytes for newer fields
DEPTH_MAX = 16  # levels of a client's body; a reader of the page of a mailbox that quotes it needs four more
VALUES_MAX = 1_024  # values in a client's body with appended fields: reading past them must cost nobody much
TEXT_CHARS_MAX = 4_000  # about two printed pages; longer texts are files
NAME_CHARS_MAX = 64
PASSWORD_CHARS_MAX = 128  # Argon2id reads it all, so its length costs time
CODE_CHARS_MAX = 40
REASON_CHARS_MAX = 400
MESSAGE_ID_BYTES = 16
DEVICE_ID_BYTES = 16
SYNC_EVENTS_MAX = 500  # a page ends earlier, before the entry that would take it over BODY_BYTES_MAX
GROUPS_MAX = 200
CONTACTS_PER_PACKET_MAX = 75  # worst case of full-length names in four-byte characters stays under one body

SERVER_ID = 0  # receiver id of packets for the chat server itself
PAYMENT_ID = 1  # receiver id of packets for the payment subsystem
BILLER_ID_MIN = 100
BILLER_ID_MAX = 9_999
MEMBER_ID_MIN = 10_001  # QQ style: members are numbered from here up
ID_MAX = 2**63 - 1  # SQLite's integers are signed

KEEPALIVE_SECONDS = 30  # a signed-in client pings when it has sent nothing for this long
SILENCE_SECONDS_MAX = 90  # a signed-in peer that is silent for three keepalives is gone
SIGN_IN_SECONDS_MAX = 15  # from accept to a complete SignIn, TLS handshake included
DEFAULT_PORT = 7470
