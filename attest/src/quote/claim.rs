//! Register values as somebody claims them, before a quote says anything of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::enrolment::PcrValue;
use crate::tpm::attest::Selection;
use crate::tpm::{ALG_SHA1, ALG_SHA256, ALG_SHA384, ALG_SHA512, BANKS, bank_name};

/// The most bytes that a file of claimed values may have: four banks of 24 registers are under
/// 16 KiB.
pub const MAX_CLAIM: usize = 64 * 1024;

/// Registers that a TPM has here (TCG PC Client Platform TPM Profile, section 4.6).
pub(super) const REGISTERS: u8 = 24;

/// The banks that a claim may name.
const CLAIMABLE: [u16; 4] = [ALG_SHA1, ALG_SHA256, ALG_SHA384, ALG_SHA512];

/// Claimed values: bank, register, value. Nothing of them is true until a quote is over them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimedRegisters {
    values: BTreeMap<(u16, u8), Vec<u8>>,
}

/// Why bytes are no claimed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the register values cannot be read: {0}")]
pub struct ClaimError(String);

impl ClaimedRegisters {
    /// Reads values from JSON of the form `{"sha256":{"7":"hex"}}`: known banks, registers 0 to
    /// 23 in plain decimal, values of the bank's length, no bank or register twice.
    ///
    /// # Errors
    /// [`ClaimError`] with the first thing that is otherwise.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ClaimError> {
        if bytes.len() > MAX_CLAIM {
            return Err(ClaimError(format!("more than {MAX_CLAIM} bytes")));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let claimed = reader
            .deserialize_map(Banks)
            .map_err(|error| ClaimError(error.to_string()))?;
        reader
            .end()
            .map_err(|error| ClaimError(error.to_string()))?;
        Ok(claimed)
    }

    /// The values of an evidence: the SHA-256 bank. A register that is there twice counts once.
    #[must_use]
    pub fn of_sha256(pcrs: &[PcrValue]) -> Self {
        let values = pcrs.iter().map(|pcr| {
            let value = pcr.value.as_bytes().to_vec();
            ((ALG_SHA256, pcr.pcr), value)
        });
        Self {
            values: values.collect(),
        }
    }

    /// The claimed value of a register.
    #[must_use]
    pub fn value(&self, bank: u16, pcr: u8) -> Option<&[u8]> {
        self.values.get(&(bank, pcr)).map(Vec::as_slice)
    }

    /// Banks, registers and values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u8, &[u8])> {
        self.values
            .iter()
            .map(|((bank, pcr), value)| (*bank, *pcr, value.as_slice()))
    }

    /// The registers, as in `sha256:0,1,7`.
    #[must_use]
    pub fn words(&self) -> String {
        registers_in_words(self.values.keys().copied())
    }
}

/// A quote's selections as in `sha256:0,1,7 + sha384:7`.
#[must_use]
pub fn selections_in_words(selections: &[Selection]) -> String {
    let each = selections.iter().flat_map(|selection| {
        let pcrs = selection.pcrs.iter();
        pcrs.map(|pcr| (selection.bank, *pcr))
    });
    registers_in_words(each)
}

fn registers_in_words(registers: impl Iterator<Item = (u16, u8)>) -> String {
    let mut words = String::new();
    let mut before = None;
    for (bank, pcr) in registers {
        if before == Some(bank) {
            words.push_str(&format!(",{pcr}"));
        } else {
            let gap = if words.is_empty() { "" } else { " + " };
            words.push_str(&format!("{gap}{}:{pcr}", bank_name(bank)));
        }
        before = Some(bank);
    }
    if words.is_empty() {
        words.push_str("nothing");
    }
    words
}

/// The outer object: banks.
struct Banks;
/// A bank's object: its registers.
struct Registers {
    bank: u16,
    len: usize,
}

impl<'de> Visitor<'de> for Banks {
    type Value = ClaimedRegisters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of banks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimedRegisters, A::Error> {
        let mut claimed = ClaimedRegisters::default();
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            // Not every bank that a log may have: only those whose digest this program computes.
            let mut known = BANKS.iter().filter(|(_, bank, _)| CLAIMABLE.contains(bank));
            let known = known.find(|(known, ..)| *known == name);
            let Some((_, bank, len)) = known else {
                let name = shown(&name);
                return Err(de::Error::custom(format!("{name} is no bank known here")));
            };
            if seen.contains(bank) {
                return Err(de::Error::custom(format!("the bank {name} is there twice")));
            }
            seen.push(*bank);
            let registers = Registers {
                bank: *bank,
                len: *len,
            };
            claimed.values.extend(map.next_value_seed(registers)?);
        }
        Ok(claimed)
    }
}

impl<'de> de::DeserializeSeed<'de> for Registers {
    type Value = BTreeMap<(u16, u8), Vec<u8>>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Registers {
    type Value = BTreeMap<(u16, u8), Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of registers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((name, digits)) = map.next_entry::<String, String>()? {
            let pcr = (0..REGISTERS).find(|pcr| pcr.to_string() == name);
            let Some(pcr) = pcr else {
                let name = shown(&name);
                return Err(de::Error::custom(format!("{name} is no register 0 to 23")));
            };
            let value = hex::decode(&digits)
                .ok()
                .filter(|value| value.len() == self.len);
            let Some(value) = value else {
                let (bank, len) = (bank_name(self.bank), self.len);
                return Err(de::Error::custom(format!(
                    "the value of {bank}:{pcr} is not {len} bytes in hexadecimal"
                )));
            };
            if values.insert((self.bank, pcr), value).is_some() {
                let bank = bank_name(self.bank);
                return Err(de::Error::custom(format!("{bank}:{pcr} is there twice")));
            }
        }
        Ok(values)
    }
}

/// A name of outside origin, short enough for a message.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(24).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        ClaimedRegisters::from_json(json.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn values_of_two_banks_are_read() {
        let json = format!(
            r#" {{"sha256":{{"7":"{}","0":"{}"}},"sha1":{{"7":"{}"}}}} "#,
            "AB".repeat(32),
            "01".repeat(32),
            "02".repeat(20)
        );
        let claimed = ClaimedRegisters::from_json(json.as_bytes()).unwrap();
        assert_eq!(claimed.words(), "sha1:7 + sha256:0,7");
        assert_eq!(claimed.value(ALG_SHA256, 7), Some(&[0xab; 32][..]));
    }

    #[test]
    fn whatever_can_be_read_in_two_ways_is_refused() {
        let value = "00".repeat(32);
        for (json, why) in [
            (
                format!(r#"{{"sha256":{{"7":"{value}","7":"{value}"}}}}"#),
                "sha256:7 is there twice",
            ),
            (
                format!(r#"{{"sha256":{{"7":"{value}"}},"sha256":{{}}}}"#),
                "there twice",
            ),
            (format!(r#"{{"sha256":{{"07":"{value}"}}}}"#), "no register"),
            (format!(r#"{{"sha256":{{"24":"{value}"}}}}"#), "no register"),
            (format!(r#"{{"sha256":{{"-1":"{value}"}}}}"#), "no register"),
            (format!(r#"{{"sha3":{{"7":"{value}"}}}}"#), "no bank"),
            (format!(r#"{{"sha384":{{"7":"{value}"}}}}"#), "48 bytes"),
            (format!(r#"{{"sha256":{{"7":"0x{value}"}}}}"#), "32 bytes"),
            (
                format!(r#"{{"sha256":{{"7":"{value}"}}}} {{}}"#),
                "trailing",
            ),
            (
                format!(r#"{{"sha256":{{"7":["{value}"]}}}}"#),
                "expected a string",
            ),
            (r#"{"sha256":[]}"#.to_owned(), "object of registers"),
            ("[]".to_owned(), "object of banks"),
            ("[".repeat(100_000), "more than"),
            ("[".repeat(60_000), "object of banks"),
            (String::new(), "EOF"),
        ] {
            let found = error(&json);
            assert!(
                found.contains(why),
                "{found} for {}",
                &json[..json.len().min(80)]
            );
        }
    }
}
