//! What a verdict judges. A new subject is one entry here.

use super::Language;

macro_rules! subjects {
    ($($(#[$doc:meta])* $name:ident = $weight:ident, $id:literal, fr $french:literal;)*) => {
        /// What a check is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Subject {
            $($(#[$doc])* $name,)*
        }

        impl Subject {
            /// Every subject, in the order of a verdict.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its stable name, English.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Its name.
            #[must_use]
            pub const fn name(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$name, Language::English) => $id,
                        (Self::$name, Language::French) => $french,
                    )*
                }
            }

            /// Whether a verdict that does not judge it is none.
            #[must_use]
            pub const fn is_required(self) -> bool {
                match self { $(Self::$name => subjects!(@ $weight),)* }
            }
        }
    };
    (@ required) => { true };
    (@ optional) => { false };
}

subjects! {
    /// That no member of the evidence was altered.
    Members = required, "members", fr "membres";
    /// That the evidence answers the auditor's challenge.
    Challenge = required, "challenge", fr "défi";
    /// That it is of the enrolled appliance.
    Enrolment = required, "enrolment", fr "enrôlement";
    /// The TPM's endorsement key and certificate.
    EndorsementKey = required, "endorsement key", fr "clé d'endossement";
    /// The key that signs quotes.
    AttestationKey = required, "attestation key", fr "clé d'attestation";
    /// That both are keys of one TPM.
    Activation = required, "activation", fr "activation";
    /// The release manifest.
    Release = required, "release", fr "version";
    /// The owner's list of what is revoked, when one was given.
    Revocations = optional, "revocations", fr "révocations";
    /// The TPM's signed statement of its registers.
    Quote = required, "quote", fr "relevé du TPM";
    /// The logs of what was measured.
    EventLogs = required, "event logs", fr "journaux d'événements";
    /// What the firmware enforced when it started the image.
    SecureBoot = required, "secure boot", fr "démarrage sécurisé";
    /// The registers against release and enrolment.
    Registers = required, "registers", fr "registres";
    /// The TPM's key that cosigns the audit log.
    LogKey = required, "log key", fr "clé du journal";
    /// The audit log's checkpoint.
    AuditHead = required, "audit head", fr "tête du journal d'audit";
    /// The jobs' artifact manifests.
    Artifacts = required, "artifacts", fr "artefacts";
    /// An export of the audit log, when one was given.
    AuditExport = optional, "audit export", fr "export du journal d'audit";
    /// The TPM's clock.
    Clock = required, "clock", fr "horloge";
    /// The auditor's own records of earlier verdicts, when they are kept.
    History = optional, "history", fr "historique";
    /// What stands behind it all.
    Root = required, "root", fr "racine de confiance";
}
