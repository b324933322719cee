//! The words of the printable page.

phrases! {
    title() = "page.title",
        en "Attestation verdict",
        fr "Verdict d'attestation";
    judged_at(at: &str) = "page.judged-at",
        en "Judged {at}",
        fr "Jugé le {at}";
    plain_pass(who: &str, release: &str) = "page.plain-pass",
        en "{who} runs release {release}, exactly as it was published, on the hardware and firmware that its owner enrolled. Every check holds.",
        fr "{who} exécute la version {release}, exactement telle que publiée, sur le matériel et le micrologiciel que son propriétaire a enrôlés. Tous les contrôles sont concluants.";
    plain_trial(who: &str, release: &str) = "page.plain-trial",
        en "{who} runs release {release}, exactly as it was published. Every check holds, but this is a trial: nothing stands behind its TPM or its release.",
        fr "{who} exécute la version {release}, exactement telle que publiée. Tous les contrôles sont concluants, mais il s'agit d'un essai : rien ne garantit son TPM ni sa version.";
    plain_conditional(who: &str) = "page.plain-conditional",
        en "{who}: what could be checked holds, but not everything could be checked. The points below say what is missing and how to obtain it.",
        fr "{who} : ce qui a pu être contrôlé est concluant, mais tout n'a pas pu l'être. Les points ci-dessous disent ce qui manque et comment l'obtenir.";
    plain_fail_one(who: &str) = "page.plain-fail-one",
        en "{who} is not to be relied on: one check does not hold.",
        fr "Ne pas se fier à l'appareil. {who} : un contrôle n'est pas concluant.";
    plain_fail_many(who: &str, count: usize) = "page.plain-fail-many",
        en "{who} is not to be relied on: {count} checks do not hold.",
        fr "Ne pas se fier à l'appareil. {who} : {count} contrôles ne sont pas concluants.";
    appliance(label: &str) = "page.appliance",
        en "The appliance “{label}”",
        fr "L'appareil « {label} »";
    appliance_unnamed() = "page.appliance-unnamed",
        en "The appliance",
        fr "L'appareil";
    reasons_fail() = "page.reasons-fail",
        en "What does not hold",
        fr "Ce qui n'est pas concluant";
    reasons_weak() = "page.reasons-weak",
        en "What could not be checked",
        fr "Ce qui n'a pas pu être contrôlé";
    reasons_note() = "page.reasons-note",
        en "What to know besides",
        fr "À savoir par ailleurs";
    next(next: &str) = "page.next",
        en "What to do: {next}",
        fr "Que faire : {next}";
    behind() = "page.behind",
        en "What stands behind this verdict",
        fr "Sur quoi repose ce verdict";
    behind_root(root: &str) = "page.behind-root",
        en "Root of trust: {root}.",
        fr "Racine de confiance : {root}.";
    about() = "page.about",
        en "The appliance and its evidence",
        fr "L'appareil et sa preuve";
    file() = "page.file",
        en "file",
        fr "fichier";
    file_is(digest: &str, bytes: usize) = "page.file-is",
        en "SHA-256 {digest}, {bytes} bytes",
        fr "SHA-256 {digest}, {bytes} octets";
    made_at() = "page.made-at",
        en "made at",
        fr "établie le";
    made_by_its_clock(at: &str) = "page.made-by-its-clock",
        en "{at} (by the appliance's own clock)",
        fr "{at} (d'après l'horloge de l'appareil)";
    checked() = "page.checked",
        en "What was checked",
        fr "Ce qui a été contrôlé";
    column_subject() = "page.column-subject",
        en "Subject",
        fr "Objet";
    column_outcome() = "page.column-outcome",
        en "Result",
        fr "Résultat";
    column_finding() = "page.column-finding",
        en "Finding",
        fr "Constat";
    expected(value: &str) = "page.expected",
        en "expected: {value}",
        fr "attendu : {value}";
    found(value: &str) = "page.found",
        en "found: {value}",
        fr "trouvé : {value}";
    detail(value: &str) = "page.detail",
        en "technical detail: {value}",
        fr "détail technique (en anglais) : {value}";
    registers() = "page.registers",
        en "The TPM's registers",
        fr "Les registres du TPM";
    registers_signed() = "page.registers-signed",
        en "The TPM signed these values (SHA-256 bank).",
        fr "Le TPM a signé ces valeurs (banque SHA-256).";
    registers_claimed() = "page.registers-claimed",
        en "No quote holds: these values are only claimed.",
        fr "Aucun relevé n'est valable : ces valeurs ne sont qu'alléguées.";
    column_register() = "page.column-register",
        en "No",
        fr "N°";
    column_meaning() = "page.column-meaning",
        en "What it measures",
        fr "Ce qu'il mesure";
    column_value() = "page.column-value",
        en "Value",
        fr "Valeur";
    events() = "page.events",
        en "What was measured",
        fr "Ce qui a été mesuré";
    events_vouched(count: usize) = "page.events-vouched",
        en "{count} events. The digest of each is under the TPM's signature; its kind never is. Words that no digest covers are marked: nobody vouches for them.",
        fr "{count} événements. L'empreinte de chacun est couverte par la signature du TPM ; son genre ne l'est jamais. Les mots qu'aucune empreinte ne couvre sont signalés : personne n'en répond.";
    events_claimed(count: usize) = "page.events-claimed",
        en "{count} events. The logs were not found to lead to the signed registers: all of this is only claimed.",
        fr "{count} événements. Il n'est pas établi que les journaux mènent aux registres signés : tout ceci n'est qu'allégué.";
    events_unreadable(log: &str) = "page.events-unreadable",
        en "The log {log} cannot be read.",
        fr "Le journal {log} est illisible.";
    events_more(count: usize) = "page.events-more",
        en "{count} more events are not listed here.",
        fr "{count} autres événements ne sont pas repris ici.";
    log_firmware() = "page.log-firmware",
        en "firmware",
        fr "micrologiciel";
    log_runtime() = "page.log-runtime",
        en "runtime",
        fr "exécution";
    column_event() = "page.column-event",
        en "Event",
        fr "Événement";
    column_words() = "page.column-words",
        en "What it says",
        fr "Ce qu'il dit";
    covered_whole() = "page.covered-whole",
        en "vouched for",
        fr "garanti";
    covered_part() = "page.covered-part",
        en "in part",
        fr "en partie";
    covered_none() = "page.covered-none",
        en "not vouched for",
        fr "non garanti";
    statements() = "page.statements",
        en "What the appliance says of itself",
        fr "Ce que l'appareil dit de lui-même";
    statements_unchecked() = "page.statements-unchecked",
        en "Nobody checks this.",
        fr "Personne ne contrôle cela.";
    sign_auditor() = "page.sign-auditor",
        en "Auditor",
        fr "Auditeur";
    sign_place() = "page.sign-place",
        en "Place and date",
        fr "Lieu et date";
    sign_hand() = "page.sign-hand",
        en "Signature",
        fr "Signature manuscrite";
    foot(version: &str) = "page.foot",
        en "Made offline by attest {version}. This page carries no digital signature: whoever has the evidence file, the enrolment record, the owner's key and the release key can repeat the verdict with `attest verify`. `attest explain CODE` explains a code.",
        fr "Établi hors ligne par attest {version}. Cette page ne porte pas de signature numérique : quiconque détient le fichier de preuve, le dossier d'enrôlement, la clé du propriétaire et la clé de publication peut refaire le verdict avec `attest verify`. `attest explain CODE` explique un code.";
    node_root() = "page.node-root",
        en "root of trust",
        fr "racine de confiance";
    node_tpm() = "page.node-tpm",
        en "enrolled TPM",
        fr "TPM enrôlé";
    node_key() = "page.node-key",
        en "attestation key",
        fr "clé d'attestation";
    node_quote() = "page.node-quote",
        en "signed registers",
        fr "registres signés";
    node_logs() = "page.node-logs",
        en "what was measured",
        fr "ce qui a été mesuré";
    node_release() = "page.node-release",
        en "published release",
        fr "version publiée";
    pcr_0() = "page.pcr-0",
        en "firmware code",
        fr "code du micrologiciel";
    pcr_1() = "page.pcr-1",
        en "firmware settings",
        fr "réglages du micrologiciel";
    pcr_2() = "page.pcr-2",
        en "code of extension cards",
        fr "code des cartes d'extension";
    pcr_3() = "page.pcr-3",
        en "settings of extension cards",
        fr "réglages des cartes d'extension";
    pcr_4() = "page.pcr-4",
        en "what the firmware started",
        fr "ce que le micrologiciel a démarré";
    pcr_5() = "page.pcr-5",
        en "partition table",
        fr "table de partitions";
    pcr_6() = "page.pcr-6",
        en "the manufacturer's own",
        fr "propre au constructeur";
    pcr_7() = "page.pcr-7",
        en "Secure Boot and its keys",
        fr "Secure Boot et ses clés";
    pcr_11() = "page.pcr-11",
        en "parts of the system image, boot phases",
        fr "parties de l'image système, phases de démarrage";
    pcr_12() = "page.pcr-12",
        en "command line from outside the image",
        fr "ligne de commande extérieure à l'image";
    pcr_13() = "page.pcr-13",
        en "system extensions",
        fr "extensions du système";
    pcr_15() = "page.pcr-15",
        en "root file system, machine identity",
        fr "système de fichiers racine, identité de la machine";
    pcr_other() = "page.pcr-other",
        en "another register",
        fr "autre registre";
}
