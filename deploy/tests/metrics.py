"""Holds the alert rules and the dashboard to a server that runs and a Prometheus that scrapes it.

    unshare --net metrics.py ARBORLOG PROMETHEUS

Each metric, label, route and code that they name exists; each metric of the server is on the dashboard, or left out below with a reason;
each query of the dashboard gives something; each alert has a test of when it comes and of when it does not, and a runbook.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
ROOT = DEPLOY.parent
SERVER, PROMETHEUS = "127.0.0.1:8081", "127.0.0.1:9090"
# Metrics of the server that the dashboard does not show, with the reason. None now.
LEFT_OUT: dict[str, str] = {}
# Metrics that are not a number here, with the reason. tests/operating.rs has a server with a certificate.
WITHOUT_SUBJECT = {
    "arborlog_certificate_end_seconds": "the server speaks plain HTTP",
    "arborlog_cosigner_lag_seconds": "the witness never cosigned",
    "arborlog_saved_entries": "nothing was saved yet",
    "arborlog_save_duration_seconds_bucket": "nothing was saved yet",
    "arborlog_store_request_duration_seconds_bucket": "the ledger is in a directory",
}
# Labels that Prometheus and its configuration add.
ADDED = {"job", "ledger", "instance"}
# What Prometheus makes itself.
OTHERS = {"up", "ALERTS"}


class Failed(Exception):
    """What did not hold."""


def check(holds, what: str):
    if not holds:
        raise Failed(what)


def get(url: str, data: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.read()


def samples(text: str) -> dict[str, set[str]]:
    """The labels of each sample's name."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if sample := re.match(r"(\w+)(?:\{(.*?)\})? ", line):
            found.setdefault(sample[1], set()).update(re.findall(r"(\w+)=\"", sample[2] or ""))
    return found


def families(text: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))


def queries(dashboard: dict) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def selectors(query: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics of a query, and what is asked of their labels."""
    found = []
    for name, inside in re.findall(r"\b(arborlog_\w+|process_\w+|up|ALERTS)\b(?:\{(.*?)\})?", query):
        found.append((name, re.findall(r'(\w+)(=~|!~|!=|=)"(.*?)"', inside)))
    return found


def check_names(query: str, known: dict[str, set[str]], routes: set[str], codes: set[str]):
    found = selectors(query)
    check(found, f"names no metric: {query}")
    for name, labels in found:
        check(name in known or name in OTHERS, f"the server has no {name}: {query}")
        for label, _, value in labels:
            check(name in OTHERS or label in known[name] | ADDED, f"{name} has no label {label}: {query}")
            for one in value.split("|"):
                check(label != "route" or one in routes, f"the server has no route {one}: {query}")
                check(label != "code" or one in codes, f"docs/http.md has no code {one}: {query}")
    for grouped in re.findall(r"\bby \((.*?)\)", query):
        every = set().union(*(known.get(name, set()) for name, _ in found)) | ADDED | {"le"}
        check(set(re.split(r",\s*", grouped)) <= every, f"groups by what no metric has: {query}")


def check_dashboard(dashboard: dict):
    panels = dashboard["panels"]
    check(len({panel["id"] for panel in panels}) == len(panels), "two panels have one id")
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        check(at["x"] + at["w"] <= 24, f"{panel['title']}: wider than a dashboard")
        places = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        check(not places & taken, f"{panel['title']}: lies over another panel")
        taken |= places
        check(panel["type"] == "row" or panel["description"], f"{panel['title']}: no description")


def anchors(text: str) -> set[str]:
    """Those of the headings, as they are made from Markdown."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check_alerts(rules: list[dict], tests: list[dict]):
    shown = anchors((ROOT / "docs/operations.md").read_text())
    comes, stays = set(), set()
    for test in tests:
        cases = test["alert_rule_test"]
        comes |= {case["alertname"] for case in cases if case["exp_alerts"]}
        if not any(case["exp_alerts"] for case in cases):
            stays |= {case["alertname"] for case in cases}
    names = {rule["alert"] for rule in rules}
    check(comes == names, f"no test has them come: {names ^ comes}")
    check(stays == names, f"no test has them stay away: {names ^ stays}")
    for rule in rules:
        file, anchor = rule["annotations"]["runbook"].split("#")
        check(file == "docs/operations.md" and anchor in shown, f"{rule['alert']}: no section {anchor}")
        check(rule["labels"]["severity"] in ("critical", "warning"), f"{rule['alert']}: its severity")
        told = re.search(rf"`{rule['alert']}`", (ROOT / "docs/operations.md").read_text())
        check(told, f"docs/operations.md does not name {rule['alert']}")


def ask(query: str) -> list:
    answer = json.loads(get(f"http://{PROMETHEUS}/api/v1/query?" + urllib.parse.urlencode({"query": query})))
    check(answer["status"] == "success", f"{answer.get('error')}: {query}")
    return answer["data"]["result"]


def wait_for(holds, seconds: float, what: str):
    end = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except OSError:
            pass
        check(time.monotonic() < end, f"not within {seconds:.0f} s: {what}")
        time.sleep(0.3)


def ask_all(dashboard: dict, rules: list[dict], commit):
    """Has Prometheus answer each query of the dashboard, and evaluate each rule."""
    wait_for(lambda: len(ask('count_over_time(up{job="arborlog"}[1m]) > 15')) == 1, 60, "scrapes")
    # Rates are of the last 20 s here.
    for _ in range(4):
        get(f"http://{SERVER}/v1/batches", b"no batch")
        commit()
        time.sleep(1)
    for query in queries(dashboard):
        get(f"http://{SERVER}/v1/batches", b"no batch")
        shown = re.sub(r"\$(job|ledger|instance)\b", ".*", query).replace("$__rate_interval", "20s")
        check("$" not in shown, f"an unknown variable: {query}")
        result = ask(shown)
        check(result, f"nothing is shown: {query}")
        is_number = any(one["value"][1] != "NaN" for one in result)
        has_subject = all(name not in WITHOUT_SUBJECT for name, _ in selectors(query))
        check(is_number == has_subject, f"no number is shown, or one of nothing: {query}")
    for variable in ("job", "ledger", "instance"):
        label = json.loads(get(f"http://{PROMETHEUS}/api/v1/label/{variable}/values"))
        check(label["data"], f"no label {variable}")
    groups = json.loads(get(f"http://{PROMETHEUS}/api/v1/rules"))["data"]["groups"]
    loaded = {rule["name"]: rule for group in groups for rule in group["rules"]}
    check(loaded.keys() == {rule["alert"] for rule in rules}, "not all rules are loaded")
    for rule in loaded.values():
        check(rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError')}")
        # Of all that is watched here, the witness alone is not well.
        state = "pending" if rule["name"] == "ArborlogCosignerSilent" else "inactive"
        check(rule["state"] == state, f"{rule['name']} is {rule['state']}, and should be {state}")


def play(arborlog: str, prometheus: str, work: Path, running: list[subprocess.Popen]):
    rules_text = (DEPLOY / "prometheus/alerts.yaml").read_text()
    rules = [rule for group in yaml.safe_load(rules_text)["groups"] for rule in group["rules"]]
    tests = yaml.safe_load((DEPLOY / "prometheus/alerts.test.yaml").read_text())["tests"]
    dashboard = json.loads((DEPLOY / "grafana/arborlog.json").read_text())
    check_dashboard(dashboard)
    check_alerts(rules, tests)

    def run(*arguments):
        subprocess.run([arborlog, *arguments], check=True, cwd=work, stdout=subprocess.DEVNULL)

    run("keygen", "governor.pem")
    run("init", "ledger", "--origin", "example.org/ledger", "--programme", "x", "--governor", "governor.pem")
    log = (work / "log").open("ab")
    # A witness whom nobody starts.
    run("witness", "witness", "--init", "example.org/witness")
    vkey = (work / "witness/witness.vkey").read_text().strip()
    (work / "policy").write_text(f"witness silent {vkey} http://127.0.0.1:9/\nquorum none\n")
    running.append(
        subprocess.Popen([arborlog, "serve", "ledger", "--listen", SERVER, "--policy", "policy"], cwd=work,
                         stdout=log, stderr=log))  # fmt: skip
    wait_for(lambda: get(f"http://{SERVER}/healthz"), 30, "a server")

    # A request of each kind, so that series which come with their first event are there.
    for path in ("/", "/checkpoint", "/v1/totals", "/readyz", "/nowhere"):
        get(f"http://{SERVER}{path}")
    get(f"http://{SERVER}/v1/batches", b"no batch")
    get(f"http://{SERVER}/metrics")
    text = get(f"http://{SERVER}/metrics").decode()
    known = samples(text)
    # And what is a route of the API, though nobody asked for it.
    routes = set(json.loads(get(f"http://{SERVER}/openapi.json"))["paths"]) | {"/live"}
    codes = set(re.findall(r"`(\w+)`", (ROOT / "docs/http.md").read_text()))
    for query in [rule["expr"] for rule in rules] + queries(dashboard):
        check_names(query, known, routes, codes)
    shown = {name for query in queries(dashboard) for name, _ in selectors(query)}
    every = families(text)
    for family, kind in every.items():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(kind, [""])
        is_shown = any(family + suffix in shown for suffix in suffixes)
        check(is_shown != (family in LEFT_OUT), f"{family} is neither shown nor left out, or both")
    check(LEFT_OUT.keys() <= every.keys(), "what is left out does not exist")

    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus/alerts.yaml")]
    [job] = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [SERVER]
    (work / "prometheus.yaml").write_text(yaml.safe_dump(config))
    running.append(
        subprocess.Popen(
            [prometheus, "--config.file=prometheus.yaml", f"--web.listen-address={PROMETHEUS}",
             "--storage.tsdb.path=data"], cwd=work, stdout=log, stderr=log))  # fmt: skip
    wait_for(lambda: get(f"http://{PROMETHEUS}/-/ready").startswith(b"Prometheus"), 30, "Prometheus")
    keys = iter(range(10**6))

    def commit():
        """Has a governor grant a new key, which is a commit."""
        key, proposal = f"key-{next(keys)}.pem", f"proposal-{next(keys)}.json"
        made = subprocess.run([arborlog, "keygen", key], check=True, cwd=work, stdout=subprocess.PIPE, text=True)
        run("grant", "--key", "governor.pem", "--out", proposal, "--from", f"http://{SERVER}", "--role", "platform",
            "--holder", key[:-4], "--name", key[:-4], "--grantee", made.stdout.strip())  # fmt: skip
        run("endorse", proposal, "--key", key)
        run("submit", proposal, "--to", f"http://{SERVER}")

    ask_all(dashboard, rules, commit)
    print(f"{len(rules)} alerts, {len(queries(dashboard))} queries of the dashboard, {len(every)} metrics of the server")


def main(arborlog: str, prometheus: str):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory() as work:
        try:
            play(str(Path(arborlog).absolute()), prometheus, Path(work), running)
        except Failed as failed:
            sys.exit(f"metrics: {failed}")
        finally:
            for process in running:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
