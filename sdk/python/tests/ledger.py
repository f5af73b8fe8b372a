"""A real ledger for tests: governors, a platform's key, a method, and a server that can be killed and put back."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(ROOT / "sdk" / "python" / "src"))

import arborlog  # noqa: E402

PROGRAM = os.environ.get("ARBORLOG", "arborlog")
COMMAND_S, START_S = 60, 60
METHOD = {
    "id": 1, "version": 1, "effective_from": "2026-01-01",
    "activities": [{"code": 1, "name": "metro ride", "unit": "ride", "factor": 52000000, "cap": 520}],
    "species": [{"code": 1, "name": "Haloxylon ammodendron", "price": 300}],
    "baseline": "an average car", "sources": "a table", "jurisdiction": "here", "document": "00" * 32,
}
ACCOUNT = "11" * 32


def award(event, **changes):
    """An award of 104 points for an event of this name."""
    return {
        "kind": "award", "account": ACCOUNT, "method": 1, "version": 1, "activity": 1, "quantity": 2000, "points": 104,
        "occurred_on": "2026-03-01", "evidence": hashlib.sha256(str(event).encode()).digest(), **changes,
    }


class Ledger:
    """A ledger in a folder, served on a port of loopback that stays the same."""

    def __init__(self):
        self._scratch = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._scratch.name)
        self.key = arborlog.Key.generate()
        self.key.save_new(self.path / "app.pem")
        self._process, self.port = None, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command("keygen", "north.pem")
        self.command("init", "ledger", "--origin", "example.org/ledger", "--programme", "Rides", "--governor", "north.pem")
        self.log = (self.path / "ledger" / "log.vkey").read_text().strip()
        self.start()
        self.grant("app.pem", self.key, "platform", "green-app", "Green App")
        (self.path / "method.json").write_text(json.dumps(METHOD))
        self.propose("method", "--file", "method.json")

    def command(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.path, capture_output=True, text=True, timeout=COMMAND_S)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def propose(self, *arguments, endorse=None):
        out = f"{arguments[0]}.proposal"
        self.command(*arguments, "--key", "north.pem", "--out", out, "--from", self.url)
        if endorse:
            self.command("endorse", out, "--key", endorse)
        self.command("submit", out, "--to", self.url)
        (self.path / out).unlink()

    def grant(self, file, key, role, holder, name):
        self.propose("grant", "--grantee", key.public.hex(), "--role", role, "--holder", holder, "--name", name, endorse=file)

    def another_key(self, file, role, holder, name):
        key = arborlog.Key.generate()
        key.save_new(self.path / file)
        self.grant(file, key, role, holder, name)
        return key

    def start(self):
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "ledger", "--listen", f"127.0.0.1:{self.port}"], cwd=self.path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(self.url + "/readyz", timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server did not start")

    def stop(self, how=signal.SIGTERM):
        if self._process:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def copy(self, name):
        """A copy of the stopped ledger, as a backup would be."""
        shutil.copytree(self.path / "ledger", self.path / name)

    def put_back(self, name):
        shutil.rmtree(self.path / "ledger")
        (self.path / name).rename(self.path / "ledger")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def size(self):
        with urllib.request.urlopen(self.url + "/checkpoint", timeout=10) as answer:
            return int(answer.read().split(b"\n")[1])

    def evidence(self):
        """The evidence of every award in the log, in order."""
        entries = (self.get(f"/v1/entries/{index}") for index in range(self.size()))
        said = [entry.get("statement") or {} for entry in entries]
        return [statement["evidence"] for statement in said if statement.get("kind") == "award"]

    def close(self):
        self.stop(signal.SIGKILL)
        self._scratch.cleanup()


class Platform:
    """A platform's database with an outbox in it, and a sender."""

    def __init__(self, ledger, name="app.db", addresses=None, key=None, **options):
        self.ledger, self.path, key = ledger, ledger.path / name, key or ledger.key
        self.outbox = arborlog.Outbox(self.connect, key.public)
        options = {"patience_s": 20, "log": ledger.log} | options
        self.sender = arborlog.Sender(self.outbox, key, addresses or ledger.url, **options)

    def connect(self):
        return sqlite3.connect(self.path)

    def put(self, *statements):
        db = self.connect()
        with db:
            ids = [self.outbox.put(db, statement) for statement in statements]
        db.close()
        return ids


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class CuttingProxy:
    """Hands each connection on. Of the first `cuts` posts it hands on the request, and cuts the answer."""

    def __init__(self, port, cuts):
        self._to, self.cuts, self.posts = port, cuts, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self._to), timeout=10) as server:
            client.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65_536)
            head, _, body = request.partition(b"\r\n\r\n")
            lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            while len(body) < int((lengths or [b"0"])[0]):
                body += client.recv(65_536)
            server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"\r\n\r\n" + body)
            answer = b""
            while part := server.recv(65_536):
                answer += part
            self.posts += head.startswith(b"POST")
            cut = head.startswith(b"POST") and self.posts <= self.cuts
            client.sendall(answer[: len(answer) // 2] if cut else answer)

    def close(self):
        self._listener.close()
