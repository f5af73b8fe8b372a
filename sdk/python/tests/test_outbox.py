"""The outbox alone: what its transactions cost, and what two processes see of it."""

import pathlib
import sqlite3
import tempfile
import unittest

from ledger import arborlog, award
from arborlog.outbox import Head

ISSUER = bytes(32)
CHECKPOINT = "example.org/ledger\n{}\n" + "A" * 43 + "=\n\n"


class Costs(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path, self.steps = pathlib.Path(scratch.name) / "app.db", 0
        self.outbox = arborlog.Outbox(self.connect, ISSUER)
        self.outbox.begin(Head("example.org/ledger", 0, bytes(32), 0, CHECKPOINT.format(1)))

    def connect(self):
        db = sqlite3.connect(self.path)
        db.set_progress_handler(self.count, 1000)
        return db

    def count(self):
        self.steps += 1

    def put(self, events):
        db = self.connect()
        with db:
            for event in events:
                self.outbox.put(db, award(event))
        db.close()

    def settle(self, seq):
        """Signs a hundred statements, and notes that they are in; gives what that cost, in thousands of steps."""
        before = self.steps
        record = bytes(32) + seq.to_bytes(8, "big") + bytes(32 + 4) + b"\0\0\0\x10" + bytes(36)
        message = self.outbox.sign_next(lambda *_: (record, bytes(32), bytes(64)), 100, 1 << 20)
        self.outbox.admitted(message, 100 * seq, CHECKPOINT.format(2 + seq))
        return self.steps - before

    def test_a_message_costs_the_same_however_much_waits(self):
        self.put(range(200))
        alone = self.settle(0)
        self.put(range(200, 5_200))
        self.assertLess(self.settle(1), 2 * alone + 5)


if __name__ == "__main__":
    unittest.main()
