"""A faithful AWS for laptops and tests: `python -m localaws` serves it, `localaws.start()` does so from a test."""

from localaws.running import Running, start

__all__ = ["Running", "start"]
