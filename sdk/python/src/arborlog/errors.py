"""What can go wrong, each with one of the four outcomes that every part of arborlog tells apart.

`wrong_use`: the call can't be meant as it stands. `unchecked`: nothing was found wrong, and nothing could be
finished; try again. `false`: something that was signed, acknowledged or stored contradicts something else.
"""


class ArborlogError(Exception):
    """The base of all errors here: a stable `code`, a sentence, and what to do."""

    outcome = "wrong_use"

    def __init__(self, code, what, advice=""):
        super().__init__(f"{what}: {advice}" if advice else what)
        self.code, self.what, self.advice = code, what, advice


class StatementError(ArborlogError):
    """A statement breaks a limit of docs/format.md. `where` is the field, such as `place.points[3].latitude`."""

    def __init__(self, where, what):
        super().__init__("statement_malformed", f"{where}: {what}", "")
        self.where = where


class OutboxError(ArborlogError):
    """The outbox was asked for what it can't do, such as another statement under a name that is taken."""


class Unanswered(ArborlogError):
    """No address gave an answer in time. What was signed stays in the outbox, and is sent again as it is."""

    outcome = "unchecked"


class NotVerified(ArborlogError):
    """A checkpoint could not be verified with the key that was given; that says nothing against the log."""

    outcome = "unchecked"


class KeyRefused(ArborlogError):
    """The ledger does not take this key: it has no role (yet), expired, or was revoked. Nothing was noted as refused."""

    outcome = "unchecked"


class RequestRefused(ArborlogError):
    """The server refused a request as such: a wrong address, a wrong origin, or a fault in this package."""


class LogFault(ArborlogError):
    """The log contradicts what it acknowledged. `kept` and `shown` are the two checkpoints, or None: keep them."""

    outcome = "false"

    def __init__(self, code, what, kept=None, shown=None):
        super().__init__(code, what, "tell the operator, and keep both checkpoints")
        self.kept, self.shown = kept, shown


class AnotherWriter(ArborlogError):
    """The log has records of this key that the outbox does not know.

    Something else signs with the key, or the outbox's database was put back from an older copy. Nothing was sent.
    """

    outcome = "false"

    def __init__(self, seq, next_seq):
        super().__init__(
            "another_writer",
            f"the log has records of this key from seq {seq} to {next_seq - 1} that this outbox does not know",
            "make sure that nothing else signs with this key, then call recover()",
        )
        self.seq, self.next_seq = seq, next_seq
