//! `attest explain`.

use std::process::ExitCode;

use casemate_attest::code;
use casemate_attest::messages::{self, Language, phrases};
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::file;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as quote.signature; without one, all codes are listed
    code: Option<String>,
    /// The language: en or fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    lang: Language,
}

impl Explain {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let lang = self.lang;
        let text = match &self.code {
            None => code::CODES
                .iter()
                .map(|code| format!("{}\n  {}\n", code.id, messages::what(code, lang)))
                .collect(),
            Some(id) => {
                let code = code::find(id).ok_or_else(|| {
                    let (what, why) = ("cannot explain it", format!("{id} is no code here"));
                    let failure = Failure::new(Exit::Malformed, &code::CODE_UNKNOWN, what, why);
                    failure.spoken(lang)
                })?;
                let what = messages::what(code, lang);
                let next = phrases::explain_next(&messages::next(code, lang));
                format!("{}\n\n{what}\n{}\n", code.id, next.text(lang))
            }
        };
        file::say(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
