"""Small things that a platform needs for its awards."""

import hashlib
import hmac


def evidence_of(secret, event):
    """The evidence of an event: an HMAC-SHA256 under a key that the platform keeps, so that nobody can guess events.

    Name the event by what it has of its own, the same in every system that may send it: `b"trip/4711"`.
    """
    return hmac.new(secret, event, hashlib.sha256).digest()


def points_of(quantity, factor):
    """The points of an award: `quantity` in thousandths of the unit, `factor` in micrograms of CO2e a unit."""
    return quantity * factor // 10**9
