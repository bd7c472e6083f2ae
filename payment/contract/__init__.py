"""What the client and the payment subsystem agree on, and nothing else: money, messages, keys, sealing, receipts."""
