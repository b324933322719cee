//! Which TPM this is, and whether it answers us.

codes! {
    ENROLMENT_MALFORMED = "enrolment.malformed",
        en "The enrolment record or request cannot be read.",
           "Check that the right file was given.",
        fr "Le dossier d'enrôlement ou la demande est illisible.",
           "Vérifier que le bon fichier a été donné.";
    ENROLMENT_SIGNATURE = "enrolment.signature",
        en "The enrolment record is not signed by the owner's key that was given.",
           "Check the owner's key; if it is right, treat the record as forged.",
        fr "Le dossier d'enrôlement n'est pas signé par la clé du propriétaire qui a été donnée.",
           "Vérifier la clé du propriétaire ; si elle est juste, considérer le dossier comme falsifié.";
    ENROLMENT_NAME = "enrolment.name",
        en "The enrolment record is not named by its endorsement key.",
           "Treat the record as forged.",
        fr "Le dossier d'enrôlement ne porte pas le nom de sa clé d'endossement.",
           "Considérer le dossier comme falsifié.";
    ENROLMENT_OTHER = "enrolment.other",
        en "The evidence is of another appliance than the enrolment record.",
           "Give the enrolment record of the appliance that answered.",
        fr "La preuve est celle d'un autre appareil que celui du dossier d'enrôlement.",
           "Donner le dossier d'enrôlement de l'appareil qui a répondu.";
    ENROLMENT_ABSENT = "enrolment.absent",
        en "The evidence is of an appliance that none of the enrolment records given is of.",
           "Give that appliance's enrolment record; if there is none, do not rely on the evidence.",
        fr "La preuve est celle d'un appareil dont aucun dossier d'enrôlement n'a été donné.",
           "Donner le dossier d'enrôlement de cet appareil ; s'il n'y en a pas, ne pas se fier à la preuve.";
    ENROLMENT_DEVELOPMENT = "enrolment.development",
        en "The appliance was enrolled as a development stand.",
           "For a trial, accept it with --accept-development; otherwise enrol a real appliance.",
        fr "L'appareil a été enrôlé comme banc de développement.",
           "Pour un essai, l'accepter avec --accept-development ; sinon, enrôler un vrai appareil.";
    EK_MALFORMED = "ek.malformed",
        en "The enrolled endorsement key cannot be read or is of a kind that is not allowed.",
           "Enrol the appliance again.",
        fr "La clé d'endossement enrôlée est illisible ou d'un genre non autorisé.",
           "Enrôler l'appareil à nouveau.";
    EK_TEMPLATE = "ek.template",
        en "The endorsement key is not written as the TCG's template for its kind has it.",
           "Enrol the appliance by the request that it wrote; whoever signed this record could enrol one TPM twice.",
        fr "La clé d'endossement n'est pas écrite comme le veut le modèle du TCG pour son genre.",
           "Enrôler l'appareil par la demande qu'il a écrite ; qui a signé ce dossier pourrait enrôler un TPM deux fois.";
    EK_OTHER = "ek.other",
        en "The evidence carries another endorsement key than the enrolled one: another TPM.",
           "Find out why the TPM changed; a new TPM is a new enrolment.",
        fr "La preuve contient une autre clé d'endossement que celle enrôlée : c'est un autre TPM.",
           "Chercher pourquoi le TPM a changé ; un nouveau TPM demande un nouvel enrôlement.";
    EK_CERTIFICATE = "ek.certificate",
        en "The evidence carries another endorsement certificate than the enrolled one.",
           "Find out why it changed; a new TPM is a new enrolment.",
        fr "La preuve contient un autre certificat d'endossement que celui enrôlé.",
           "Chercher pourquoi il a changé ; un nouveau TPM demande un nouvel enrôlement.";
    AK_MALFORMED = "ak.malformed",
        en "The enrolled attestation key cannot be read or is of a kind that is not allowed.",
           "Enrol the appliance again.",
        fr "La clé d'attestation enrôlée est illisible ou d'un genre non autorisé.",
           "Enrôler l'appareil à nouveau.";
    AK_ATTRIBUTES = "ak.attributes",
        en "The attestation key could sign what its TPM did not make, or leave it.",
           "Do not rely on the appliance; enrol it again with a restricted key.",
        fr "La clé d'attestation pourrait signer ce que son TPM n'a pas produit, ou en sortir.",
           "Ne pas se fier à l'appareil ; l'enrôler à nouveau avec une clé restreinte.";
    AK_SCHEME = "ak.scheme",
        en "The attestation key has no signing scheme of its own.",
           "Enrol the appliance again with a key that has one.",
        fr "La clé d'attestation n'a pas de schéma de signature fixé.",
           "Enrôler l'appareil à nouveau avec une clé qui en a un.";
    AK_OTHER = "ak.other",
        en "The evidence carries another attestation key than the enrolled one.",
           "Find out why it changed; a new key is a new enrolment.",
        fr "La preuve contient une autre clé d'attestation que celle enrôlée.",
           "Chercher pourquoi elle a changé ; une nouvelle clé demande un nouvel enrôlement.";
    CHALLENGE_ABSENT = "challenge.absent",
        en "No challenge was given, so the evidence may be old.",
           "Send a challenge in and verify its answer with --challenge.",
        fr "Aucun défi n'a été donné : la preuve peut être ancienne.",
           "Envoyer un défi, puis vérifier sa réponse avec --challenge.";
    CHALLENGE_OTHER = "challenge.other",
        en "The evidence answers another challenge, or none.",
           "Ask for evidence with the challenge that you made.",
        fr "La preuve répond à un autre défi, ou à aucun.",
           "Demander une preuve avec le défi que vous avez émis.";
    CHALLENGE_EXPIRED = "challenge.expired",
        en "The answer came after the challenge had expired.",
           "Make a new challenge.",
        fr "La réponse est arrivée après l'expiration du défi.",
           "Émettre un nouveau défi.";
    CHALLENGE_FUTURE = "challenge.future",
        en "The challenge was made later than now by the verifier's clock.",
           "Set the verifier's clock.",
        fr "Le défi a été émis plus tard que maintenant, d'après l'horloge du vérificateur.",
           "Régler l'horloge du vérificateur.";
    ACTIVATION_UNPROVEN = "activation.unproven",
        en "Nothing proves that the attestation key is in the TPM of the endorsement key.",
           "Make the challenge with --enrolment, and verify with its secret file.",
        fr "Rien ne prouve que la clé d'attestation se trouve dans le TPM de la clé d'endossement.",
           "Émettre le défi avec --enrolment, et vérifier avec son fichier secret.";
    ACTIVATION_ENROLMENT = "activation.enrolment",
        en "The challenge's credential was made for another appliance.",
           "Make a challenge for this appliance.",
        fr "Le secret chiffré du défi a été fait pour un autre appareil.",
           "Émettre un défi pour cet appareil.";
    ACTIVATION_WRONG = "activation.wrong",
        en "The TPM did not open the challenge's credential.",
           "Treat the keys as those of two TPMs; do not rely on the appliance.",
        fr "Le TPM n'a pas ouvert le secret chiffré du défi.",
           "Considérer que les clés sont celles de deux TPM ; ne pas se fier à l'appareil.";
}
