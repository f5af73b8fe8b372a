"""Renders the chart by each set of values in ../helm/sets, validates what comes out, and looks at what no schema says.

    chart.py HELM KUBERNETES_VALIDATE
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
CHART = DEPLOY / "helm/arborlog"
# The oldest that Chart.yaml allows and that has schemas here, and the newest.
VERSIONS = ["1.29.0", "1.37.0"]
# Values that must be refused, and what the refusal names.
REFUSED = [
    ({}, "secretName"),
    ({"secretName": "keys", "kind": "both"}, "kind"),
    ({"secretName": "keys", "store": {"replicas": 0}}, "replicas"),
    ({"secretName": "keys", "unknown": 1}, "unknown"),
    ({"secretName": "keys", "user": 0}, "user"),
    ({"secretName": "keys", "store": {"variables": {"AWS_SECRET_ACCESS_KEY": "x"}}}, "AWS_SECRET_ACCESS_KEY"),
    ({"secretName": "keys", "image": {"digest": "latest"}}, "digest"),
    ({"secretName": "keys", "probes": {"readiness": "/"}}, "readiness"),
    ({"secretName": "keys", "adminPort": 8080}, "adminPort"),
    ({"secretName": "keys", "sweep": {"enabled": True}}, "sweep"),
    ({"secretName": "keys", "trustedProxies": ["proxy.example.org"]}, "trustedProxies"),
]


def run(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check(name: str, holds: bool, what: str):
    if not holds:
        sys.exit(f"chart, values {name}: {what}")


def check_rights(name: str, pod: dict):
    [container] = pod["containers"]
    own, shared = container["securityContext"], pod["securityContext"]
    check(name, shared["runAsNonRoot"] and shared["runAsUser"] > 0 and shared["fsGroup"] == shared["runAsGroup"], "user")
    check(name, shared["seccompProfile"]["type"] == "RuntimeDefault", "seccomp")
    check(name, own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"], "rights of the container")
    check(name, own["capabilities"]["drop"] == ["ALL"], "capabilities")
    check(name, not pod["automountServiceAccountToken"], "the cluster's token is mounted")
    for volume in pod["volumes"]:
        check(name, volume.get("secret", {"defaultMode": 0o440})["defaultMode"] == 0o440, "a secret's mode")


def check_servers(name: str, values: dict, stateful: dict):
    pod = stateful["spec"]["template"]["spec"]
    [container] = pod["containers"]
    check_rights(name, pod)
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in stateful["spec"].get("volumeClaimTemplates", [])}
    check(name, mounted == {volume["name"] for volume in pod["volumes"]} | claims, "volumes and mounts differ")
    is_disk = values["kind"] == "disk"
    check(name, (stateful["spec"]["replicas"] == 1) == is_disk, "a ledger on a disk has one server, and no other has")
    check(name, ("ledger" in claims) == is_disk, "the ledger's volume")
    if values.get("disk", {}).get("maintenance"):
        check(name, "livenessProbe" not in container and container["command"][0] == "sleep", "maintenance serves")
        return
    check(name, container["livenessProbe"]["httpGet"]["path"] == "/healthz", "liveness")
    wanted = values.get("probes", {}).get("readiness", "/healthz")
    check(name, container["readinessProbe"]["httpGet"]["path"] == wanted, "readiness")
    rolls = stateful["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    check(name, rolls == (wanted == "/healthz"), "an update that waits for followers to lead")
    port = values.get("adminPort", 0)
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    check(name, {probe["port"] for probe in probes} == {"admin" if port else "http"}, "the port of the probes")
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    check(name, ports == {"http": 8080} | ({"admin": port} if port else {}), "ports")
    listens = {one["name"]: one.get("value") for one in container["env"]}
    check(name, listens.get("ARBORLOG_ADMIN_LISTEN") == (f"0.0.0.0:{port}" if port else None), "the address for metrics")
    if values.get("tlsSecretName") and port:
        check(name, {probe["scheme"] for probe in probes} == {"HTTP"}, "probes speak TLS to an address without it")
    ends = pod["terminationGracePeriodSeconds"]
    check(name, ends > 40, "it is killed before its callers are answered")


def main(helm: str, validate: str):
    for file in sorted((DEPLOY / "helm/sets").glob("*.yaml")):
        run(helm, "lint", "--strict", "--quiet", "--kube-version", VERSIONS[-1], CHART, "-f", file)
        for version in VERSIONS:
            text = run(helm, "template", "green", CHART, "--namespace", "trees", "--kube-version", version, "-f", file)
            documents = [document for document in yaml.safe_load_all(text) if document]
            # Kinds of the Prometheus operator have no schema here.
            ours = [one for one in documents if not one["apiVersion"].startswith("monitoring.coreos.com/")]
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
                yaml.safe_dump_all(ours, out)
                run(validate, "--strict", "--quiet", "-k", version, out.name)
        kinds = [document["kind"] for document in documents]
        check(file.name, "Secret" not in kinds, "the chart makes a Secret")
        [stateful] = [document for document in documents if document["kind"] == "StatefulSet"]
        check_servers(file.name, yaml.safe_load(file.read_text()), stateful)
        for job in (document for document in documents if document["kind"] == "CronJob"):
            template = job["spec"]["jobTemplate"]["spec"]["template"]
            check_rights(file.name, template["spec"])
            selected = stateful["spec"]["selector"]["matchLabels"].items()
            check(file.name, not selected <= template["metadata"]["labels"].items(), "Services send to the sweep")
        for rule in (document for document in documents if document["kind"] == "PrometheusRule"):
            alerts = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
            check(file.name, rule["spec"] == alerts, "the rules are not those of prometheus/alerts.yaml")
        print(f"{file.name}: {', '.join(kinds)}; {len(ours)} valid for {', '.join(VERSIONS)}")
    for values, word in REFUSED:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
            yaml.safe_dump(values, out)
            out.flush()
            done = subprocess.run(
                [helm, "template", "green", CHART, "--kube-version", VERSIONS[-1], "-f", out.name],
                capture_output=True, text=True)  # fmt: skip
        check(str(values), done.returncode != 0 and word in done.stderr, f"not refused for {word}: {done.stderr}")
    print(f"{len(REFUSED)} sets of wrong values are refused by the schema")


if __name__ == "__main__":
    main(*sys.argv[1:])
