//! The import tables of modules: inside a crate, a module names only the modules that its row allows.
//!
//! Tests may look at everything; the crate's root (`lib.rs`, `main.rs`) declares and may name all.

use super::paths::paths;
use super::tables::{MODULES, ModuleTable};
use super::tree::{File, Tree, Violation};

/// Checks every file of the crates that have a table.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    for table in MODULES {
        for file in &tree.files {
            if let Some(inside) =
                file.path.strip_prefix(table.folder).and_then(|path| path.strip_suffix(".rs"))
            {
                check_file(table, file, inside, out);
            }
        }
    }
}

fn check_file(table: &ModuleTable, file: &File, inside: &str, out: &mut Vec<Violation>) {
    let mut modules: Vec<&str> = inside.split('/').collect();
    if modules.last() == Some(&"mod") {
        modules.pop();
    }
    let own = modules[0];
    if matches!(inside, "lib" | "main") {
        return;
    }
    let Some(source) = &file.source else { return };
    if !source.tokens.is_empty() && source.tokens.iter().all(|token| token.in_test) {
        return;
    }
    let Some(row) = table.rows.iter().find(|row| row.name == own) else {
        let what = format!("the module `{own}` stands in no import table");
        let instead =
            "add its row to `MODULES` in xtask/src/tidy/tables.rs and to ARCHITECTURE.md, with the reason";
        out.push(Violation::new(&file.path, 1, what, instead));
        return;
    };
    for path in paths(source).iter().filter(|path| !path.in_test) {
        let Some(named) = path.at_root(&modules) else { continue };
        if named == own || row.may.contains(&named) || table.everywhere.contains(&named) {
            continue;
        }
        let shown = path.shown();
        let (what, instead) = if table.rows.iter().any(|row| row.name == named) {
            let may: Vec<&str> = row.may.iter().chain(table.everywhere).copied().collect();
            let may = if may.is_empty() { "no other module".to_owned() } else { may.join(", ") };
            (format!("`{own}` imports `{shown}`"), format!("it may import: {may}"))
        } else {
            (
                format!("`{shown}` names no module of the import table"),
                "name the module that the item lives in".to_owned(),
            )
        };
        out.push(Violation::new(&file.path, path.line, what, instead));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut out);
        out.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_of_the_table_pass() {
        let text = "use crate::event::Event;\nuse crate::ids::Id;\nuse super::delta::Delta;\nuse crate::model::View;";
        assert_eq!(found("crates/osel-core/src/model/cloud.rs", text), [""; 0]);
        assert_eq!(found("crates/osel-core/src/lib.rs", "pub use crate::engine::Engine;"), [""; 0]);
        assert_eq!(found("crates/osel/src/cli/demo.rs", "use crate::{store, runtime};"), [""; 0]);
    }

    #[test]
    fn imports_against_the_table_are_named() {
        assert_eq!(
            found("crates/osel-core/src/event/mod.rs", "//! E.\nuse crate::{ids::Id, model::{View}};"),
            [
                "crates/osel-core/src/event/mod.rs:2: `event` imports `crate::model::View`; it may import: ids, time"
            ]
        );
        let hidden = "fn f(v: &super::super::engine::Engine) {}";
        assert_eq!(found("crates/osel-core/src/model/view.rs", hidden).len(), 1);
        assert_eq!(found("crates/osel-core/src/intake.rs", "use super::trail;").len(), 1);
    }

    #[test]
    fn drivers_never_import_each_other() {
        let drivers = ["source", "openstack", "action", "store"];
        for from in drivers {
            for to in drivers.iter().filter(|to| **to != from) {
                let path = format!("crates/osel/src/{from}/x.rs");
                assert_eq!(found(&path, &format!("use crate::{to}::Y;")).len(), 1, "{from} {to}");
            }
        }
    }

    #[test]
    fn tests_may_look_at_everything() {
        let text = "#[cfg(test)]\nmod tests {\n use crate::engine::Engine;\n}";
        assert_eq!(found("crates/osel-core/src/event/mod.rs", text), [""; 0]);
    }

    #[test]
    fn unknown_modules_and_items_at_the_root_are_named() {
        assert!(
            found("crates/osel-core/src/util.rs", "//! U.\n")[0].contains("`util` stands in no import table")
        );
        assert!(found("crates/osel-core/src/model/x.rs", "use crate::Event;")[0].contains("names no module"));
    }
}
