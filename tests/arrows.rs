//! Dependencies between modules point down, as docs/architecture.md says: the order, the exceptions
//! and the orders within folders are read from there, the arrows from every file in src/.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A path from the crate's root: module, submodule, item.
type Segments = Vec<String>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

// What a file names.

/// Identifiers and punctuation of Rust source, without comments, strings and character literals,
/// up to its tests.
fn tokens(source: &str) -> Vec<String> {
    // A file's tests come last, behind their attributes.
    let source = source.split("\nmod tests {").next().unwrap();
    let chars: Vec<char> = source.chars().collect();
    let at = |place: usize| chars.get(place).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut place = 0;
    while place < chars.len() {
        let start = place;
        match (at(place), at(place + 1)) {
            ('/', '/') => {
                while place < chars.len() && at(place) != '\n' {
                    place += 1;
                }
            }
            ('r', '"' | '#') if !is_word(at(place.wrapping_sub(1))) => {
                place += 1;
                let hashes = chars[place..].iter().take_while(|c| **c == '#').count();
                if at(place + hashes) != '"' {
                    // A raw identifier.
                    continue;
                }
                let end: Vec<char> = std::iter::once('"')
                    .chain(std::iter::repeat_n('#', hashes))
                    .collect();
                place += hashes + 1;
                while !chars[place..].starts_with(&end) {
                    place += 1;
                }
                place += end.len();
            }
            ('"', _) => {
                place += 1;
                while at(place) != '"' {
                    place += if at(place) == '\\' { 2 } else { 1 };
                }
                place += 1;
            }
            ('\'', '\\') => {
                place += 3;
                while at(place) != '\'' {
                    place += 1;
                }
                place += 1;
            }
            ('\'', _) if at(place + 2) == '\'' => place += 3,
            (':', ':') => {
                tokens.push("::".to_owned());
                place += 2;
            }
            (c, _) if is_word(c) => {
                while is_word(at(place)) {
                    place += 1;
                }
                tokens.push(chars[start..place].iter().collect());
            }
            (c, _) => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                place += 1;
            }
        }
    }
    tokens
}

/// Reads a path, or a tree of them as in `use a::{b, c::d}`, from a token on; gives the place
/// behind it.
fn read_tree(
    tokens: &[String],
    mut place: usize,
    prefix: &[String],
    found: &mut Vec<Segments>,
) -> usize {
    let token = |place: usize| tokens.get(place).map_or("", String::as_str);
    let mut path = prefix.to_vec();
    loop {
        if token(place) == "{" {
            place += 1;
            while token(place) != "}" {
                place = read_tree(tokens, place, &path, found);
                if token(place) == "," {
                    place += 1;
                }
            }
            return place + 1;
        }
        path.push(token(place).to_owned());
        place += 1;
        let goes_on = token(place) == "::"
            && token(place + 1).starts_with(|c: char| c.is_alphabetic() || "_{*".contains(c));
        if !goes_on {
            if token(place) == "as" {
                place += 2;
            }
            found.push(path);
            return place;
        }
        place += 1;
    }
}

/// The module that a file is: `src/log/queue.rs` is `log::queue`, `src/log/mod.rs` is `log`.
fn module_of(file: &Path) -> Segments {
    let mut path: Segments = file
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if path
        .last()
        .is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str()))
    {
        path.pop();
    }
    path
}

/// What the file of `module` names in its own crate, from the crate's root; and what it names in
/// the library as another crate would.
fn named(module: &[String], source: &str) -> (Vec<Segments>, Vec<Segments>) {
    let submodules = declared(source);
    let tokens = tokens(source);
    let (mut own, mut library) = (Vec::new(), Vec::new());
    let mut place = 0;
    while place < tokens.len() {
        let begins = tokens.get(place + 1).is_some_and(|next| next == "::")
            && (place == 0 || tokens[place - 1] != "::");
        let mut prefix = match tokens[place].as_str() {
            "crate" | "arborlog" if begins => Vec::new(),
            "self" if begins => module.to_vec(),
            "super" if begins => module[..module.len() - 1].to_vec(),
            name if begins && submodules.contains(name) => {
                place = read_tree(&tokens, place, module, &mut own);
                continue;
            }
            _ => {
                place += 1;
                continue;
            }
        };
        let found = if tokens[place] == "arborlog" {
            &mut library
        } else {
            &mut own
        };
        place += 2;
        while tokens[place] == "super" {
            prefix.pop();
            place += 2;
        }
        place = read_tree(&tokens, place, &prefix, found);
    }
    (own, library)
}

/// The submodules that a file declares.
fn declared(source: &str) -> BTreeSet<String> {
    let tokens = tokens(source);
    tokens
        .windows(3)
        .filter(|window| window[0] == "mod" && window[2] == ";")
        .map(|window| window[1].clone())
        .collect()
}

/// Which submodule each name comes from that a module's own file takes up: `pub use tile::TileId`.
fn taken_up(source: &str, submodules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let tokens = tokens(source);
    let mut origins = BTreeMap::new();
    for (place, pair) in tokens.windows(2).enumerate() {
        if pair[0] == "use" && submodules.contains(&pair[1]) {
            let mut paths = Vec::new();
            read_tree(&tokens, place + 1, &[], &mut paths);
            for path in paths {
                origins.insert(path.last().unwrap().clone(), path[0].clone());
            }
        }
    }
    origins
}

// What the document says.

/// The names in backquotes, without the slash of folders.
fn quoted(text: &str) -> Vec<String> {
    let names = text.split('`').skip(1).step_by(2);
    names
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect()
}

struct Document {
    /// Every module, from top to bottom.
    order: Vec<String>,
    /// Arrows that must not be, though the order of modules allows them: between modules, or between
    /// what is in them, as `ledger/state`.
    forbidden: BTreeSet<(String, String)>,
    /// The files of some folders, each from top to bottom.
    within: BTreeMap<String, Vec<String>>,
}

impl Document {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
        let (_, text) = text.split_once("\n## The modules\n").unwrap();
        let (text, _) = text.split_once("\n## ").unwrap();
        let mut order = Vec::new();
        let (mut forbidden, mut within) = (BTreeSet::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(row) = line.strip_prefix("| `") {
                order.extend(quoted(&format!("`{}", row.split('|').next().unwrap())));
            } else if let Some((from, to)) = line
                .split_once(" never name ")
                .or_else(|| line.split_once(" never names "))
            {
                let to = to.split(':').next().unwrap();
                for from in quoted(from) {
                    forbidden.extend(quoted(to).into_iter().map(|to| (from.clone(), to)));
                }
            } else if let Some((folder, files)) = line.split_once(", from top to bottom: ") {
                within.insert(quoted(folder).pop().unwrap(), quoted(files));
            }
        }
        Self {
            order,
            forbidden,
            within,
        }
    }

    /// How far down a module stands.
    fn depth(&self, module: &str) -> Option<usize> {
        self.order.iter().position(|name| name == module)
    }

    /// What is wrong with an arrow between modules.
    fn wrong(&self, from: &str, to: &str) -> Option<&'static str> {
        if from == to {
            None
        } else if self.forbidden.contains(&(from.to_owned(), to.to_owned())) {
            Some("is forbidden")
        } else if self.depth(from) > self.depth(to) {
            Some("points up")
        } else {
            None
        }
    }
}

struct Source {
    file: PathBuf,
    module: Segments,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let files = rust_files(&src).into_iter();
    files
        .map(|path| {
            let file = path.strip_prefix(&src).unwrap().to_owned();
            Source {
                module: module_of(&file),
                text: std::fs::read_to_string(path).unwrap(),
                file,
            }
        })
        .collect()
}

fn source_of<'a>(sources: &'a [Source], file: &str) -> &'a str {
    let found = sources.iter().find(|source| source.file == Path::new(file));
    &found.unwrap_or_else(|| panic!("src/{file}")).text
}

#[test]
fn every_module_has_a_row_in_the_document_and_every_row_a_module() {
    let (document, sources) = (Document::read(), sources());
    let mut modules = declared(source_of(&sources, "lib.rs"));
    modules.extend(declared(source_of(&sources, "main.rs")));
    modules.insert("main".to_owned());
    let rows: BTreeSet<String> = document.order.iter().cloned().collect();
    assert_eq!(rows, modules);
    assert_eq!(rows.len(), document.order.len(), "a module has two rows");
    for (from, to) in &document.forbidden {
        for name in [from, to] {
            let path: Segments = name.split('/').map(str::to_owned).collect();
            let there = sources
                .iter()
                .any(|source| source.module.starts_with(&path));
            assert!(there, "{name} is in a rule, and is no module");
        }
        if from.contains('/') {
            continue;
        }
        let allowed = document.depth(from) < document.depth(to);
        assert!(
            allowed,
            "{from} → {to} points up: the order forbids it already"
        );
    }
}

#[test]
fn arrows_between_modules_point_down() {
    let (document, sources) = (Document::read(), sources());
    let library = declared(source_of(&sources, "lib.rs"));
    let mut arrows = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in &sources {
        let file = source.file.display();
        let (own, as_other) = named(&source.module, &source.text);
        let from = match source.module.first() {
            Some(module) => module.as_str(),
            // lib.rs declares modules and names none.
            None if source.file == Path::new("lib.rs") => continue,
            None => "main",
        };
        let is_library = library.contains(from);
        if is_library && !as_other.is_empty() {
            wrong.push(format!("src/{file} names its own crate from outside"));
        }
        for (paths, in_library) in [(own, is_library), (as_other, true)] {
            for path in paths {
                let to = path[0].as_str();
                if document.depth(to).is_none() {
                    wrong.push(format!("src/{file}: {to} is no module"));
                    continue;
                }
                if library.contains(to) != in_library {
                    wrong.push(format!("src/{file}: {to} is not of that crate"));
                }
                if let Some(what) = document.wrong(from, to) {
                    wrong.push(format!("src/{file}: {from} → {to} {what}"));
                }
                arrows.insert((from.to_owned(), to.to_owned()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The reader reads: these are there, and some hundred others.
    for (from, to) in [
        ("main", "cli"),
        ("cli", "log"),
        ("log", "store"),
        ("note", "merkle"),
    ] {
        assert!(
            arrows.contains(&(from.to_owned(), to.to_owned())),
            "{from} → {to}"
        );
    }
    assert!(arrows.len() > 80, "only {} arrows were found", arrows.len());
}

#[test]
fn nothing_is_named_by_what_must_not_know_it() {
    let (document, sources) = (Document::read(), sources());
    let origins = |folder: &str| {
        let file = Path::new(folder).join("mod.rs");
        let own = sources.iter().find(|source| source.file == file);
        own.map_or_else(BTreeMap::new, |own| {
            taken_up(&own.text, &declared(&own.text))
        })
    };
    let rules = document
        .forbidden
        .iter()
        .filter(|(from, _)| from.contains('/'));
    let mut rules_met = 0;
    for (from, to) in rules {
        let from: Segments = from.split('/').map(str::to_owned).collect();
        let to: Segments = to.split('/').map(str::to_owned).collect();
        let origins = origins(&to[0]);
        for source in sources
            .iter()
            .filter(|source| source.module.starts_with(&from))
        {
            rules_met += 1;
            let (own, _) = named(&source.module, &source.text);
            for mut path in own {
                if let Some(origin) = path.get(1).and_then(|name| origins.get(name)) {
                    path.insert(1, origin.clone());
                }
                let file = source.file.display();
                assert!(
                    !path.starts_with(&to),
                    "src/{file} names {}",
                    path.join("::")
                );
            }
        }
    }
    assert!(rules_met > 0, "no rule within a module was read");
}

#[test]
fn arrows_within_a_folder_point_down_where_the_document_gives_its_order() {
    let (document, sources) = (Document::read(), sources());
    assert!(!document.within.is_empty());
    let mut wrong = Vec::new();
    for (folder, order) in &document.within {
        let own_file = source_of(&sources, &format!("{folder}/mod.rs"));
        let submodules = declared(own_file);
        let listed: BTreeSet<String> = order.iter().cloned().collect();
        assert_eq!(listed, submodules, "the files of {folder}/ and their order");
        let origins = taken_up(own_file, &submodules);
        let depth = |name: &str| order.iter().position(|listed| listed == name);
        let mut arrows = 0;
        for source in &sources {
            let [first, from, ..] = source.module.as_slice() else {
                continue;
            };
            if first != folder {
                continue;
            }
            let (own, _) = named(&source.module, &source.text);
            for path in own {
                let [first, name, ..] = path.as_slice() else {
                    continue;
                };
                let to = origins.get(name).unwrap_or(name);
                if first != folder || depth(to).is_none() || to == from {
                    continue;
                }
                arrows += 1;
                if depth(from) > depth(to) {
                    let file = source.file.display();
                    wrong.push(format!("src/{file}: {from} → {to} points up"));
                }
            }
        }
        assert!(arrows > 0, "no arrows were found in {folder}/");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let source = r##"
        //! [`crate::comment`]
        use std::fmt;
        use super::{Face, tile::{Level, TileId as Id}};
        use crate::{merkle, note::*};
        use arborlog::web::Site;
        const QUOTE: char = '"';
        const TEXT: &str = "crate::string \" crate::string";
        const RAW: &str = r#"crate::raw " crate::raw"#;
        fn f<'a>(x: &'a crate::log::Log) -> crate::store::Bytes {
            self::g::<super::super::http::App>(crate::web::look(x))
        }
#[cfg(test)]
mod tests {
    use crate::tested;
}
    "##;
    let module = ["audit".to_owned(), "whole".to_owned()];
    let joined = |paths: Vec<Segments>| -> Vec<String> {
        paths.iter().map(|path| path.join("::")).collect()
    };
    let (own, library) = named(&module, source);
    let expected = [
        "audit::Face",
        "audit::tile::Level",
        "audit::tile::TileId",
        "merkle",
        "note::*",
        "log::Log",
        "store::Bytes",
        "audit::whole::g",
        "http::App",
        "web::look",
    ];
    assert_eq!(joined(own), expected);
    assert_eq!(joined(library), ["web::Site"]);
}

#[test]
fn an_arrow_that_points_up_or_is_forbidden_is_found() {
    let document = Document::read();
    assert_eq!(document.wrong("merkle", "log"), Some("points up"));
    assert_eq!(document.wrong("store", "main"), Some("points up"));
    assert_eq!(document.wrong("web", "http"), Some("is forbidden"));
    assert_eq!(document.wrong("log", "merkle"), None);
}
