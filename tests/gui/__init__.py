"""Tests of the windows on a virtual display."""
