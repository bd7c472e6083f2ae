"""The payment subsystem: its own process, the only holder of the private keys and of payment.db."""
