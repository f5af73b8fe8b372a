#!/usr/bin/env python3
"""Takes the examples of the OpenAPI document from a running demo, and prints src/http/openapi_examples.json.

    .ci/openapi_examples.py http://127.0.0.1:PORT >src/http/openapi_examples.json

Each answer is one that the server gave, unchanged. What is posted is what the demo has already, so that nothing is added. Bytes have
no example; the lines of metrics are those of a few series.
"""
import base64, json, sys, urllib.parse, urllib.request

URL = sys.argv[1].rstrip("/")
# A longer file says no more, and the document is read by people too.
TEXT_MAX = 16_384


def ask(path, body=None, kind=None):
    headers = {"Content-Type": kind} if kind else {}
    with urllib.request.urlopen(urllib.request.Request(URL + path, data=body, headers=headers), timeout=60) as answer:
        return answer.read()


def number(data, at, width):
    return int.from_bytes(data[at:at + width], "big")


def entries():
    """Every entry of the log, by its bytes."""
    size = int(ask("/checkpoint").split(b"\n")[1])
    for first in range(0, size, 256):
        width = min(256, size - first)
        bundle = ask(f"/tile/entries/{name_of(first // 256)}" + (f".p/{width}" if width < 256 else ""))
        while bundle:
            length = number(bundle, 0, 2)
            yield bundle[2:2 + length]
            bundle = bundle[2 + length:]


def name_of(bundle):
    parts = [f"{bundle % 1000:03}"]
    while bundle := bundle // 1000:
        parts.insert(0, f"x{bundle % 1000:03}")
    return "/".join(parts)


def signed(entry):
    """A signed entry's record, the signed record, and the kind of its statement."""
    start = 18 + 8 * number(entry, 10, 8)
    end = start + 8 + number(entry, start, 8)
    return entry[start + 8:end], entry[start:], number(entry, start + 84, 4)


LOG = list(entries())
SIGNED = {index: signed(entry) for index, entry in enumerate(LOG) if number(entry, 0, 2) == 1}
STATEMENTS = {index: json.loads(ask(f"/v1/entries/{index}")).get("statement") or {} for index in
              [*range(60), *range(len(LOG) - 400, len(LOG))]}


def first(kind, **fields):
    """The index of a statement of this kind."""
    for index, said in sorted(STATEMENTS.items(), reverse=kind == "claim"):
        if said.get("kind") == kind and all(said.get(name) == value for name, value in fields.items()):
            return index
    raise SystemExit(f"the demo has no {kind}")


award, claim = first("award"), first("claim")
account = STATEMENTS[claim]["account"]
evidence = STATEMENTS[award]["evidence"]
certificate = json.loads(ask(f"/v1/certificates/{claim}"))
tree = next((tree for tree in certificate.get("trees", []) if "plot" in tree), {"plot": 1, "serial": 1})
key = SIGNED[max(index for index in SIGNED if index < award)][0][:32].hex()


def shown(path, **parameters):
    """A route's example: its parameters, and the answer to them."""
    in_path = {name: value for name, value in parameters.items() if "{" + name + "}" in path}
    query = {name: value for name, value in parameters.items() if name not in in_path}
    asked = path.format(**{name: urllib.parse.quote(str(value), safe="/") for name, value in in_path.items()})
    data = ask(asked + ("?" + urllib.parse.urlencode(query, safe="/") if query else ""))
    example = {"parameters": parameters} if parameters else {}
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return example
    try:
        return example | {"answer": json.loads(text)}
    except ValueError:
        return example | ({"answer": text} if len(text) <= TEXT_MAX else {})


def posted_record():
    """A record of one signature, as JSON, that is in already."""
    for index, (record, whole, _) in SIGNED.items():
        if len(whole) == 8 + len(record) + 64 + 8:
            text = lambda data: base64.b64encode(data).decode()
            body = [{"record": text(record), "signature": text(whole[8 + len(record):][:64])}]
            answer = ask("/v1/records", json.dumps(body).encode(), "application/json")
            return {"request": {"application/json": body}, "answer": json.loads(answer)}
    raise SystemExit("the demo has no record of one signature")


def posted_batch():
    """A sealed batch that is in already; its bytes are no example."""
    index = next(index for index, (_, _, kind) in SIGNED.items() if kind == 16)
    count = number(SIGNED[index][0], 80, 4)
    framed = lambda data: len(data).to_bytes(4, "big") + data
    places = {6: 1, 7: 2, 9: 1, 10: 1, 11: 1, 12: 1, 13: 3}
    statements = [entry[4:len(entry) - 8 * places[number(entry, 4, 4)]] for entry in LOG[index - count:index]]
    body = framed(SIGNED[index][1]) + b"".join(map(framed, statements))
    return {"answer": json.loads(ask("/v1/batches", body, "application/vnd.arborlog.batch"))}


def metrics():
    """The lines of a few series, as a whole text of their own."""
    lines = ask("/metrics").decode().splitlines(keepends=True)
    return {"answer": "".join(line for line in lines if "arborlog_tree_size" in line or "arborlog_build_info" in line) + "# EOF\n"}


def short_history():
    """The history of an account with a short one."""
    found = (shown("/v1/proofs/account-history/{id}", id=one) for one in ACCOUNTS)
    return next((example for example in found if "answer" in example), shown("/v1/proofs/account-history/{id}", id=account))


def shortest(path, name, values):
    """The example of a list with the fewest entries, but for empty ones."""
    found = (shown(path, **{name: value}) for value in values)
    return min((example for example in found if example["answer"]["entries"]), key=lambda example: len(json.dumps(example)))


SOME = [json.loads(ask(f"/v1/entries/{index}")).get("statement") or {} for index in range(1_000, len(LOG), 150)]
ACCOUNTS = sorted({said["account"] for said in [*STATEMENTS.values(), *SOME] if "account" in said})
KEYS = [issuer["key"] for issuer in json.loads(ask("/v1/issuers"))["issuers"]]
size = len(LOG)
examples = {
    "/checkpoint": shown("/checkpoint"),
    "/healthz": shown("/healthz"),
    "/readyz": shown("/readyz"),
    "/metrics": metrics(),
    "/tile/{level}/{number}": {"parameters": {"level": "entries", "number": "000"}},
    "/tile/{level}/{number}.p/{width}": {"parameters": {"level": "entries", "number": name_of(size // 256).rpartition("/")[2], "width": size % 256 or 1}},
    "/v1/accounts/{id}": shown("/v1/accounts/{id}", id=account),
    "/v1/batches": posted_batch(),
    "/v1/certificates/{index}": shown("/v1/certificates/{index}", index=claim),
    "/v1/entries/{index}": shown("/v1/entries/{index}", index=award),
    "/v1/evidence/{digest}": shown("/v1/evidence/{digest}", digest=evidence),
    "/v1/governors": shown("/v1/governors"),
    "/v1/accounts/{id}/entries": shortest("/v1/accounts/{id}/entries", "id", ACCOUNTS),
    "/v1/issuers": shown("/v1/issuers"),
    "/v1/issuers/{key}/entries": shortest("/v1/issuers/{key}/entries", "key", KEYS),
    "/v1/issuers/{key}": shown("/v1/issuers/{key}", key=key),
    "/v1/methods": shown("/v1/methods"),
    "/v1/plots/{number}": shown("/v1/plots/{number}", number=tree["plot"]),
    "/v1/proofs/account-history/{id}": short_history(),
    "/v1/proofs/certificate/{index}": shown("/v1/proofs/certificate/{index}", index=claim),
    "/v1/proofs/consistency": shown("/v1/proofs/consistency", **{"from": 256, "to": size}),
    "/v1/proofs/inclusion": shown("/v1/proofs/inclusion", index=award, size=size),
    "/v1/proofs/plot-history/{number}": shown("/v1/proofs/plot-history/{number}", number=tree["plot"]),
    "/v1/proofs/state": shown("/v1/proofs/state", domain="account", key=account),
    "/v1/receipts/{index}": shown("/v1/receipts/{index}", index=award),
    "/v1/records": posted_record(),
    "/v1/reversals": shown("/v1/reversals"),
    "/v1/totals": shown("/v1/totals"),
    "/v1/trees/{plot}/{serial}": shown("/v1/trees/{plot}/{serial}", plot=tree["plot"], serial=tree.get("serial", 1)),
}
# A line a route, so that a change can be read.
written = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
print("{\n" + ",\n".join(f" {written(route)}: {written(example)}" for route, example in sorted(examples.items())) + "\n}")
