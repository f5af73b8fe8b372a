"""Runs the chart's pods as processes: the arguments, variables and probes that it renders, with Secrets and volumes laid out as a kubelet
does it, by the user and group of the pod.

    unshare --net pod.py ARBORLOG HELM

A Secret's files are links to a folder that is replaced as a whole, of root and the pod's group, at the mode that the chart says. A volume
is given to the pod's group: what is in it, that group may write. Needs root and openssl.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
PORTS = {"http": 8080, "admin": 8090}


class Failed(Exception):
    """What did not hold."""


def run(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failed(f"{command[0]} {command[1]}: {done.stdout}{done.stderr}")
    return done.stdout


def render(helm: str, values: dict) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        text = run(helm, "template", "green", DEPLOY / "helm/arborlog", "--kube-version", "1.37.0", "-f", file.name)
    [found] = [one for one in yaml.safe_load_all(text) if one and one["kind"] == "StatefulSet"]
    return found["spec"]


def lay_out_secret(place: Path, volume: dict, content: dict[str, Path], group: int):
    """As a kubelet's atomic writer: NAME -> ..data/NAME, ..data -> a folder with a time in its name."""
    data = place / "..2026_11_28"
    data.mkdir(parents=True)
    (place / "..data").symlink_to(data.name)
    items = volume.get("items") or [{"key": key, "path": key} for key in content]
    for item in items:
        file = data / item["path"]
        file.parent.mkdir(exist_ok=True)
        shutil.copyfile(content[item["key"]], file)
        os.chown(file, 0, group)
        file.chmod(volume["defaultMode"])
        top = item["path"].split("/")[0]
        if not (place / top).is_symlink():
            (place / top).symlink_to(f"..data/{top}")


def give_to_group(place: Path, group: int):
    """As a kubelet does it by `fsGroup`."""
    for path in [place, *place.rglob("*")]:
        if path.is_symlink():
            continue
        os.chown(path, -1, group)
        path.chmod(path.stat().st_mode | (0o2770 if path.is_dir() else 0o660))


def probe(container: dict, which: str) -> int:
    asked = container[which]["httpGet"]
    context = ssl._create_unverified_context() if asked["scheme"] == "HTTPS" else None
    try:
        url = f"{asked['scheme'].lower()}://127.0.0.1:{PORTS[asked['port']]}{asked['path']}"
        return urllib.request.urlopen(url, timeout=3, context=context).status
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


def serve(program: Path, work: Path, spec: dict, secrets: dict[str, dict[str, Path]], ledger: Path | None) -> str:
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    group, user = pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsUser"]
    node = Path(tempfile.mkdtemp(dir=work))
    node.chmod(0o755)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    places = {}
    for mount in container["volumeMounts"]:
        place = node / mount["name"]
        places[mount["mountPath"]] = place
        volume = volumes.get(mount["name"], {})
        if "secret" in volume:
            lay_out_secret(place, volume["secret"], secrets[volume["secret"]["secretName"]], group)
            continue
        place.mkdir()
        if mount["name"] == "ledger":
            shutil.copytree(ledger, place / "log", symlinks=True)
            os.chown(place / "log", user, group)
            for path in (place / "log").rglob("*"):
                os.chown(path, user, group, follow_symlinks=False)
        give_to_group(place, group)

    def here(text: str) -> str:
        paths = "|".join(sorted(places, key=len, reverse=True))
        text = re.sub(rf"(^|=)({paths})(?=/|$)", lambda found: f"{found[1]}{places[found[2]]}", text)
        return text.replace("0.0.0.0:", "127.0.0.1:")

    # In a pod /keys is a folder of its own.
    if "/keys" in places and ledger:
        link = places["/ledger"] / "log/keys"
        if os.readlink(link) != "/keys":
            raise Failed("the ledger's keys are no link to /keys")
        link.unlink()
        link.symlink_to(places["/keys"])
    variables = {one["name"]: here(one["value"]) for one in container["env"] if "value" in one}
    # What Kubernetes knows of the pod, and puts in place of $(NAME).
    known = {one["name"]: f"{spec['serviceName']}-0" for one in container["env"] if "valueFrom" in one}
    variables = {
        name: re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], value) for name, value in variables.items()
    }
    variables["TMPDIR"] = str(places["/tmp"])
    as_user = ["setpriv", f"--reuid={user}", f"--regid={pod['securityContext']['runAsGroup']}", f"--groups={group}",
               "--no-new-privs", "--bounding-set=-all"]  # fmt: skip
    said = node / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*as_user, program, *map(here, container["args"])], env=variables, cwd="/", stdout=out, stderr=out
        )
    try:
        end = time.monotonic() + 40
        while any(probe(container, which) != 200 for which in ("startupProbe", "livenessProbe", "readinessProbe")):
            if process.poll() is not None or time.monotonic() > end:
                raise Failed(f"its probes are not answered with 200: {said.read_text()}")
            time.sleep(0.2)
        process.terminate()
        code = process.wait(timeout=pod["terminationGracePeriodSeconds"])
        if code:
            raise Failed(f"exit code {code} after SIGTERM: {said.read_text()}")
    finally:
        process.kill()
        process.wait()
    return f"{' '.join(container['args'])}: ready, and stopped"


def play(program: Path, helm: str, work: Path):
    governor = work / "governor.pem"
    run(program, "keygen", governor)
    common = ["--origin", "example.org/x", "--programme", "x", "--governor", governor]
    bucket = work / "bucket"
    run(program, "init", work / "shared", "--store", f"file://{bucket}", *common)
    run("chown", "-R", "65532:65532", bucket)
    run(program, "init", work / "disk", *common)
    run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=x",
        "-keyout", work / "tls.key", "-out", work / "tls.crt")  # fmt: skip
    secrets = {
        "ledger": {name: work / "shared" / name for name in ("origin", "log.vkey", "genesis.json", "store")}
        | {"log.pem": work / "shared/keys/log.pem"},
        "ledger-keys": {"log.pem": work / "disk/keys/log.pem"},
        "ledger-tls": {name: work / name for name in ("tls.crt", "tls.key")},
    }
    # As README.md has it copied into the volume.
    copy = work / "copy"
    shutil.copytree(work / "disk", copy)
    shutil.rmtree(copy / "keys")
    (copy / "keys").symlink_to("/keys")
    sets = {name: yaml.safe_load((DEPLOY / f"helm/sets/{name}.yaml").read_text()) for name in ("store", "disk", "writers")}
    for name, values in sets.items():
        tls, admin = {"tlsSecretName": "ledger-tls"}, {"adminPort": PORTS["admin"]}
        for more in ({}, tls, tls | admin):
            spec = render(helm, values | more)
            told = serve(program, work, spec, secrets, copy if values["kind"] == "disk" else None)
            print(f"{name}.yaml with {', '.join(more) or 'nothing more'}: {told}")


def main(given: str, helm: str):
    if os.getuid() != 0:
        sys.exit("pod: needs root, to be the pod's user")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        work.chmod(0o755)
        program = work / "arborlog"
        shutil.copy(given, program)
        try:
            play(program, helm, work)
        except Failed as failed:
            sys.exit(f"pod: {failed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
