//! Files, formats and the program itself.

codes! {
    FORMAT_MALFORMED = "format.malformed",
        en "The bytes are not the canonical CBOR of the format.",
           "Copy the file again; if it stays so, the side that wrote it is at fault.",
        fr "Les octets ne sont pas le CBOR canonique du format.",
           "Copier le fichier à nouveau ; si l'erreur persiste, elle vient du côté qui l'a écrit.";
    FORMAT_TOO_LARGE = "format.too-large",
        en "The file is larger than its format allows.",
           "Check that the right file was given.",
        fr "Le fichier dépasse la taille que son format autorise.",
           "Vérifier que le bon fichier a été donné.";
    FORMAT_UNKNOWN = "format.unknown",
        en "The file is of another kind or of a version that this program does not read.",
           "Check that the right file was given, or use the program of that version.",
        fr "Le fichier est d'un autre genre, ou d'une version que ce programme ne lit pas.",
           "Vérifier que le bon fichier a été donné, ou utiliser le programme de cette version.";
    FORMAT_MEMBER = "format.member",
        en "A member is too long or has a value that the format forbids.",
           "Copy the file again; if it stays so, the side that wrote it is at fault.",
        fr "Un membre est trop long ou a une valeur que le format interdit.",
           "Copier le fichier à nouveau ; si l'erreur persiste, elle vient du côté qui l'a écrit.";
    ENVELOPE_KEY = "envelope.key",
        en "The document names another key than the trusted one as its signer.",
           "Check that the right public key was given.",
        fr "Le document désigne comme signataire une autre clé que la clé de confiance.",
           "Vérifier que la bonne clé publique a été donnée.";
    ENVELOPE_SIGNATURE = "envelope.signature",
        en "The document's signature does not hold for the trusted key.",
           "Treat the document as forged or damaged; get it again from its signer.",
        fr "La signature du document n'est pas valable pour la clé de confiance.",
           "Considérer le document comme falsifié ou endommagé ; le redemander à son signataire.";
    FILE_UNREADABLE = "file.unreadable",
        en "A file cannot be read.",
           "Check its name and that you may read it.",
        fr "Un fichier ne peut pas être lu.",
           "Vérifier son nom et le droit de le lire.";
    FILE_UNWRITABLE = "file.unwritable",
        en "A file or the output cannot be written.",
           "Check the folder, its rights and its space; an existing file is never overwritten.",
        fr "Un fichier ou la sortie ne peut pas être écrit.",
           "Vérifier le dossier, ses droits et la place libre ; un fichier existant n'est jamais écrasé.";
    KEY_MALFORMED = "key.malformed",
        en "A key file cannot be read as the kind of key that is wanted.",
           "Give an Ed25519 key for owner and log, a P-256 key for the release, as PEM.",
        fr "Un fichier de clé ne peut pas être lu comme une clé du genre voulu.",
           "Donner en PEM une clé Ed25519 pour le propriétaire et le journal, une clé P-256 pour la version.";
    RANDOM_UNAVAILABLE = "random.unavailable",
        en "The system gives no random bytes.",
           "This is a fault of the system: use another machine.",
        fr "Le système ne fournit pas d'octets aléatoires.",
           "C'est un défaut du système : utiliser une autre machine.";
    CODE_UNKNOWN = "code.unknown",
        en "There is no such code in this program.",
           "List all codes with `attest explain`.",
        fr "Ce programme n'a pas de code de ce nom.",
           "Lister tous les codes avec `attest explain`.";
    CREDENTIAL_EK = "credential.ek",
        en "No credential can be made for the enrolled endorsement key.",
           "Enrol the appliance with a P-256, P-384 or RSA endorsement key, or challenge it without --enrolment.",
        fr "Aucun secret chiffré ne peut être fait pour la clé d'endossement enrôlée.",
           "Enrôler l'appareil avec une clé d'endossement P-256, P-384 ou RSA, ou émettre le défi sans --enrolment.";
}
