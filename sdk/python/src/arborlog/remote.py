"""A ledger's server, at one address or several: the same bytes again elsewhere, until there is an answer or no time."""

import base64
import binascii
import json
import re
import time

from .errors import RequestRefused, Unanswered
from .transport import HttpTransport

ATTEMPT_S = 5.0
PATIENCE_S = 60.0
PAUSE_MAX_S = 2.0
# What another attempt may cure. Any other status is an answer.
PASSING = frozenset((408, 425, 429))


class Remote:
    """Asks the addresses in turn, beginning with the one that answered last."""

    def __init__(self, addresses, transport=None, attempt_s=ATTEMPT_S, patience_s=PATIENCE_S, clock=time.monotonic,
                 sleep=time.sleep):
        addresses = [addresses] if isinstance(addresses, str) else list(addresses)
        if not addresses or not all(address.startswith(("http://", "https://")) for address in addresses):
            raise RequestRefused("address_malformed", f"{addresses!r}: an address begins with https:// or http://")
        self._addresses = [address.rstrip("/") for address in addresses]
        self._transport = transport or HttpTransport()
        self._attempt_s, self._patience_s, self._clock, self._sleep = attempt_s, patience_s, clock, sleep
        self._deadline = clock() + patience_s

    @property
    def places(self):
        """How many addresses there are."""
        return len(self._addresses)

    def begin(self):
        """From now on there is the whole patience again."""
        self._deadline = self._clock() + self._patience_s

    def turn(self):
        """Asks another address first from now on: this one lags."""
        self._addresses.append(self._addresses.pop(0))

    def ask(self, method, path, content_type=None, body=None):
        """Status and body of the first answer that is one."""
        pause, tries, why = 0.1, 0, "no attempt was made"
        while True:
            left = self._deadline - self._clock()
            if left <= 0:
                raise Unanswered("unanswered", f"no address answered in time, the last one with: {why}", "try again later")
            try:
                status, data = self._transport(
                    method, self._addresses[0] + path, content_type, body, min(self._attempt_s, left)
                )
                if status < 500 and status not in PASSING:
                    return status, data
                why = f"status {status}, {problem_of(data).get('code', 'no code')}"
            except OSError as error:
                why = f"{type(error).__name__}: {error}"
            self.turn()
            tries += 1
            if tries % len(self._addresses) == 0:
                self._sleep(max(0.0, min(pause, self._deadline - self._clock())))
                pause = min(2 * pause, PAUSE_MAX_S)

    def json(self, path):
        """The JSON object at a path, or None where there is no such thing (404)."""
        status, data = self.ask("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise refused(status, data)
        return json_object(data)

    def bytes(self, path):
        """The bytes at a path."""
        status, data = self.ask("GET", path)
        if status != 200:
            raise refused(status, data)
        return data

    def checkpoint(self):
        """The newest commit's checkpoint. Where a policy is in force, what stands at /checkpoint is older: it waits for
        cosignatures. A server that has no such address has the newest at /checkpoint."""
        status, data = self.ask("GET", "/v1/checkpoint")
        if status == 404:
            data = self.bytes("/checkpoint")
        elif status != 200:
            raise refused(status, data)
        return data.decode("utf-8", "replace")


def problem_of(data):
    """A problem document, or {} for what is none."""
    try:
        problem = json.loads(data)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def refused(status, data):
    problem = problem_of(data)
    code = problem.get("code") or f"status_{status}"
    return RequestRefused(str(code), f"{problem.get('detail') or f'status {status}'}", str(problem.get("advice") or ""))


def json_object(data):
    value = problem_of(data)
    if not value:
        raise _malformed("the answer is no JSON object")
    return value


def whole(value, what):
    """A number of an answer that an index, a size or a seq can be."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise _malformed(f"{what} is {value!r}")
    return value


def hash_of(value, what):
    """32 bytes that an answer has in hexadecimal."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise _malformed(f"{what} is {value!r}")
    return bytes.fromhex(value)


def hashes_of(answer):
    """The hashes of a proof."""
    found = answer.get("hashes")
    if not isinstance(found, list):
        raise _malformed("a proof has no hashes")
    return [decoded(one) for one in found]


def _malformed(what):
    return RequestRefused("answer_malformed", what, "is the address that of a ledger's server?")


def decoded(value):
    """The bytes of base64 in an answer."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise _malformed("a part of the answer is no base64") from None
