"""Runs compose.yaml's services as processes on this machine, and kills the one that leads.

    unshare --net cluster.py ARBORLOG WEED CADDY

Commands, variables, secrets, folders and health checks are those of compose.yaml; the image's are those of the Containerfile. Each
service has a loopback address of its own, in a network of its own, in place of its name. What only an engine for containers can do is
not looked at: the image, its read-only root, limits. Needs root, to be the user that compose.yaml names; without root it stays the user
that it is. SeaweedFS makes sockets in /tmp that have its ports' names: there, unlike in a container, they are shared with others, so its
ports are others for each run.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
SERVERS = ["north", "middle", "south"]
# Where writers.caddy listens here.
WRITERS = "127.0.0.8:8080"
# What docs/operations.md promises is 15 s; a machine under other load may be late.
LEADS_WITHIN_S = 30


class Failed(Exception):
    """What did not hold."""


class Cluster:
    def __init__(self, arborlog: str, weed: str, work: Path):
        self.arborlog, self.weed, self.work = arborlog, weed, work
        self.compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
        self.services = self.compose["services"]
        port = 20_000 + os.getpid() % 1_000 * 5
        # Those that compose.yaml names, and those that are SeaweedFS's own choice.
        self.store_ports = {"9333": port, "8333": port + 1}
        self.store_flags = [f"-master.port={port}", f"-volume.port={port + 2}", f"-filer.port={port + 3}"]
        self.addresses = {name: f"127.0.0.{2 + at}" for at, name in enumerate(["store", *SERVERS])}
        self.image = image_variables()
        self.running: dict[str, subprocess.Popen] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running.values():
            process.kill()
            process.wait()
        first = self.store_ports["9333"]
        for port in (*range(first, first + 5), *range(first + 10_000, first + 10_005)):
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink()

    def address(self, name: str) -> str:
        return f"http://{self.addresses[name]}:8080"

    def on_this_machine(self, name: str, text: str) -> str:
        """A string of a service, with places and names of this machine."""
        service = self.services[name]
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        for secret in service.get("secrets", []):
            file = self.compose["secrets"][secret]["file"]
            text = re.sub(rf"/run/secrets/{secret}\b", str(self.work / file), text)
        for volume in service.get("volumes", []):
            here, there = volume.split(":")[:2]
            text = re.sub(rf"(^|=){there}(?=/|$)", lambda found: found[1] + str(self.work / here), text)
        for other, address in self.addresses.items():
            text = re.sub(rf"(^-ip=|//|-master=){other}\b", rf"\g<1>{address}", text)
        for port, other in self.store_ports.items():
            text = re.sub(rf"(:|-s3.port=){port}\b", rf"\g<1>{other}", text)
        address = self.addresses.get(name, "127.0.0.1")
        text = text.replace("0.0.0.0", address).replace("http://127.0.0.1:", f"http://{address}:")
        text = text.replace("/usr/local/bin/arborlog", str(self.arborlog))
        return text.replace("/usr/local/lib/arborlog/", f"{DEPLOY}/container/")

    def command(self, name: str) -> tuple[list[str], dict[str, str]]:
        service = self.services[name]
        is_ours = "build" in service
        entry = service.get("entrypoint") or ([f"{DEPLOY}/container/entrypoint"] if is_ours else [])
        variables = dict(self.image if is_ours else {}) | service.get("environment", {})
        variables = {key: self.on_this_machine(name, str(value)) for key, value in variables.items()}
        variables |= {
            "PATH": f"{Path(self.weed).parent}:{os.environ['PATH']}",
            "ARBORLOG_PROGRAM": self.arborlog,
            "TMPDIR": str(self.work / "tmp"),
            "HOME": "/nonexistent",
        }
        arguments = [self.on_this_machine(name, part) for part in entry + service.get("command", [])]
        if name == "store":
            arguments += self.store_flags
        return as_user(service["user"]) + arguments, variables

    def start(self, name: str):
        arguments, variables = self.command(name)
        with (self.work / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                arguments, env=variables, cwd=self.work / "tmp", stdout=log, stderr=log
            )

    def run(self, name: str):
        arguments, variables = self.command(name)
        subprocess.run(arguments, env=variables, cwd=self.work / "tmp", check=True, timeout=900)

    def is_healthy(self, name: str) -> bool:
        kind, *test = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD", kind
        _, variables = self.command(name)
        test = [self.on_this_machine(name, part) for part in test]
        return subprocess.run(test, env=variables, capture_output=True, timeout=10).returncode == 0

    def wait_healthy(self, name: str, seconds: float):
        def healthy():
            if self.running[name].poll() is not None:
                raise Failed(f"{name} ended: {self.tail(name)}")
            return self.is_healthy(name)

        wait(healthy, seconds, lambda: f"{name} is not healthy: {self.tail(name)}")

    def tail(self, name: str) -> str:
        return (self.work / f"{name}.log").read_text()[-2000:]

    def leaders(self) -> list[str]:
        return [name for name in SERVERS if status(f"{self.address(name)}/readyz") == 200]

    def kill(self, name: str):
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> int:
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=60)


def as_user(user: str) -> list[str]:
    number, group = user.split(":")
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={number}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]


def image_variables() -> dict[str, str]:
    found = re.findall(r"^ENV (.*)$", (DEPLOY / "Containerfile").read_text(), re.M)
    return dict(pair.split("=", 1) for line in found for pair in line.split())


def status(url: str) -> int:
    try:
        return urllib.request.urlopen(url, timeout=3).status
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return 0


def wait(holds, seconds: float, what) -> float:
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise Failed(f"not within {seconds:.0f} s: {what()}")
        time.sleep(0.2)
    return time.monotonic() - begun


def check_shape(services: dict):
    """What a schema does not say: what leaves this machine, and with which rights."""
    for name, service in services.items():
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.get("user", "")):
            raise Failed(f"{name}: its user is no number, or root")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                raise Failed(f"{name}: port {port} is not on loopback")
        for rule in ("read_only", "cap_drop", "security_opt"):
            if not service.get(rule):
                raise Failed(f"{name}: no {rule}")
        if "profiles" not in service and "healthcheck" not in service:
            raise Failed(f"{name}: no health check")
        for variable in service.get("environment", {}):
            if re.search(r"SECRET|KEY", variable) and not variable.endswith("_FILE"):
                raise Failed(f"{name}: {variable} is no file")


def start_writers(cluster: Cluster, caddy: str):
    """The proxy of caddy/writers.caddy."""
    text = (DEPLOY / "caddy/writers.caddy").read_text().replace(":8080 {", f"http://:8080 {{\n\tbind {WRITERS.split(':')[0]}", 1)
    for name in SERVERS:
        text = text.replace(f"{name}:8080", f"{cluster.addresses[name]}:8080")
    (cluster.work / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    with (cluster.work / "caddy.log").open("ab") as log:
        cluster.running["caddy"] = subprocess.Popen(
            [caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile"], cwd=cluster.work, stdout=log, stderr=log,
            env=os.environ | {"HOME": str(cluster.work), "XDG_DATA_HOME": str(cluster.work), "XDG_CONFIG_HOME": str(cluster.work)})  # fmt: skip
    wait(lambda: status(f"http://{WRITERS}/readyz") == 200, 15, lambda: f"the proxy has no leader: {cluster.tail('caddy')}")


def grant(cluster: Cluster, holder: str, servers: str) -> str:
    """Has a governor grant a new key, by these servers; gives the key."""
    work, governor = cluster.work, cluster.work / "secrets/governor.pem"

    def run(*arguments) -> str:
        done = subprocess.run(
            [cluster.arborlog, *map(str, arguments)], capture_output=True, text=True, timeout=90
        )
        if done.returncode:
            raise Failed(f"arborlog {arguments[0]}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    # As root it may read the governor's key, whose owner is another.
    key = run("keygen", work / f"{holder}.pem")
    proposal = work / f"{holder}.json"
    run("grant", "--key", governor, "--out", proposal, "--from", servers, "--role", "platform",
        "--holder", holder, "--name", holder, "--grantee", key)  # fmt: skip
    run("endorse", proposal, "--key", work / f"{holder}.pem")
    run("submit", proposal, "--to", servers)
    return key


def size(cluster: Cluster, name: str) -> int:
    with urllib.request.urlopen(f"{cluster.address(name)}/checkpoint", timeout=3) as answer:
        return int(answer.read().split(b"\n")[1])


def play(cluster: Cluster, caddy: str):
    check_shape(cluster.services)
    (cluster.work / "tmp").mkdir()
    (cluster.work / "tmp").chmod(0o1777)
    subprocess.run([DEPLOY / "prepare", cluster.work], check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"ARBORLOG": cluster.arborlog})  # fmt: skip

    begun = time.monotonic()
    cluster.start("store")
    cluster.wait_healthy("store", 90)
    print(f"the store is healthy after {time.monotonic() - begun:.1f} s")
    cluster.run("bucket")
    begun = time.monotonic()
    cluster.run("begin")
    print(f"the ledger was begun, its probe included, in {time.monotonic() - begun:.1f} s")
    for name in SERVERS:
        cluster.start(name)
    for name in SERVERS:
        cluster.wait_healthy(name, 60)
    wait(cluster.leaders, LEADS_WITHIN_S, lambda: "nobody leads")
    every = ",".join(cluster.address(name) for name in SERVERS)
    keys = [grant(cluster, "before", every)]
    start_writers(cluster, caddy)

    [first] = cluster.leaders()
    before = size(cluster, first)
    cluster.kill(first)
    took = wait(cluster.leaders, LEADS_WITHIN_S, lambda: f"nobody leads after {first} was killed")
    [second] = cluster.leaders()
    print(f"{first} was killed, {second} led {took:.1f} s later")
    keys.append(grant(cluster, "after", every))
    took = wait(lambda: status(f"http://{WRITERS}/readyz") == 200, 15, lambda: "the proxy does not find who leads")
    keys.append(grant(cluster, "proxied", f"http://{WRITERS}"))
    print(f"the proxy for writers has found it, {took:.1f} s later, and records go through it")
    after = size(cluster, second)
    if after <= before:
        raise Failed(f"the log had {before} entries, and has {after}")

    # An engine starts what was killed again (`restart`). It follows, and has both grants.
    cluster.start(first)
    cluster.wait_healthy(first, 60)
    for key in keys:
        wait(lambda: status(f"{cluster.address(first)}/v1/issuers/{key}") == 200, 20,
             lambda: f"{first} does not have what was answered")  # fmt: skip
    if cluster.leaders() != [second]:
        raise Failed(f"lead: {cluster.leaders()}, where {second} did")
    cluster.kill("caddy")
    codes = {name: cluster.stop(name) for name in SERVERS}
    if set(codes.values()) != {0}:
        raise Failed(f"exit codes after SIGTERM: {codes}")
    arguments, variables = cluster.command(first)
    at = arguments.index("serve")
    subprocess.run(arguments[:at] + ["fsck", arguments[at + 1]], env=variables, check=True, timeout=120)
    cluster.stop("store")


def main(arborlog: str, weed: str, caddy: str):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    work = Path(tempfile.mkdtemp())
    work.chmod(0o755)
    # Another user runs it, who may not come through the folders of this one.
    here = work / "arborlog"
    shutil.copy(arborlog, here)
    try:
        with Cluster(str(here), str(Path(weed).absolute()), work) as cluster:
            play(cluster, caddy)
    except (Failed, subprocess.SubprocessError) as failed:
        sys.exit(f"cluster: {failed}")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
