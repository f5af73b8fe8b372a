#!/usr/bin/env python3
"""Which other crates the public API names, from rustdoc's JSON; exits with 1 if one may not be.

A crate that a public signature names is a part of the API: its next major version is then ours
too, and its types are what a dependent must speak. Usage: public_api.py target/doc/arborlog.json
"""

import collections
import json
import sys

# Crates that public signatures may name, and why. A trait that a public type implements counts too.
ALLOWED = {
    "std": "the standard library",
    "core": "the standard library",
    "alloc": "the standard library",
    "serde_core": "statements are JSON by serde: the standard choice, at version 1 since 2017",
    "bincode": "derives on what is encoded; docs/format.md says the bytes, so the derives may go",
    "bytes": "tiles without copies, which tokio and hyper have as well; at version 1",
    "tokio": "a server takes its listener and runs in its runtime; at version 1",
}


def main(path):
    doc = json.load(open(path))
    index, paths = doc["index"], doc["paths"]
    crates = {0: "arborlog"}
    crates.update({int(key): value["name"] for key, value in doc["external_crates"].items()})
    named = collections.defaultdict(set)

    def crate_of(identifier):
        summary = paths.get(str(identifier))
        return crates[summary["crate_id"]] if summary else None

    def look(value, where):
        """Every path to a type or a trait within a piece of a signature."""
        if isinstance(value, dict):
            # A path to a type or trait is its id and how it is written.
            if "id" in value and ("path" in value or "name" in value) and value["id"] is not None:
                crate = crate_of(value["id"])
                if crate and crate != "arborlog":
                    named[crate].add(f"{where}: {value.get('path') or value.get('name')}")
            for inner in value.values():
                look(inner, where)
        elif isinstance(value, list):
            for inner in value:
                look(inner, where)

    seen = set()

    def walk(identifier, where):
        """An item and the items in it, as far as they are public."""
        if identifier in seen:
            return
        seen.add(identifier)
        item = index.get(str(identifier))
        if item is None or item["crate_id"] != 0:
            return
        (kind, inner), = item["inner"].items()
        name = f"{where}::{item['name']}" if item["name"] else where
        if kind == "module":
            for child in inner["items"]:
                if index[str(child)]["visibility"] == "public":
                    walk(child, name)
        elif kind == "use":
            if inner["id"] is None:
                return
            crate = crate_of(inner["id"])
            if crate == "arborlog" or str(inner["id"]) in index:
                walk(inner["id"], where)
            elif crate:
                named[crate].add(f"{where}: pub use {inner['source']}")
        elif kind in ("struct", "union"):
            look(inner["generics"], name)
            for key in ("plain", "tuple"):
                body = inner["kind"].get(key) if isinstance(inner["kind"], dict) else None
                fields = body["fields"] if isinstance(body, dict) else body or []
                for field in fields:
                    # Fields that are not public are left out, or not there.
                    if field is not None and str(field) in index:
                        if index[str(field)]["visibility"] == "public":
                            look(index[str(field)]["inner"], f"{name}.{index[str(field)]['name']}")
            implementations(inner["impls"], name)
        elif kind == "enum":
            look(inner["generics"], name)
            for variant in inner["variants"]:
                entry = index[str(variant)]
                body = entry["inner"]["variant"]["kind"]
                fields = []
                if isinstance(body, dict):
                    fields = body.get("tuple") or body.get("struct", {}).get("fields", [])
                for field in fields:
                    if field is not None and str(field) in index:
                        look(index[str(field)]["inner"], f"{name}::{entry['name']}")
            implementations(inner["impls"], name)
        elif kind == "trait":
            look({key: inner[key] for key in ("generics", "bounds")}, name)
            for child in inner["items"]:
                look(index[str(child)]["inner"], f"{name}::{index[str(child)]['name']}")
        else:
            # Functions, constants, statics, aliases.
            look(inner, name)

    def implementations(impls, name):
        for identifier in impls:
            item = index.get(str(identifier))
            # Blanket and auto implementations are the other crate's, for every type there is.
            if item is None or item["crate_id"] != 0:
                continue
            inner = item["inner"]["impl"]
            if inner["is_synthetic"] or inner["blanket_impl"] is not None:
                continue
            if inner["trait"] is not None:
                look(inner["trait"], f"impl for {name}")
            for child in inner["items"]:
                entry = index[str(child)]
                # What a trait's methods name is said by the trait.
                if inner["trait"] is None and entry["visibility"] == "public":
                    look(entry["inner"], f"{name}::{entry['name']}")
                elif inner["trait"] is not None and "assoc_type" in entry["inner"]:
                    look(entry["inner"], f"impl for {name}, type {entry['name']}")

    walk(doc["root"], "")
    if not named:
        sys.exit("no crate is named at all: the JSON is not read as it should be")
    bad = {crate: sorted(places) for crate, places in named.items() if crate not in ALLOWED}
    for crate, places in sorted(named.items()):
        print(f"{'NOT ALLOWED' if crate in bad else 'allowed'}: {crate}, {len(places)} places")
        if crate in bad:
            for place in sorted(places):
                print(f"    {place}")
    unused = sorted(set(ALLOWED) - set(named) - {"std", "core", "alloc"})
    if unused:
        sys.exit(f"allowed, but no public signature names them: {', '.join(unused)}")
    if bad:
        sys.exit("the public API names crates that it should not: wrap their types in ours")


main(sys.argv[1])
