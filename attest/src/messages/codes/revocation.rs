//! What the owner revoked.

codes! {
    REVOCATIONS_SIGNATURE = "revocations.signature",
        en "The revocation list is not signed by the owner.",
           "Check --owner-key; if the key is right, treat the list as forged.",
        fr "La liste de révocation n'est pas signée par le propriétaire.",
           "Vérifier --owner-key ; si la clé est la bonne, considérer la liste comme falsifiée.";
    REVOCATIONS_OLD = "revocations.old",
        en "The revocation list is older than 30 days; what was revoked since is not known.",
           "Ask the owner for the newest list.",
        fr "La liste de révocation a plus de 30 jours ; ce qui a été révoqué depuis est inconnu.",
           "Demander la liste la plus récente au propriétaire.";
    RELEASE_KEY_REVOKED = "release.key-revoked",
        en "The owner no longer trusts the key that signed this release.",
           "Install a release that is signed by a trusted key.",
        fr "Le propriétaire ne fait plus confiance à la clé qui a signé cette version.",
           "Installer une version signée par une clé de confiance.";
    RELEASE_REVOKED = "release.revoked",
        en "The owner no longer trusts this release.",
           "Install a release that is not revoked.",
        fr "Le propriétaire ne fait plus confiance à cette version.",
           "Installer une version qui n'est pas révoquée.";
    RELEASE_FLOOR = "release.floor",
        en "The release is older than the oldest one that the owner allows.",
           "Install a newer release.",
        fr "La version est plus ancienne que la plus ancienne permise par le propriétaire.",
           "Installer une version plus récente.";
    AK_REVOKED = "ak.revoked",
        en "The owner no longer trusts this attestation key.",
           "Do not rely on the appliance; enrol it again if it is trusted again.",
        fr "Le propriétaire ne fait plus confiance à cette clé d'attestation.",
           "Ne pas se fier à l'appareil ; l'enrôler à nouveau si la confiance revient.";
    EK_CA_UNTRACED = "ek.ca-untraced",
        en "Authorities of endorsement certificates are revoked, and who stands above this certificate's issuer is not known.",
           "Give the authorities with --ek-root and --ek-intermediate, so that each of the path is looked up.",
        fr "Des autorités de certificats d'endossement sont révoquées, et l'on ignore qui est au-dessus de l'émetteur de celui-ci.",
           "Donner les autorités avec --ek-root et --ek-intermediate, afin que chacune du chemin soit vérifiée.";
    EK_CA_REVOKED = "ek.ca-revoked",
        en "The owner no longer trusts the authority that certified this TPM.",
           "Do not rely on the appliance's TPM; enrol it under another root.",
        fr "Le propriétaire ne fait plus confiance à l'autorité qui a certifié ce TPM.",
           "Ne pas se fier au TPM de l'appareil ; l'enrôler sous une autre racine.";
}
