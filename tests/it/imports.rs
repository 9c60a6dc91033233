//! Imports run one way: every `use crate::` of a module names one that stands before it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with what it may import.
const ALLOWED: [(&str, &[&str]); 25] = [
    ("chart", &[]),
    ("files", &[]),
    ("ids", &[]),
    ("proto", &[]),
    ("taxonomy", &["ids"]),
    ("telemetry", &[]),
    ("simulate", &["ids", "taxonomy"]),
    ("table", &["files", "ids", "taxonomy"]),
    ("interactions", &["ids", "taxonomy"]),
    ("lookup", &["ids", "taxonomy", "table"]),
    ("store", &["files", "ids", "taxonomy", "table", "lookup"]),
    ("retrieval", &["ids", "taxonomy", "table", "interactions"]),
    ("evaluation", &["ids", "table", "interactions", "store"]),
    ("inference", &["files", "ids", "taxonomy", "table", "retrieval"]),
    ("experiment", &["files", "interactions", "store"]),
    ("finetune", &["files", "ids", "taxonomy", "interactions", "retrieval", "evaluation", "inference"]),
    ("replay", &["ids", "taxonomy", "table", "interactions", "lookup", "retrieval", "evaluation"]),
    ("serve", &["experiment", "ids", "proto", "taxonomy", "table", "lookup", "store"]),
    (
        "refresh",
        &[
            "ids",
            "taxonomy",
            "table",
            "interactions",
            "lookup",
            "store",
            "retrieval",
            "evaluation",
            "replay",
            "inference",
            "finetune",
        ],
    ),
    (
        "config",
        &[
            "evaluation",
            "experiment",
            "finetune",
            "inference",
            "interactions",
            "refresh",
            "retrieval",
            "serve",
            "simulate",
            "store",
            "table",
            "telemetry",
        ],
    ),
    ("app", &["config", "experiment", "ids", "refresh", "serve", "store", "telemetry"]),
    ("cli", &["*"]),
    ("client", &["proto"]),
    ("lib", &["*"]),
    ("main", &["*"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a source names behind `crate::`, in `use` or in full.
fn imported(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let inner = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let paths = inner.map_or(vec![rest], |(inner, _)| inner.split(',').collect());
        let name =
            |path: &str| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        modules.extend(paths.into_iter().map(name).filter(|name| !name.is_empty()));
    }
    modules
}

#[test]
fn imports_run_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 20, "the sources were not found");
    for path in found {
        let within = path.strip_prefix(&root).unwrap();
        let module =
            within.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let may =
            allowed.get(module.as_str()).unwrap_or_else(|| panic!("src/{module} has no place in the order of imports"));
        for import in imported(&fs::read_to_string(&path).unwrap()) {
            let fine = import == module || may.contains(&"*") || may.contains(&import.as_str());
            assert!(fine, "{} imports crate::{import}: {module} may import {may:?} only", within.display());
        }
    }
}

#[test]
fn the_scan_sees_every_form_of_import() {
    let text = "use crate::ids::X;\nuse crate::{serve, store};\n// use crate::cli;\nfn f() { crate::refresh::run() }";
    assert_eq!(imported(text), ["ids", "serve", "store", "refresh"]);
}
