"""The chat server: routes and stores chat, and forwards sealed orders that it cannot read."""
