//! Registers compared with what they must be.

codes! {
    REGISTER_EVENT = "register.event",
        en "Something else was measured than the release has.",
           "Find out what changed; do not rely on the appliance meanwhile.",
        fr "Autre chose a été mesuré que ce que contient la version.",
           "Chercher ce qui a changé ; d'ici là, ne pas se fier à l'appareil.";
    REGISTER_TYPE = "register.type",
        en "An event of the log is given out as another kind than the release has.",
           "Treat the log as forged.",
        fr "Un événement du journal se donne pour un autre genre que dans la version.",
           "Considérer le journal comme falsifié.";
    REGISTER_MISSING = "register.missing",
        en "Something that the release has was never measured.",
           "Find out what changed; do not rely on the appliance meanwhile.",
        fr "Un élément de la version n'a jamais été mesuré.",
           "Chercher ce qui a changé ; d'ici là, ne pas se fier à l'appareil.";
    REGISTER_EXTRA = "register.extra",
        en "Something was measured that the release does not have.",
           "Find out what changed; do not rely on the appliance meanwhile.",
        fr "Un élément a été mesuré que la version ne contient pas.",
           "Chercher ce qui a changé ; d'ici là, ne pas se fier à l'appareil.";
    REGISTER_PLATFORM = "register.platform",
        en "A register of the platform is not as it was at enrolment.",
           "If firmware or hardware was changed on purpose, enrol again.",
        fr "Un registre de la plateforme n'est pas tel qu'à l'enrôlement.",
           "Si le micrologiciel ou le matériel a été changé exprès, enrôler à nouveau.";
    REGISTER_UNKNOWN = "register.unknown",
        en "Nothing says what a quoted register must be.",
           "Take the manifest of the installed release from its publisher.",
        fr "Rien ne dit ce que doit être un registre relevé.",
           "Prendre le manifeste de la version installée chez son éditeur.";
}
