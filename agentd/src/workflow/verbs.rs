//! The verbs of a script: each is one action, asked of agentd.
//!
//! The verbs themselves stand in [`super::screen`], [`super::files`] and
//! [`super::report`]; here is the list of them, and what each needs granted.

use casemate_protocol::action::Verb;
use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension};
use starlark::values::dict::AllocDict;
use starlark::values::list::AllocList;

use super::{decimal, files, report, screen};

/// Each verb that needs a grant, with the kind of action that it asks for.
pub const NEEDS: &[(&str, Verb)] = &[
    ("open", Verb::Open),
    ("close", Verb::Close),
    ("wait", Verb::Wait),
    ("try_wait", Verb::Wait),
    ("click", Verb::Click),
    ("type_text", Verb::Type),
    ("keys", Verb::Keys),
    ("read", Verb::Read),
    ("read_screen", Verb::Read),
    ("screenshot", Verb::Screenshot),
    ("set_cell", Verb::Cell),
    ("get_cell", Verb::Cell),
    ("list_files", Verb::Files),
    ("read_file", Verb::Files),
    ("write_file", Verb::Files),
    ("template", Verb::Files),
    ("verify_sheet", Verb::Verify),
];

/// The kind of action that a name stands for, if it is a verb that needs a grant.
pub fn needs(name: &str) -> Option<Verb> {
    NEEDS
        .iter()
        .find(|(verb, _)| *verb == name)
        .map(|(_, kind)| *kind)
}

/// Verbs and functions of ours that need no grant.
pub const FREE: &[&str] = &[
    "log",
    "finding",
    "row",
    "fail_job",
    "squash",
    "decimal",
    "is_decimal",
];

/// Whether a name is a verb or function of ours.
pub fn is_ours(name: &str) -> bool {
    needs(name).is_some() || FREE.contains(&name)
}

/// Adds every verb and value of ours to what a script can name.
pub fn add(builder: &mut GlobalsBuilder) {
    screen::verbs(builder);
    files::verbs(builder);
    report::verbs(builder);
    decimal::globals(builder);
}

/// Everything that a script can name: the language's own built-ins, the verbs,
/// `params` and `inputs`.
pub fn globals(parameters: &[(String, String)], inputs: &[String]) -> Globals {
    let mut builder = GlobalsBuilder::extended_by(&[LibraryExtension::StructType]);
    add(&mut builder);
    builder.set(
        "params",
        AllocDict(parameters.iter().map(|(k, v)| (k.as_str(), v.as_str()))),
    );
    builder.set("inputs", AllocList(inputs.iter().map(String::as_str)));
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_listed_with_what_it_needs() {
        let globals = GlobalsBuilder::new().with(add).build();
        let mut defined: Vec<_> = globals.names().map(|n| n.as_str().to_owned()).collect();
        let mut listed: Vec<_> = NEEDS
            .iter()
            .map(|(name, _)| *name)
            .chain(FREE.iter().copied())
            .collect();
        defined.sort();
        listed.sort_unstable();
        assert_eq!(defined, listed);
    }
}
