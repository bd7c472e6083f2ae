"""Figures of a real server: each module measures one row of the README's tables and exposes `run() -> list[Figure]`."""
