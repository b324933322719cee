//! Endorsement certificates and what the enrolment makes of them.

codes! {
    CERTIFICATE_ABSENT = "certificate.absent",
        en "There is no endorsement certificate to check.",
           "Enrol the appliance as first-use, or get its certificate from the maker of the TPM.",
        fr "Il n'y a aucun certificat d'endossement à contrôler.",
           "Enrôler l'appareil comme first-use, ou demander son certificat au fabricant du TPM.";
    CERTIFICATE_MALFORMED = "certificate.malformed",
        en "A certificate cannot be read.",
           "Check that the right file was given.",
        fr "Un certificat est illisible.",
           "Vérifier que le bon fichier a été donné.";
    CERTIFICATE_TRAILING = "certificate.trailing",
        en "Behind the certificate stand bytes that are no padding.",
           "Treat the certificate as forged.",
        fr "Le certificat est suivi d'octets qui ne sont pas du remplissage.",
           "Considérer le certificat comme falsifié.";
    CERTIFICATE_ALGORITHM = "certificate.algorithm",
        en "A certificate's key or signature algorithm is not allowed.",
           "Ask the maker of the TPM for a certificate with SHA-256 and RSA of 2048 bits, or better.",
        fr "L'algorithme de clé ou de signature d'un certificat n'est pas admis.",
           "Demander au fabricant du TPM un certificat avec SHA-256 et RSA de 2048 bits, ou mieux.";
    CERTIFICATE_SIGNATURE = "certificate.signature",
        en "A certificate's signature does not hold for its issuer's key.",
           "Treat the certificate as forged.",
        fr "La signature d'un certificat n'est pas valable pour la clé de son émetteur.",
           "Considérer le certificat comme falsifié.";
    CERTIFICATE_ISSUER = "certificate.issuer",
        en "No certificate that was given issued this one.",
           "Give the named issuer as --ek-intermediate, or as --ek-root if you trust it.",
        fr "Aucun certificat donné n'a émis celui-ci.",
           "Donner l'émetteur nommé avec --ek-intermediate, ou avec --ek-root s'il est de confiance.";
    CERTIFICATE_DEPTH = "certificate.depth",
        en "The chain of certificates is longer than allowed.",
           "Treat the chain as forged, or give the issuer in its middle as --ek-root.",
        fr "La chaîne de certificats dépasse la longueur admise.",
           "Considérer la chaîne comme falsifiée, ou donner l'émetteur du milieu avec --ek-root.";
    CERTIFICATE_DATE = "certificate.date",
        en "An authority's certificate is not valid at that date, or the certificate is from the future.",
           "Check the clock; otherwise do not rely on this authority.",
        fr "Le certificat d'une autorité n'est pas valable à cette date, ou le certificat vient du futur.",
           "Vérifier l'horloge ; sinon, ne pas se fier à cette autorité.";
    CERTIFICATE_EXPIRED = "certificate.expired",
        en "The endorsement certificate has expired; the TPM's key has not changed by that.",
           "Nothing.",
        fr "Le certificat d'endossement a expiré ; la clé du TPM n'en est pas changée.",
           "Rien.";
    CERTIFICATE_AUTHORITY = "certificate.authority",
        en "A certificate was issued with one that may not issue certificates.",
           "Treat the certificate as forged.",
        fr "Un certificat a été émis avec un autre qui ne peut pas en émettre.",
           "Considérer le certificat comme falsifié.";
    CERTIFICATE_EXTENSION = "certificate.extension",
        en "A certificate has a critical extension that is not understood here, or one twice.",
           "Do not rely on the certificate; the extension's number is named.",
        fr "Un certificat a une extension critique qui n'est pas comprise ici, ou une extension en double.",
           "Ne pas se fier au certificat ; le numéro de l'extension est indiqué.";
    CERTIFICATE_USAGE = "certificate.usage",
        en "The certificate is not one for an endorsement key.",
           "Give the endorsement certificate of the TPM.",
        fr "Le certificat n'est pas celui d'une clé d'endossement.",
           "Donner le certificat d'endossement du TPM.";
    CERTIFICATE_KEY = "certificate.key",
        en "The certificate is for another key than the enrolled endorsement key.",
           "Treat the certificate as that of another TPM.",
        fr "Le certificat est celui d'une autre clé que la clé d'endossement enrôlée.",
           "Considérer le certificat comme celui d'un autre TPM.";
    CERTIFICATE_SOFTWARE = "certificate.software",
        en "The certificate says that the TPM is a software one.",
           "Enrol it with --root swtpm-ca, if the authority's host may be trusted.",
        fr "Le certificat indique que le TPM est logiciel.",
           "L'enrôler avec --root swtpm-ca, si l'hôte de l'autorité est digne de confiance.";
    ENROLMENT_ROOT = "enrolment.root",
        en "The enrolment record claims a certified TPM and holds no certificate.",
           "Treat the record as faulty; enrol the appliance again.",
        fr "Le dossier d'enrôlement annonce un TPM certifié et ne contient aucun certificat.",
           "Considérer le dossier comme fautif ; enrôler l'appareil à nouveau.";
    ENROLMENT_KNOWN = "enrolment.known",
        en "This endorsement key is enrolled already.",
           "Use the record that is there; a record is never replaced.",
        fr "Cette clé d'endossement est déjà enrôlée.",
           "Utiliser le dossier existant ; un dossier n'est jamais remplacé.";
    USAGE_ROOT = "usage.root",
        en "The root and the authorities that were given do not go together.",
           "Give --root swtpm-ca or --root hardware with --ek-root, or neither.",
        fr "La racine et les autorités données ne vont pas ensemble.",
           "Donner --root swtpm-ca ou --root hardware avec --ek-root, ou ni l'un ni l'autre.";
}
