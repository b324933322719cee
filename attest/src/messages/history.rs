//! What the auditor's ledger says of earlier verdicts on the same key.

phrases! {
    first() = "history.first",
        en "The ledger has no earlier evidence of this key.",
        fr "Le registre ne contient aucune preuve antérieure de cette clé.";
    follows(count: usize) = "history.follows",
        en "Clock, counters and audit log go on from the ledger's earlier evidence of this key ({count}).",
        fr "L'horloge, les compteurs et le journal d'audit font suite aux preuves antérieures de cette clé dans le registre ({count}).";
    maybe_older(record: u64) = "history.maybe-older",
        en "The clock stands before that of record {record}. Without an answer to a challenge made since, this may be an older evidence, or a TPM that was rolled back.",
        fr "L'horloge est antérieure à celle de la ligne {record}. Sans réponse à un défi émis depuis, il peut s'agir d'une preuve plus ancienne ou d'un TPM ramené en arrière.";
    seen(record: u64, at: &str) = "history.seen",
        en "This very evidence was judged before: record {record}, {at}.",
        fr "Cette preuve même a déjà été jugée : ligne {record}, {at}.";
    failed(record: u64, at: &str, verdict: &str, codes: &str) = "history.failed",
        en "The verdict before this one on the same appliance was {verdict} ({codes}): record {record}, {at}.",
        fr "Le verdict précédent sur ce même appareil était {verdict} ({codes}) : ligne {record}, {at}.";
    torn(record: u64) = "history.torn",
        en "The ledger's last line was not written to its end; record {record} says so.",
        fr "La dernière ligne du registre n'avait pas été écrite jusqu'au bout ; la ligne {record} le constate.";
    not_comparable() = "history.not-comparable",
        en "No quote holds, so nothing of this evidence can be compared with earlier ones.",
        fr "Aucun relevé n'est valable : rien dans cette preuve ne peut être comparé aux précédentes.";
}
