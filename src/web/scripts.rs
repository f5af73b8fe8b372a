//! Scripts with all that they import, in one file: modules one behind the other, without their imports and exports.
//!
//! They then share one scope, so no two modules may give the same name to something at their top level; a test says so.

/// What becomes of a module that a script imports only when it needs it (`await import('./name.mjs')`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Joining {
    /// It stays a file of its own below `/web/`.
    ForSite,
    /// It is joined too, for a file that has no site. Code of others (`.js`) is left out: there it can't be had.
    Whole,
}

/// The script with this name, behind all that it imports. `scripts` are names and texts.
pub(super) fn joined(scripts: &[(&str, &str)], name: &str, joining: Joining) -> String {
    let mut order = Vec::new();
    collect(scripts, name, joining, &mut order);
    let mut text = String::new();
    for name in &order {
        append(&mut text, name, source(scripts, name), joining);
    }
    text
}

fn source<'s>(scripts: &[(&str, &'s str)], name: &str) -> &'s str {
    let found = scripts.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, text)| text)
}

/// Puts a module behind all that it imports, each once.
fn collect(scripts: &[(&str, &str)], name: &str, joining: Joining, order: &mut Vec<String>) {
    let text = source(scripts, name);
    let mut needed: Vec<&str> = statements(text).filter_map(imported).collect();
    if joining == Joining::Whole {
        let later = text.lines().filter_map(imported_when_needed);
        needed.extend(later.filter(|path| path.ends_with(".mjs")));
    }
    for path in needed {
        let path = resolved(name, path);
        // A module is put down behind what it needs: no two of ours need each other.
        if !order.contains(&path) {
            collect(scripts, &path, joining, order);
        }
    }
    if !order.iter().any(|known| known == name) {
        order.push(name.to_owned());
    }
}

/// The statements of a module that begin with `import`, each whole.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("import ").map(|(at, _)| at);
    let starts = starts.filter(|at| *at == 0 || text.get(at - 1..*at) == Some("\n"));
    starts.filter_map(|at| {
        let rest = text.get(at..)?;
        rest.get(..=rest.find(';')?)
    })
}

/// The path that an import names.
fn imported(statement: &str) -> Option<&str> {
    let mut parts = statement.split('\'');
    parts.nth(1)
}

/// The path of a module that a line imports when it is needed.
fn imported_when_needed(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("await import('")?;
    rest.split('\'').next()
}

/// A path as a module names it, by the names of scripts.
fn resolved(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Appends a module's lines, as they stand in a joined script.
fn append(text: &mut String, name: &str, source: &str, joining: Joining) {
    let mut rest = source;
    for statement in statements(source) {
        if let Some((before, behind)) = rest.split_once(statement) {
            append_lines(text, name, before, joining);
            rest = behind;
        }
    }
    append_lines(text, name, rest, joining);
}

fn append_lines(text: &mut String, name: &str, lines: &str, joining: Joining) {
    for line in lines.lines() {
        // Comments are read in the modules' own files, and a slow link carries these bytes for nothing.
        if joining == Joining::ForSite && line.trim_start().starts_with("//") {
            continue;
        }
        let line = unexported(line);
        match imported_when_needed(line) {
            Some(path) if joining == Joining::ForSite => {
                let at = format!("/web/{}", resolved(name, path));
                text.push_str(&line.replace(path, &at));
            }
            // What it names stands above.
            Some(path) if path.ends_with(".mjs") => {}
            _ => text.push_str(line),
        }
        text.push('\n');
    }
}

/// A line without the `export` that it begins with.
fn unexported(line: &str) -> &str {
    const EXPORTED: [&str; 5] = ["const ", "let ", "function ", "async ", "class "];
    let rest = line.strip_prefix("export ");
    rest.filter(|rest| EXPORTED.iter().any(|word| rest.starts_with(word)))
        .unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::assets::SCRIPTS;
    use super::*;

    const MODULES: &[(&str, &str)] = &[
        (
            "a.mjs",
            "import {\n  b,\n} from './b.mjs';\nimport { c } from './deep/c.mjs';\n\nconst a = b + c;\n",
        ),
        (
            "b.mjs",
            "import { c } from './deep/c.mjs';\nexport const b = c; // import of b\n",
        ),
        (
            "deep/c.mjs",
            "export const c = 1;\nasync function later() {\n  const { d } = await import('../d.mjs');\n  const { e } = await import('./e.js');\n}\n",
        ),
        ("d.mjs", "export function d() {}\n"),
    ];

    #[test]
    fn modules_stand_once_behind_what_they_import() {
        let text = joined(MODULES, "a.mjs", Joining::ForSite);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(
            words.join(" "),
            "const c = 1; async function later() { const { d } = await import('/web/d.mjs'); \
             const { e } = await import('/web/deep/e.js'); } const b = c; // import of b const a = b + c;"
        );
    }

    #[test]
    fn whole_has_what_is_needed_later_too() {
        let text = joined(MODULES, "a.mjs", Joining::Whole);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(
            words.join(" "),
            "function d() {} const c = 1; async function later() { const { e } = await import('./e.js'); } \
             const b = c; // import of b const a = b + c;"
        );
    }

    /// What a line at the top level of a module declares.
    fn declared(line: &str) -> Vec<&str> {
        let line = unexported(line);
        let words = ["const ", "let ", "async function ", "function ", "class "];
        let Some(rest) = words.iter().find_map(|word| line.strip_prefix(word)) else {
            return Vec::new();
        };
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        match rest.strip_prefix(['[', '{']) {
            Some(several) => {
                let inside = several.split([']', '}']).next().unwrap_or("");
                inside
                    .split(',')
                    .map(|part| part.split(':').next_back().unwrap_or("").trim())
                    .collect()
            }
            None => vec![rest.split(|c| !is_name(c)).next().unwrap_or("")],
        }
    }

    #[test]
    fn no_two_modules_of_a_joined_script_give_the_same_name_to_something() {
        for entry in ["panel.mjs", "proven.mjs", "scan.mjs", "any/any.mjs"] {
            let mut order = Vec::new();
            collect(&SCRIPTS, entry, Joining::Whole, &mut order);
            assert!(order.len() > 20, "{entry}: {order:?}");
            let mut names = BTreeMap::new();
            for module in &order {
                assert_ne!(source(&SCRIPTS, module), "", "{module} is no script");
                for name in source(&SCRIPTS, module).lines().flat_map(declared) {
                    if let Some(other) = names.insert(name, module) {
                        assert_eq!(other, module, "{entry}: both have {name}");
                    }
                }
            }
        }
    }
}
