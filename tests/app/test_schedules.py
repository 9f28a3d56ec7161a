"""Flags that change by themselves, over HTTP: at the times of a clock that the test turns."""
