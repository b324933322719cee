//! What a verdict says besides codes. A new phrase is one entry here and a function at once.

// What holds.
phrases! {
    members_hold() = "members.hold",
        en "No member differs from its digest.",
        fr "Aucun membre ne diffère de son empreinte.";
    challenge_answered() = "challenge.answered",
        en "The evidence answers this challenge, in time.",
        fr "La preuve répond à ce défi, dans les délais.";
    enrolment_holds() = "enrolment.holds",
        en "The evidence is of the appliance that the owner enrolled.",
        fr "La preuve est celle de l'appareil que le propriétaire a enrôlé.";
    endorsement_holds() = "endorsement.holds",
        en "These are the enrolled endorsement key and certificate.",
        fr "La clé et le certificat d'endossement sont ceux de l'enrôlement.";
    attestation_holds(kind: &str) = "attestation.holds",
        en "This is the enrolled {kind} key, bound to its TPM and restricted.",
        fr "C'est la clé {kind} enrôlée, liée à son TPM et restreinte.";
    activation_holds() = "activation.holds",
        en "Attestation key and endorsement key are of one TPM.",
        fr "La clé d'attestation et la clé d'endossement sont d'un même TPM.";
    release_holds(product: &str, version: &str, number: u64) = "release.holds",
        en "{product} {version} (number {number}), signed by the release key.",
        fr "{product} {version} (numéro {number}), signée par la clé de publication.";
    revocations_age(number: u64, days: u64, count: usize) = "revocations.age",
        en "List {number}, {days} days old, {count} entries.",
        fr "Liste {number}, vieille de {days} jours, {count} entrées.";
    quote_holds() = "quote.holds",
        en "The TPM vouches for every member and for the policy's registers.",
        fr "Le TPM répond de chaque membre et des registres de la politique.";
    logs_lead(count: usize) = "logs.lead",
        en "{count} events lead to the quoted registers.",
        fr "{count} événements mènent aux registres relevés.";
    secure_boot_holds(content: &str) = "secure-boot.holds",
        en "On. {content}",
        fr "Actif. {content}";
    registers_hold(count: usize) = "registers.hold",
        en "All {count} are as the release and the enrolment have them.",
        fr "Les {count} registres sont tels que la version et l'enrôlement les donnent.";
    log_key_holds() = "log-key.holds",
        en "Certified by the attestation key, bound to the TPM.",
        fr "Certifiée par la clé d'attestation, liée au TPM.";
    audit_head_holds(count: u64) = "audit-head.holds",
        en "Signed by the log's key and by the TPM; entries: {count}.",
        fr "Signée par la clé du journal et par le TPM ; entrées : {count}.";
    artifacts_none() = "artifacts.none",
        en "The evidence carries no artifact manifest.",
        fr "La preuve ne contient aucun manifeste d'artefacts.";
    artifacts_one() = "artifacts.one",
        en "1 manifest, signed by the log's key.",
        fr "1 manifeste, signé par la clé du journal.";
    artifacts_many(count: usize) = "artifacts.many",
        en "{count} manifests, signed by the log's key.",
        fr "{count} manifestes, signés par la clé du journal.";
    export_holds(count: usize, later: usize) = "export.holds",
        en "Its first {count} entries are those of the evidence; {later} came later.",
        fr "Ses {count} premières entrées sont celles de la preuve ; {later} sont venues ensuite.";
    clock_holds() = "clock.holds",
        en "The clock stated is the one that the TPM signed.",
        fr "L'heure indiquée est celle que le TPM a signée.";
    root_is_development() = "root.is-development",
        en "Nothing stands behind the TPM: it is a development stand's.",
        fr "Rien ne garantit le TPM : c'est celui d'un banc de développement.";
    root_is_swtpm_ca() = "root.is-swtpm-ca",
        en "A software TPM, which the certificate authority of its host vouches for.",
        fr "Un TPM logiciel, dont répond l'autorité de certification de son hôte.";
    root_is_hardware() = "root.is-hardware",
        en "A TPM whose endorsement certificate leads to its vendor.",
        fr "Un TPM dont le certificat d'endossement remonte à son fabricant.";
    root_is_first_use() = "root.is-first-use",
        en "What the owner saw at enrolment; no certificate vouches for the TPM.",
        fr "Ce que le propriétaire a vu à l'enrôlement ; aucun certificat ne répond du TPM.";

    // Why something is weaker or was not judged.
    activation_unasked() = "activation.unasked",
        en "No challenge was given, so nothing was activated.",
        fr "Aucun défi n'a été donné, donc rien n'a été activé.";
    activation_bare() = "activation.bare",
        en "The challenge carries no credential.",
        fr "Le défi ne contient pas de secret chiffré.";
    activation_kept() = "activation.kept",
        en "The challenge's secret was not given.",
        fr "Le secret du défi n'a pas été donné.";
    unjudged_endorsement() = "unjudged.endorsement",
        en "The endorsement key above it cannot be read.",
        fr "La clé d'endossement dont elle dépend est illisible.";
    unjudged_no_quote() = "unjudged.no-quote",
        en "There is no quote to hold it against.",
        fr "Il n'y a pas de relevé auquel se référer.";
    unjudged_no_key() = "unjudged.no-key",
        en "There is no attestation key to check it with.",
        fr "Il n'y a pas de clé d'attestation pour le contrôler.";
    unjudged_no_audit_key() = "unjudged.no-audit-key",
        en "There is no key of the audit log to check it with.",
        fr "Il n'y a pas de clé du journal d'audit pour le contrôler.";
    unjudged_cosigner() = "unjudged.cosigner",
        en "The log key that cosigns does not hold.",
        fr "La clé qui contresigne le journal n'est pas valable.";
    unjudged_measured() = "unjudged.measured",
        en "Release, quote or event logs do not hold.",
        fr "La version, le relevé ou les journaux d'événements ne sont pas valables.";

    // Roots.
    root_development() = "root.development",
        en "development root",
        fr "racine de développement";
    root_swtpm_ca() = "root.swtpm-ca",
        en "software TPM root",
        fr "racine de TPM logiciel";
    root_hardware() = "root.hardware",
        en "hardware root",
        fr "racine matérielle";
    root_first_use() = "root.first-use",
        en "trust on first use",
        fr "confiance à la première utilisation";

    // The verdict's words.
    decision_pass() = "decision.pass",
        en "PASS",
        fr "CONFORME";
    decision_conditional() = "decision.conditional",
        en "CONDITIONAL",
        fr "SOUS RÉSERVE";
    decision_fail() = "decision.fail",
        en "FAIL",
        fr "NON CONFORME";
    decision_malformed() = "decision.malformed",
        en "MALFORMED",
        fr "ILLISIBLE";
    all_judged(all: usize, pass: usize, conditional: usize, fail: usize, malformed: usize) = "all.judged",
        en "Files: {all}. PASS {pass}, CONDITIONAL {conditional}, FAIL {fail}, MALFORMED {malformed}.",
        fr "Fichiers : {all}. CONFORME {pass}, SOUS RÉSERVE {conditional}, NON CONFORME {fail}, ILLISIBLE {malformed}.";
    mark_pass() = "mark.pass",
        en "ok",
        fr "ok";
    mark_note() = "mark.note",
        en "note",
        fr "note";
    mark_weak() = "mark.weak",
        en "weak",
        fr "faible";
    mark_unjudged() = "mark.unjudged",
        en "open",
        fr "ouvert";
    mark_fail() = "mark.fail",
        en "FAIL",
        fr "ÉCHEC";

    // Headings.
    heading_evidence() = "heading.evidence",
        en "evidence",
        fr "preuve";
    heading_enrolment() = "heading.enrolment",
        en "enrolment",
        fr "enrôlement";
    heading_appliance() = "heading.appliance",
        en "appliance",
        fr "appareil";
    heading_release() = "heading.release",
        en "release",
        fr "version";
    heading_audit_log() = "heading.audit-log",
        en "audit log",
        fr "journal";
    heading_audit_root() = "heading.audit-root",
        en "audit root",
        fr "racine";
    heading_job() = "heading.job",
        en "job",
        fr "tâche";
    heading_clock() = "heading.clock",
        en "TPM clock",
        fr "horloge TPM";
    heading_expected() = "heading.expected",
        en "expected",
        fr "attendu";
    heading_found() = "heading.found",
        en "found",
        fr "trouvé";
    heading_detail() = "heading.detail",
        en "detail",
        fr "détail";
    heading_code() = "heading.code",
        en "code",
        fr "code";
    heading_next() = "heading.next",
        en "next",
        fr "suite";
    explain_next(next: &str) = "explain.next",
        en "Next: {next}",
        fr "Suite : {next}";
    fact_audit_log(origin: &str, count: u64) = "fact.audit-log",
        en "{origin}, entries: {count}",
        fr "{origin}, entrées : {count}";
    fact_job(job: &str, count: usize) = "fact.job",
        en "{job}, artifacts: {count}",
        fr "{job}, artefacts : {count}";
    fact_clock(ms: u64, resets: u32, restarts: u32) = "fact.clock",
        en "{ms} ms, resets: {resets}, restarts: {restarts}",
        fr "{ms} ms, réinitialisations : {resets}, redémarrages : {restarts}";
    fact_release(product: &str, version: &str, number: u64) = "fact.release",
        en "{product} {version} (number {number})",
        fr "{product} {version} (numéro {number})";
}
