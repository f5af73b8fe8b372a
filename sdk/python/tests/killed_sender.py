"""A sender that kills itself (SIGKILL) while its first batch is on the way: before, within or after the request."""

import os
import signal
import sqlite3
import sys

from ledger import arborlog, award
from arborlog.transport import HttpTransport

path, key_file, url, log, moment = sys.argv[1:]
key = arborlog.Key.load(key_file)
outbox = arborlog.Outbox(lambda: sqlite3.connect(path), key.public)
db = sqlite3.connect(path)
with db:
    for event in range(20):
        outbox.put(db, award(f"{moment} {event}"))
db.close()


def transport(method, *rest):
    posting = method == "POST"
    if posting and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = HttpTransport()(method, *rest)
    if posting and moment == "within":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


if moment == "after":
    # The answer was read and proven, and is not noted yet.
    outbox.admitted = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
arborlog.Sender(outbox, key, url, log=log, transport=transport).send()
