//! What is said of one quote alone, of endorsement certificates and of the self-test.

phrases! {
    single_key(kind: &str) = "single.key",
        en "A {kind} key that its TPM made, that never leaves it and signs nothing from outside.",
        fr "Une clé {kind} faite par son TPM, qui n'en sort jamais et ne signe rien d'extérieur.";
    single_signature(scheme: &str) = "single.signature",
        en "A quote that a TPM made, signed by the key: {scheme}.",
        fr "Un relevé fait par un TPM, signé par la clé : {scheme}.";
    single_nonce() = "single.nonce",
        en "The quote was made for this nonce.",
        fr "Le relevé a été fait pour ce nonce.";
    single_nonce_other() = "single.nonce-other",
        en "The quote was made for another nonce, or for none.",
        fr "Le relevé a été fait pour un autre nonce, ou sans nonce.";
    single_signature_wrong() = "single.signature-wrong",
        en "The signature does not hold for this key.",
        fr "La signature n'est pas valable pour cette clé.";
    single_values(count: usize) = "single.values",
        en "The {count} values given are those that the quote is over.",
        fr "Les {count} valeurs données sont celles que le relevé couvre.";
    single_unjudged_key() = "single.unjudged-key",
        en "Not judged, because the key is not allowed.",
        fr "Non jugé, car la clé n'est pas admise.";
    single_pass() = "single.pass",
        en "PASS (a quote by this key)",
        fr "CONFORME (un relevé par cette clé)";
    single_conditional(code: &str) = "single.conditional",
        en "CONDITIONAL (a quote by this key): {code}",
        fr "SOUS RÉSERVE (un relevé par cette clé) : {code}";
    single_fail(code: &str) = "single.fail",
        en "FAIL: {code}",
        fr "NON CONFORME : {code}";
    fact_key() = "single.fact.key",
        en "key",
        fr "clé";
    fact_signer() = "single.fact.signer",
        en "signer",
        fr "signataire";
    fact_nonce() = "single.fact.nonce",
        en "nonce",
        fr "nonce";
    fact_registers() = "single.fact.registers",
        en "registers",
        fr "registres";
    fact_clock() = "single.fact.clock",
        en "clock",
        fr "horloge";
    fact_resets() = "single.fact.resets",
        en "resets",
        fr "réinitialisations";
    fact_restarts() = "single.fact.restarts",
        en "restarts",
        fr "redémarrages";
    fact_firmware() = "single.fact.firmware",
        en "firmware",
        fr "micrologiciel";
    fact_identity() = "single.fact.identity",
        en "identity",
        fr "identité";
    single_scope() = "single.scope",
        en "Whose key it is, is not judged here: that takes an enrolment.",
        fr "À qui est la clé n'est pas jugé ici : il faut pour cela un enrôlement.";
    certificate_holds(model: &str, root: &str) = "certificate.holds",
        en "{model}; a chosen root vouches for its endorsement key: {root}.",
        fr "{model} ; une racine choisie répond de sa clé d'endossement : {root}.";
    selftest_holds(count: usize) = "selftest.holds",
        en "All {count} cases came out as they must.",
        fr "Les {count} cas ont donné le résultat voulu.";
    selftest_fails(wrong: usize, count: usize) = "selftest.fails",
        en "{wrong} of {count} cases did not come out as they must: do not use this program.",
        fr "{wrong} cas sur {count} n'ont pas donné le résultat voulu : ne pas utiliser ce programme.";
}
