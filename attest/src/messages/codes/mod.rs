//! The sentences of every code, by area. A new code is one entry here and is `code::NAME` at once.

/// One area's codes: for each a constant, and both languages.
macro_rules! codes {
    ($($name:ident = $id:literal,
        en $what:literal, $next:literal,
        fr $quoi:literal, $suite:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $what)]
            pub const $name: $crate::code::Code =
                $crate::code::Code { id: $id, what: $what, next: $next };
        )*
        pub(super) const ALL: &[(&$crate::code::Code, $crate::messages::French)] = &[
            $((&$name, $crate::messages::French { what: $quoi, next: $suite })),*
        ];
    };
}

pub mod audit;
pub mod boot;
pub mod certificate;
pub mod file;
pub mod history;
pub mod identity;
pub mod log;
pub mod member;
pub mod predict;
pub mod quote;
pub mod register;
pub mod release;
pub mod revocation;
pub mod single;
pub mod verdict;

use super::French;
use crate::code::Code;

/// Every code of this crate with its French words, area by area.
pub(crate) fn all() -> impl Iterator<Item = &'static (&'static Code, French)> {
    let areas = [
        audit::ALL,
        boot::ALL,
        file::ALL,
        history::ALL,
        identity::ALL,
        certificate::ALL,
        release::ALL,
        revocation::ALL,
        predict::ALL,
        quote::ALL,
        single::ALL,
        log::ALL,
        register::ALL,
        verdict::ALL,
        member::ALL,
    ];
    areas.into_iter().flatten()
}
