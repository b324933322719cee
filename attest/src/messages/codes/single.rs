//! One quote without an evidence around it, and keys that are not allowed.

codes! {
    AK_REFUSED = "ak.refused",
        en "The attestation key's kind, curve, size or hash is not allowed.",
           "Use a P-256, P-384 or RSA key of at least 2048 bits, with SHA-256 or stronger.",
        fr "Le genre, la courbe, la taille ou le hachage de la clé d'attestation n'est pas admis.",
           "Utiliser une clé P-256, P-384 ou RSA d'au moins 2048 bits, avec SHA-256 ou plus fort.";
    AK_UNKNOWN = "ak.unknown",
        en "Only the key's numbers were given: whether it signs outside bytes too is unknown.",
           "Give the key as TPM2B_PUBLIC, as tpm2_readpublic writes it.",
        fr "Seuls les nombres de la clé ont été donnés : on ignore si elle signe aussi des octets extérieurs.",
           "Donner la clé sous forme TPM2B_PUBLIC, telle que tpm2_readpublic l'écrit.";
    QUOTE_REFUSED = "quote.refused",
        en "The signature's algorithm or hash is not allowed, as SHA-1 is not.",
           "Ask for a quote signed with SHA-256 or stronger.",
        fr "L'algorithme ou le hachage de la signature n'est pas admis ; SHA-1 ne l'est pas.",
           "Demander un relevé signé avec SHA-256 ou plus fort.";
    QUOTE_HIGH_S = "quote.high-s",
        en "The signature is in the other of its two spellings (n - s), as a TPM or anyone may write it.",
           "Nothing; never take the signature for the quote's identity.",
        fr "La signature est dans l'autre de ses deux graphies (n - s), qu'un TPM ou n'importe qui peut écrire.",
           "Rien ; ne jamais prendre la signature pour l'identité du relevé.";
    QUOTE_MASKED = "quote.masked",
        en "The TPM masks resets, restarts and firmware version for a key of this hierarchy.",
           "Do not compare these numbers; use a key of the endorsement hierarchy.",
        fr "Le TPM masque les réinitialisations, les redémarrages et la version du micrologiciel pour une clé de cette hiérarchie.",
           "Ne pas comparer ces nombres ; utiliser une clé de la hiérarchie d'endossement.";
    QUOTE_NONCE_UNASKED = "quote.nonce-unasked",
        en "No nonce was given, so the quote may be old.",
           "Give the nonce that was asked with, as --nonce.",
        fr "Aucun nonce n'a été donné : le relevé peut être ancien.",
           "Donner le nonce de la demande avec --nonce.";
    QUOTE_VALUES_UNASKED = "quote.values-unasked",
        en "No register values were given: what the registers hold is not said.",
           "Give the values as --pcrs.",
        fr "Aucune valeur de registre n'a été donnée : le contenu des registres n'est pas connu.",
           "Donner les valeurs avec --pcrs.";
    QUOTE_NOTHING = "quote.nothing",
        en "The quote covers no register.",
           "Ask for a quote of the registers that matter.",
        fr "Le relevé ne couvre aucun registre.",
           "Demander un relevé des registres qui comptent.";
    QUOTE_RESETTABLE = "quote.resettable",
        en "The quote covers register 16 or 23, which anyone at the TPM can reset and fill.",
           "Rely on nothing in these two; a quote of nothing else is refused.",
        fr "Le relevé couvre le registre 16 ou 23, que quiconque accède au TPM peut remettre à zéro et remplir.",
           "Ne se fier à rien dans ces deux registres ; un relevé qui ne couvre qu'eux est refusé.";
    QUOTE_DYNAMIC = "quote.dynamic",
        en "The quote covers registers of a dynamic launch (17 to 22), which a running machine resets.",
           "Rely on them only if the machine makes such a launch.",
        fr "Le relevé couvre des registres de lancement dynamique (17 à 22), qu'une machine en marche réinitialise.",
           "Ne s'y fier que si la machine fait un tel lancement.";
    QUOTE_WEAK_BANK = "quote.weak-bank",
        en "The quote covers a SHA-1 bank, for which other events with the same values can be made.",
           "Ask for a quote of the SHA-256 bank.",
        fr "Le relevé couvre une banque SHA-1, pour laquelle d'autres événements de mêmes valeurs peuvent être fabriqués.",
           "Demander un relevé de la banque SHA-256.";
    REGISTERS_MALFORMED = "registers.malformed",
        en "The register values are not JSON of the wanted form.",
           "Write them as {\"sha256\":{\"7\":\"hexadecimal\"}}, each register once.",
        fr "Les valeurs de registre ne sont pas du JSON de la forme voulue.",
           "Les écrire comme {\"sha256\":{\"7\":\"hexadécimal\"}}, chaque registre une fois.";
    NONCE_MALFORMED = "nonce.malformed",
        en "The nonce is not hexadecimal of at most 66 bytes.",
           "Give it as tpm2_quote was given it, without 0x.",
        fr "Le nonce n'est pas de l'hexadécimal d'au plus 66 octets.",
           "Le donner tel qu'à tpm2_quote, sans 0x.";
    SELFTEST_FAILED = "selftest.failed",
        en "A built-in case did not come out as it must.",
           "Do not use this program: report it.",
        fr "Un cas intégré n'a pas donné le résultat voulu.",
           "Ne pas utiliser ce programme : le signaler.";
}
