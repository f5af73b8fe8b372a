#!/usr/bin/env python3
"""Checks that every operation of an OpenAPI document has examples, and that each is what its schema says.

    .ci/openapi_examples_hold.py openapi.json
"""
import json, sys

from jsonschema import Draft202012Validator

document = json.load(open(sys.argv[1]))
# Their answers are longer than a page, or bytes, or the document itself.
WITHOUT_ANSWER = {"account_history", "plot_history", "tile", "partial_tile", "openapi"}
wrong, count = [], 0


def check(where, holder):
    global count
    count += 1
    rule = {"components": document["components"], "allOf": [holder.get("schema", {})]}
    wrong.extend(f"{where}: {error.json_path}: {error.message[:200]}" for error in Draft202012Validator(rule).iter_errors(holder["example"]))


for path, operations in document["paths"].items():
    for method, operation in operations.items():
        where = f"{method} {path}"
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                check(f"{where} {parameter['name']}", parameter)
            elif parameter.get("required"):
                wrong.append(f"{where}: the parameter {parameter['name']} has no example")
        bodies = [operation.get("requestBody", {}), operation["responses"]["200"]]
        contents = [content for body in bodies for content in body.get("content", {}).values() if "example" in content]
        for content in contents:
            check(where, content)
        if not contents and operation["operationId"] not in WITHOUT_ANSWER:
            wrong.append(f"{where} ({operation['operationId']}): the answer has no example")
print(*wrong, sep="\n", file=sys.stderr if wrong else sys.stdout)
print(f"{count} examples are what their schemas say" if not wrong else f"{len(wrong)} faults")
sys.exit(1 if wrong else 0)
