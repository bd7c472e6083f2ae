"""The language that client, chat server and payment subsystem speak: bytes in, packets out.

Nothing here opens a socket, starts a thread, reads a clock or writes a log (see PROTOCOL.md).
"""
