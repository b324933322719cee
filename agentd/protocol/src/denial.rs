//! One thing that a layer held.

use minicbor::{Decode, Encode};

/// What was denied to a program, by which layer, and what would allow it. The texts
/// are agentd's, made printable; names in them are the program's own choice.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Denial {
    /// Where: a compartment of a job, or `exec`.
    #[n(0)]
    pub compartment: String,
    /// The program's name. Empty if it is not known.
    #[n(1)]
    pub program: String,
    /// The layer's name; `grants` if the job's own grants do not cover it.
    #[n(2)]
    pub layer: String,
    /// What was denied, to what, after "wanted to".
    #[n(3)]
    pub what: String,
    /// What the layer goes by.
    #[n(4)]
    pub why: String,
    /// What would allow it, if anything may.
    #[n(5)]
    pub rule: Option<String>,
    /// How often.
    #[n(6)]
    pub count: u64,
}

impl Denial {
    /// All of it but how often, for a person.
    pub fn sentence(&self) -> String {
        let Self {
            compartment,
            program,
            layer,
            what,
            why,
            ..
        } = self;
        let who = match program.as_str() {
            "" => format!("a program ({compartment})"),
            program => format!("{program} ({compartment})"),
        };
        let rule = match &self.rule {
            Some(rule) => format!("To allow it: {rule}."),
            None => "No rule can allow it.".to_owned(),
        };
        format!("{who} wanted to {what}: refused by the layer {layer}, {why}. {rule}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_who_what_the_layer_and_the_rule() {
        let mut denial = Denial {
            compartment: "desktop".into(),
            program: "evince".into(),
            layer: "landlock".into(),
            what: "read /opt/x".into(),
            why: "the profile desktop gives nothing at /opt/x".into(),
            rule: Some("\"/opt/x\" = \"read\" below [pack] in the profile desktop".into()),
            count: 3,
        };
        assert_eq!(
            denial.sentence(),
            "evince (desktop) wanted to read /opt/x: refused by the layer landlock, the profile \
             desktop gives nothing at /opt/x. To allow it: \"/opt/x\" = \"read\" below [pack] in \
             the profile desktop."
        );
        denial.program.clear();
        denial.rule = None;
        let text = denial.sentence();
        assert!(text.starts_with("a program (desktop) wanted"), "{text}");
        assert!(text.ends_with("No rule can allow it."), "{text}");
    }
}
