//! The judgement of one quote written down.

use serde_json::{Map, Value, json};

use super::json::check_json;
use super::printable;
use super::text::lines;
use super::wrap::wrapped;
use crate::messages::{Language, Phrase, identity};
use crate::quote::single::Examination;
use crate::tpm::bank_name;
use crate::verdict::Decision;

impl Examination {
    /// The one line: the decision and the code behind it.
    #[must_use]
    pub fn line_in(&self, language: Language) -> String {
        let code = self.code().map_or("", |code| code.id);
        let line: Phrase = match self.decision() {
            Decision::Pass => identity::single_pass(),
            Decision::Conditional => identity::single_conditional(code),
            Decision::Fail => identity::single_fail(code),
        };
        line.text(language)
    }

    /// The whole judgement in plain text: the line first, no line longer than 80 columns.
    #[must_use]
    pub fn text_in(&self, language: Language) -> String {
        let mut text = self.line_in(language);
        text.push('\n');
        let facts = self.facts().iter();
        let facts = facts.map(|(name, value)| (name.text(language), printable(value)));
        let registers = self.registers().into_iter().flat_map(|all| all.iter());
        let registers = registers
            .map(|(bank, pcr, value)| (format!("{}:{pcr}", bank_name(bank)), hex::encode(value)));
        let named: Vec<(String, String)> = facts.chain(registers).collect();
        let longest = named.iter().map(|(name, _)| name.chars().count()).max();
        let width = longest.map_or(12, |longest| longest.saturating_add(1).max(12));
        for (name, value) in named {
            let lead = format!("  {name:<width$}");
            text.push_str(&wrapped(&lead, width.saturating_add(2), &value));
        }
        text.push('\n');
        for check in self.checks() {
            text.push_str(&lines(check, language));
        }
        let scope = identity::single_scope().text(language);
        text.push_str(&wrapped("\n", 0, &scope));
        text
    }

    /// The whole judgement as JSON; ids are the same in every language.
    #[must_use]
    pub fn json_in(&self, language: Language) -> Value {
        let checks = self
            .checks()
            .iter()
            .map(|check| check_json(check, language));
        let facts = self.facts().iter();
        // `single.fact.key` is `key` here.
        let id = |name: &Phrase| name.id().rsplit('.').next().unwrap_or_default().to_owned();
        let facts = facts.map(|(name, value)| (id(name), Value::from(value.as_str())));
        let mut registers: Map<String, Value> = Map::new();
        for (bank, pcr, value) in self.registers().into_iter().flat_map(|all| all.iter()) {
            let bank = registers
                .entry(bank_name(bank))
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(bank) = bank {
                bank.insert(pcr.to_string(), hex::encode(value).into());
            }
        }
        json!({
            "verdict": self.decision().id(),
            "language": language.tag(),
            "line": self.line_in(language),
            "code": self.code().map(|code| code.id),
            "quote": facts.collect::<Map<String, Value>>(),
            "registers": registers,
            "checks": checks.collect::<Vec<Value>>(),
            "scope": identity::single_scope().text(language),
        })
    }
}
