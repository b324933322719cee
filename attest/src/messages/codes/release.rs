//! Release manifests.

codes! {
    RELEASE_MALFORMED = "release.malformed",
        en "The release manifest cannot be read.",
           "Take the manifest of the installed release from its publisher.",
        fr "Le manifeste de version est illisible.",
           "Prendre le manifeste de la version installée chez son éditeur.";
    RELEASE_KEY = "release.key",
        en "The release manifest names another release key than the trusted one.",
           "Check that the right release key was given.",
        fr "Le manifeste de version désigne une autre clé de publication que la clé de confiance.",
           "Vérifier que la bonne clé de publication a été donnée.";
    RELEASE_SIGNATURE = "release.signature",
        en "The release manifest's signature does not hold for the trusted release key.",
           "Treat the manifest as forged; take the release from its publisher.",
        fr "La signature du manifeste de version n'est pas valable pour la clé de publication de confiance.",
           "Considérer le manifeste comme falsifié ; prendre la version chez son éditeur.";
    RELEASE_EXPIRED = "release.expired",
        en "Trust in the release that the appliance runs has ended.",
           "Update the appliance.",
        fr "La confiance dans la version de l'appareil a pris fin.",
           "Mettre l'appareil à jour.";
    RELEASE_DEVELOPMENT = "release.development",
        en "The appliance runs a development release, whose key is in everyone's hands.",
           "For a trial, accept it with --accept-development; otherwise install a release.",
        fr "L'appareil exécute une version de développement, dont la clé est entre toutes les mains.",
           "Pour un essai, l'accepter avec --accept-development ; sinon, installer une version publiée.";
}
