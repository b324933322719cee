//! Quotes.

codes! {
    QUOTE_COUNT = "quote.count",
        en "The evidence has no quote, or more than one.",
           "Ask the appliance for new evidence.",
        fr "La preuve n'a aucun relevé, ou en a plus d'un.",
           "Demander une nouvelle preuve à l'appareil.";
    QUOTE_MALFORMED = "quote.malformed",
        en "The quote or its signature is not the TPM's structure, to the last byte.",
           "Treat the evidence as forged.",
        fr "Le relevé ou sa signature n'est pas, à l'octet près, la structure du TPM.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_MAGIC = "quote.magic",
        en "What was signed was not made by a TPM.",
           "Treat the evidence as forged.",
        fr "Ce qui a été signé n'a pas été produit par un TPM.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_KIND = "quote.kind",
        en "The TPM attested something else than a quote.",
           "Treat the evidence as forged.",
        fr "Le TPM a attesté autre chose qu'un relevé de registres.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_SCHEME = "quote.scheme",
        en "The signature's algorithm and hash are not those of the key.",
           "Treat the evidence as forged.",
        fr "L'algorithme et le hachage de la signature ne sont pas ceux de la clé.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_SIGNATURE = "quote.signature",
        en "The quote's signature does not hold for the enrolled attestation key.",
           "Treat the evidence as forged.",
        fr "La signature du relevé n'est pas valable pour la clé d'attestation enrôlée.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_SPELLING = "quote.spelling",
        en "The quote's signature was rewritten into another spelling (n - s).",
           "Treat the evidence as tampered with on its way.",
        fr "La signature du relevé a été réécrite sous une autre forme (n - s).",
           "Considérer la preuve comme altérée en chemin.";
    QUOTE_SIGNER = "quote.signer",
        en "The signing key does not stand in the endorsement hierarchy.",
           "Enrol the appliance again with an attestation key of that hierarchy.",
        fr "La clé qui signe n'est pas dans la hiérarchie d'endossement.",
           "Enrôler l'appareil à nouveau avec une clé d'attestation de cette hiérarchie.";
    QUOTE_QUALIFYING = "quote.qualifying",
        en "The quote was made for another evidence: a member was altered or exchanged.",
           "Treat the evidence as forged or altered; ask for new evidence.",
        fr "Le relevé a été fait pour une autre preuve : un membre a été altéré ou échangé.",
           "Considérer la preuve comme falsifiée ou altérée ; en demander une nouvelle.";
    QUOTE_SELECTION = "quote.selection",
        en "The quote does not cover exactly the registers of the policy.",
           "Treat the evidence as forged.",
        fr "Le relevé ne couvre pas exactement les registres de la politique.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_REGISTERS = "quote.registers",
        en "The register values are not of exactly the quoted registers.",
           "Treat the evidence as forged.",
        fr "Les valeurs données ne sont pas celles d'exactement les registres relevés.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_DIGEST = "quote.digest",
        en "The register values are not those that were quoted.",
           "Treat the evidence as forged.",
        fr "Les valeurs des registres ne sont pas celles qui ont été relevées.",
           "Considérer la preuve comme falsifiée.";
    QUOTE_EMPTY = "quote.empty",
        en "The quoted bank of registers is not in use.",
           "Enable the SHA-256 bank in the firmware, then enrol again.",
        fr "La banque de registres relevée n'est pas utilisée.",
           "Activer la banque SHA-256 dans le micrologiciel, puis enrôler à nouveau.";
}
