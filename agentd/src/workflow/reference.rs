//! The operator's reference of the verbs, made from the verbs themselves.

use std::fmt::Write as _;

use starlark::docs::{DocFunction, DocItem, DocMember, DocString};
use starlark::environment::GlobalsBuilder;

use super::verbs;

/// A Markdown table of everything that a script can name beyond the language.
pub fn table() -> String {
    let globals = GlobalsBuilder::new().with(verbs::add).build();
    let mut members: Vec<_> = globals.documentation().members.into_iter().collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut table = String::from("| call | needs | what it does |\n|---|---|---|\n");
    for (name, item) in members {
        let DocItem::Member(DocMember::Function(function)) = item else {
            continue;
        };
        let needs = verbs::needs(&name).map_or("nothing", |verb| verb.word());
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {needs} | {} |",
            signature(&name, &function),
            text(function.docs.as_ref())
        );
    }
    table
}

fn signature(name: &str, function: &DocFunction) -> String {
    let params = &function.params;
    let with_default = |name: &str, default: &Option<String>| match default {
        Some(default) => format!("{name}={default}"),
        None => name.to_owned(),
    };
    let mut parts = Vec::new();
    for param in params.pos_only.iter().chain(&params.pos_or_named) {
        parts.push(with_default(&param.name, &param.default_value));
    }
    if let Some(args) = &params.args {
        parts.push(format!("*{}", args.name));
    }
    for param in &params.named_only {
        let needed = param.name.to_uppercase();
        let default = param.default_value.clone().unwrap_or(needed);
        parts.push(format!("{}={default}", param.name));
    }
    if let Some(kwargs) = &params.kwargs {
        parts.push(format!("**{}", kwargs.name));
    }
    format!("{name}({})", parts.join(", "))
}

fn text(docs: Option<&DocString>) -> String {
    let Some(docs) = docs else {
        return String::new();
    };
    let whole = match &docs.details {
        Some(details) => format!("{} {details}", docs.summary),
        None => docs.summary.clone(),
    };
    whole
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "the_reference_is_what_the_verbs_say` -->\n";
    const END: &str = "<!-- verbs: end -->";

    /// With `REWRITE_REFERENCE` in the environment the file is written instead.
    #[test]
    fn the_reference_is_what_the_verbs_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/formats/workflow.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (found, after) = rest.split_once(END).unwrap();
        if std::env::var_os("REWRITE_REFERENCE").is_some() {
            let whole = format!("{before}{BEGIN}{}{END}{after}", table());
            std::fs::write(path, whole).unwrap();
        } else {
            assert_eq!(found, table(), "run this test with REWRITE_REFERENCE=1");
        }
    }
}
