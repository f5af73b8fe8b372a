//! `/openapi.json`: what the routes say of themselves, made whole. What is the same for all of them is said here once (the
//! problems that any request can have, how an id is written); the bodies of look-ups, which are made without types of their
//! own, are in `openapi_schemas.json`, to which a running ledger's answers are held in CI, and so are the examples of
//! `openapi_examples.json`.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// The bodies of look-ups, entries and statements.
const SCHEMAS: &str = include_str!("openapi_schemas.json");

/// What a demo was asked by each route, and answered (`.ci/openapi_examples.py`).
const EXAMPLES: &str = include_str!("openapi_examples.json");

/// The JSON that a route answers with.
const ANSWERS: [(&str, &str); 14] = [
    ("/v1/accounts/{id}", "Account"),
    ("/v1/accounts/{id}/entries", "AccountEntries"),
    ("/v1/certificates/{index}", "Certificate"),
    ("/v1/entries/{index}", "Entry"),
    ("/v1/evidence/{digest}", "EvidenceUses"),
    ("/v1/governors", "Governors"),
    ("/v1/issuers", "Issuers"),
    ("/v1/issuers/{key}", "IssuerFound"),
    ("/v1/issuers/{key}/entries", "IssuerEntries"),
    ("/v1/methods", "Methods"),
    ("/v1/plots/{number}", "Plot"),
    ("/v1/reversals", "Reversals"),
    ("/v1/totals", "Totals"),
    ("/v1/trees/{plot}/{serial}", "TreeFound"),
];
/// Routes that answer in plain text, problems too, and wait for nothing.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// The route of tiles: its wildcard is none of OpenAPI's.
const TILE: &str = "/tile/{*path}";
/// The media type of metrics.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The document.
pub(super) fn document(routes: &OpenApi) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(routes)?;
    let schemas: Map<String, Value> = serde_json::from_str(SCHEMAS)?;
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES)?;
    if let Some(known) = object(&mut document, &["components", "schemas"]) {
        known.extend(schemas);
    }
    let Some(root) = document.as_object_mut() else {
        return Ok(document);
    };
    // It is served where the log is, to anybody.
    root.insert("servers".to_owned(), json!([{"url": "/"}]));
    root.insert("security".to_owned(), json!([]));
    if let Some(paths) = root.get_mut("paths").and_then(Value::as_object_mut) {
        if let Some(tile) = paths.remove(TILE) {
            paths.extend(tiles(&tile));
        }
        paths.insert("/openapi.json".to_owned(), own_route());
        for (path, operations) in paths {
            let operations = operations.as_object_mut().into_iter();
            for operation in operations.flat_map(Map::values_mut) {
                complete(path, operation);
                if let Some(example) = examples.get(path) {
                    illustrate(operation, example);
                }
            }
        }
    }
    Ok(document)
}

fn object<'a>(value: &'a mut Value, way: &[&str]) -> Option<&'a mut Map<String, Value>> {
    way.iter()
        .try_fold(value, |at, name| at.get_mut(*name))?
        .as_object_mut()
}

/// A full tile, and a partial one. A number above 999 has slashes in it, which no parameter of OpenAPI may: so it is told
/// in words.
fn tiles(tile: &Value) -> [(String, Value); 2] {
    let level = json!({
        "name": "level", "in": "path", "required": true, "description": "`0` to `7`, or `entries`",
        "schema": {"type": "string", "pattern": "^([0-7]|entries)$"},
    });
    let number = json!({
        "name": "number", "in": "path", "required": true,
        "description": "Three digits; above 999 segments more before them, `x` and three digits each, as in c2sp.org/tlog-tiles",
        "schema": {"type": "string", "pattern": "^(x[0-9]{3}/)*[0-9]{3}$"},
    });
    let width = json!({
        "name": "width", "in": "path", "required": true, "description": "Of how many hashes or entries it is",
        "schema": {"type": "integer", "minimum": 1, "maximum": 255},
    });
    let with = |id: &str, parameters: Value| {
        let mut route = tile.clone();
        if let Some(operation) = object(&mut route, &["get"]) {
            operation.insert("operationId".to_owned(), id.into());
            operation.insert("parameters".to_owned(), parameters);
        }
        route
    };
    [
        (
            "/tile/{level}/{number}".to_owned(),
            with("tile", json!([level, number])),
        ),
        (
            "/tile/{level}/{number}.p/{width}".to_owned(),
            with("partial_tile", json!([level, number, width])),
        ),
    ]
}

fn own_route() -> Value {
    json!({"get": {
        "summary": "This document.", "operationId": "openapi",
        "responses": {"200": {
            "description": "This document", "content": {"application/json": {"schema": {"type": "object"}}},
        }},
    }})
}

/// An operation with all that it can answer, each body as it is.
fn complete(path: &str, operation: &mut Value) {
    if let Some(contents) = object(operation, &["requestBody", "content"]) {
        for (kind, content) in contents {
            if kind != "application/json" {
                *content = json!({}); // Bytes have no schema.
            }
        }
    }
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        restrict(path, parameter);
    }
    let Some(responses) = object(operation, &["responses"]) else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        if let Some(content) = object(response, &["content"]) {
            write_bodies(path, status, content);
        }
    }
    let of_head = [
        ("414", "Path and query are too long"),
        ("431", "The head is too long, or has too many fields"),
        (
            "default",
            "Any other problem that a request's head can have (docs/http.md)",
        ),
    ];
    let of_work = [
        ("400", "Path, query or head are malformed"),
        ("404", "There is no such thing"),
        (
            "500",
            "What the log's tree must have can't be read, or the server contradicts itself",
        ),
        ("503", "Come again after Retry-After seconds"),
    ];
    // Probes make no other answer than their own, once the head is read.
    let of_work = of_work.iter().filter(|_| !PROBES.contains(&path));
    for (status, description) in of_head.iter().chain(of_work) {
        let problem = || json!({"description": description, "content": problem_body()});
        responses
            .entry((*status).to_owned())
            .or_insert_with(problem);
    }
}

/// Puts a route's example to its parameters, its request and its answer.
fn illustrate(operation: &mut Value, example: &Value) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter.get("name").and_then(Value::as_str);
        let value = name.and_then(|name| example.get("parameters")?.get(name));
        if let (Some(value), Some(parameter)) = (value.cloned(), parameter.as_object_mut()) {
            parameter.insert("example".to_owned(), value);
        }
    }
    let contents = object(operation, &["requestBody", "content"]);
    for (kind, content) in contents.into_iter().flatten() {
        let value = example.get("request").and_then(|of| of.get(kind));
        if let (Some(value), Some(content)) = (value, content.as_object_mut()) {
            content.insert("example".to_owned(), value.clone());
        }
    }
    let contents = object(operation, &["responses", "200", "content"]);
    for content in contents.into_iter().flat_map(Map::values_mut) {
        if let (Some(value), Some(content)) = (example.get("answer"), content.as_object_mut()) {
            content.insert("example".to_owned(), value.clone());
        }
    }
}

fn problem_body() -> Value {
    json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}})
}

/// The media types of an answer, with their schemas.
fn write_bodies(path: &str, status: &str, content: &mut Map<String, Value>) {
    let text = json!({"schema": {"type": "string"}});
    let written = if status != "200" {
        match content.contains_key("application/json") {
            true => problem_body(),
            false if content.contains_key("text/plain") => json!({PLAIN: text}),
            false => return,
        }
    } else if let Some((_, name)) = ANSWERS.iter().find(|(route, _)| *route == path) {
        json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}})
    } else if path == "/metrics" {
        json!({OPENMETRICS: text})
    } else if content.contains_key("application/octet-stream") {
        json!({"application/octet-stream": {}})
    } else if content.contains_key("text/plain") {
        json!({PLAIN: text})
    } else {
        return;
    };
    if let Value::Object(written) = written {
        *content = written;
    }
}

/// The one spelling that ids, numbers and places have.
fn restrict(path: &str, parameter: &mut Value) {
    const NUMBER: &str = "(0|[1-9][0-9]{0,8})";
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let name = parameter.get("name").map(text).unwrap_or_default();
    let format = parameter.pointer("/schema/format").map(text);
    let written = match (path, name.as_str()) {
        (_, "id" | "digest")
        | ("/v1/issuers/{key}" | "/v1/issuers/{key}/entries", "key")
        | ("/v1/issuers", "after") => pattern("^[0-9a-f]{64}$"),
        ("/v1/methods", "after") => pattern(&format!("^{NUMBER}\\.{NUMBER}$")),
        ("/v1/plots/{number}", "surveys_after") => {
            pattern(&format!("^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\\.{NUMBER}$"))
        }
        _ => match format.as_deref() {
            Some("int64") => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
            Some("int32") => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
            _ => return,
        },
    };
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.insert("schema".to_owned(), written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_that_has_a_schema_has_an_example() {
        let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
        for (path, _) in ANSWERS {
            assert!(
                examples
                    .get(path)
                    .is_some_and(|of| of.get("answer").is_some()),
                "{path}"
            );
        }
    }

    #[test]
    fn an_example_stands_at_parameters_request_and_answer() {
        let mut operation = json!({
            "parameters": [{"name": "id"}, {"name": "after"}],
            "requestBody": {"content": {"application/json": {}, "application/octet-stream": {}}},
            "responses": {"200": {"content": {"application/json": {}}}, "404": {"content": {"application/json": {}}}},
        });
        illustrate(
            &mut operation,
            &json!({"parameters": {"id": "11"}, "request": {"application/json": [1]}, "answer": {"a": 2}}),
        );
        let expected = json!({
            "parameters": [{"name": "id", "example": "11"}, {"name": "after"}],
            "requestBody": {"content": {"application/json": {"example": [1]}, "application/octet-stream": {}}},
            "responses": {
                "200": {"content": {"application/json": {"example": {"a": 2}}}},
                "404": {"content": {"application/json": {}}},
            },
        });
        assert_eq!(operation, expected);
    }
}
