"""Looks at the systemd unit without systemd running: what systemd-analyze says of the file, whether its filter of system calls lets the
server do what it does, whether the exit codes that it does not restart are the program's, and which key files as systemd would make them
are taken.

    unshare --net unit.py ARBORLOG

Needs strace; and root, to be another user than a key's owner.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

UNIT = Path(__file__).resolve().parent.parent / "systemd/arborlog.service"
# What systemd-analyze says at most, from 0 (no exposure) to 100.
EXPOSURE_MAX = 15
USER = 65532
LISTEN = "127.0.0.1:8080"


class Failed(Exception):
    """What did not hold."""


def check(holds, what: str):
    if not holds:
        raise Failed(what)


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


def setting(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.M)


def check_file(program: Path, work: Path):
    """The unit, with a program and a user that this machine has."""
    copy = work / "arborlog.service"
    text = UNIT.read_text().replace("/usr/local/bin/arborlog", str(program)).replace("User=arborlog", "User=daemon")
    copy.write_text(text)
    verified = run("systemd-analyze", "verify", "--man=no", copy)
    about = [line for line in verified.stderr.splitlines() if "arborlog.service" in line]
    check(verified.returncode == 0 and not about, f"systemd-analyze verify: {verified.stderr}")
    # The check itself finds what is wrong.
    copy.write_text(text.replace("Restart=on-failure", "Restart=sometimes"))
    found = run("systemd-analyze", "verify", "--man=no", copy).stderr
    check("sometimes" in found, f"systemd-analyze verify takes Restart=sometimes: {found}")
    copy.write_text(text)
    security = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", copy)
    level = re.search(r"Overall exposure level.*", security.stdout)
    check(security.returncode == 0 and level, f"systemd-analyze security: {security.stdout[-300:]}{security.stderr}")
    print(level[0])


def allowed_calls() -> set[str]:
    """Those of SystemCallFilter=, as systemd-analyze tells its groups."""
    allowed: set[str] = set()
    for line in setting("SystemCallFilter"):
        names = set()
        for group in line.lstrip("~").split():
            shown = run("systemd-analyze", "syscall-filter", group).stdout
            todo = re.findall(r"^\s+(@?\w[\w-]*)$", shown, re.M)
            while todo:
                name = todo.pop()
                if name.startswith("@"):
                    todo += re.findall(r"^\s+(@?\w[\w-]*)$", run("systemd-analyze", "syscall-filter", name).stdout, re.M)
                else:
                    names.add(name)
        allowed = allowed - names if line.startswith("~") else allowed | names
    check({"openat", "fdatasync"} <= allowed and "reboot" not in allowed, "the filter was not read")
    return allowed


def serve(program: Path, work: Path, *arguments, prefix=(), user=True, variables=None) -> tuple[int, str]:
    """Serves until it is ready, then stops; the exit code, and what was said."""
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if user else []
    command = [*prefix, *as_user, program, "serve", *arguments, "--listen", LISTEN]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": "/nonexistent"} | (variables or {})
    with (work / "said").open("w+") as said:
        process = subprocess.Popen(list(map(str, command)), env=environment, cwd=work, stdout=said, stderr=said)
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            if "listening on" in (work / "said").read_text():
                for path in ("/readyz", "/checkpoint", "/metrics", "/", "/v1/totals"):
                    urllib.request.urlopen(f"http://{LISTEN}{path}", timeout=10).read()
                # strace passes no signal on to what it started.
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(children[0]) if children and prefix else process.pid, 15)
                break
            time.sleep(0.1)
        code = process.wait(timeout=60)
        return code, (work / "said").read_text()


def make_ledger(program: Path, work: Path) -> Path:
    governor = work / "governor.pem"
    if not governor.exists():
        check(run(program, "keygen", governor).returncode == 0, "keygen")
    folder = work / "ledger"
    done = run(program, "init", folder, "--origin", "example.org/x", "--programme", "x", "--governor", governor)
    check(done.returncode == 0, done.stderr)
    run("chown", "-R", f"{USER}:{USER}", folder)
    return folder


def check_calls(program: Path, work: Path, ledger: Path):
    trace = work / "trace"
    code, said = serve(program, work, ledger, prefix=["strace", "-f", "-o", trace], user=False)
    check(code == 0 and trace.exists(), f"under strace: {code}: {said}")
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    check({"openat", "accept4", "fdatasync"} <= made, f"strace saw too little: {sorted(made)}")
    refused = made - allowed_calls()
    check(not refused, f"the unit's filter would end the server at {', '.join(sorted(refused))}")
    print(f"{len(made)} system calls of a start, requests and a stop, all of them allowed")
    run("chown", "-R", f"{USER}:{USER}", ledger)


def check_codes(program: Path, work: Path, ledger: Path):
    """Each code that ends the restarts, and the one that does not."""
    never_again = {int(code) for code in setting("RestartPreventExitStatus")[0].split()}
    # Stopped cleanly, it has signed more than the copy from before.
    old = work / "old"
    shutil.copytree(ledger, old)
    run("chown", "-R", f"{USER}:{USER}", old)
    running = subprocess.Popen([program, "serve", ledger, "--listen", LISTEN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url, key = f"http://{LISTEN}", work / "platform.pem"
    end = time.monotonic() + 30
    try:
        while time.monotonic() < end and run(program, "key", work / "governor.pem") and not reachable():
            time.sleep(0.2)
        grantee = run(program, "keygen", key).stdout.strip()
        proposal = work / "grant.json"
        for command in (
            ["grant", "--key", work / "governor.pem", "--out", proposal, "--from", url, "--role", "platform",
             "--holder", "app", "--name", "App", "--grantee", grantee],
            ["endorse", proposal, "--key", key],
            ["submit", proposal, "--to", url],
        ):  # fmt: skip
            done = run(program, *command)
            check(done.returncode == 0, f"{command[0]}: {done.stderr}")
        checkpoint = work / "newest"
        checkpoint.write_bytes(urllib.request.urlopen(f"{url}/checkpoint", timeout=10).read())
    finally:
        running.terminate()
        running.wait()
    run("chown", "-R", f"{USER}:{USER}", ledger)
    (work / "no-checkpoint").write_text("x\n")
    (work / "no-checkpoint").chmod(0o644)
    checkpoint.chmod(0o644)
    cases = {
        1: serve(program, work, old, "--at-least", checkpoint),
        2: serve(program, work, old, "--body-bytes", "many"),
        3: serve(program, work, work / "nothing"),
        4: serve(program, work, old, "--at-least", work / "no-checkpoint"),
    }
    for wanted, (code, said) in cases.items():
        check(code == wanted, f"exit code {code}, not {wanted}: {said}")
    check(never_again == {1, 2, 4}, f"RestartPreventExitStatus: {never_again}")
    print("an old copy ends with 1, wrong use with 2, a missing ledger with 3, no checkpoint with 4; 3 is tried again")


def reachable() -> bool:
    try:
        return urllib.request.urlopen(f"http://{LISTEN}/readyz", timeout=2).status == 200
    except OSError:
        return False


def allow_by_list(path: Path, user: int):
    """What systemd does to a credential where the file system has access lists: its owner is root, and the user may read it too."""
    undefined, reads = 0xFFFF_FFFF, 4
    entries = [(0x01, reads, undefined), (0x02, reads, user), (0x04, 0, undefined), (0x10, reads, undefined), (0x20, 0, undefined)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", packed)


def check_credentials(program: Path, work: Path, ledger: Path):
    """As deploy/README.md tells it: a file of the user itself is taken, and one of root with an access list if it is where systemd
    says that credentials are, and nowhere else."""
    folder = work / "credentials"
    folder.mkdir()
    folder.chmod(0o755)
    key, credential = ledger / "keys/log.pem", folder / "log.pem"
    shutil.copy(key, credential)
    key.unlink()
    key.symlink_to(credential)
    os.chown(credential, USER, USER)
    credential.chmod(0o400)
    code, said = serve(program, work, ledger)
    check(code == 0, f"a key of the user's own, mode 0400, is refused: {said}")
    os.chown(credential, 0, 0)
    allow_by_list(credential, USER)
    check(credential.stat().st_mode & 0o777 == 0o440, "the access list does not show")
    reads = run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "cat", credential)
    check(reads.returncode == 0, "the user can't read it at all")
    code, said = serve(program, work, ledger)
    wanted = f"arborlog: {key} can be read by others (mode 440); run: chmod 600 {key}"
    check(code == 3 and wanted in said, f"exit code {code}: {said} -- deploy/README.md says otherwise")
    code, said = serve(program, work, ledger, variables={"CREDENTIALS_DIRECTORY": str(folder)})
    check(code == 0, f"a credential of root with an access list is refused: {said}")
    elsewhere = work / "elsewhere"
    elsewhere.mkdir()
    code, said = serve(program, work, ledger, variables={"CREDENTIALS_DIRECTORY": str(elsewhere)})
    check(code == 3 and wanted in said, f"a key that is no credential: exit code {code}: {said}")
    print("a key by LoadCredential= is taken, as a file of the user and as one of root with an access list; elsewhere the latter is refused")


def main(given: str):
    if os.getuid() != 0:
        sys.exit("unit: needs root, to be the server's user")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o777)
        program = work / "arborlog"
        shutil.copy(given, program)
        try:
            check_file(program, work)
            ledger = make_ledger(program, work)
            check_calls(program, work, ledger)
            check_codes(program, work, ledger)
            check_credentials(program, work, ledger)
        except Failed as failed:
            sys.exit(f"unit: {failed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
