//! What no boot may do, whatever release and enrolment say.

codes! {
    SEPARATOR_MISSING = "separator.missing",
        en "The firmware never drew the line under a register before it handed over.",
           "Treat the log as cut, or the firmware as one that cannot be relied on.",
        fr "Le micrologiciel n'a jamais tiré le trait sous un registre avant de passer la main.",
           "Considérer le journal comme tronqué, ou le micrologiciel comme peu fiable.";
    SEPARATOR_TWICE = "separator.twice",
        en "The line under a register was drawn twice.",
           "Treat the measurements after the first one as made by a stranger.",
        fr "Le trait sous un registre a été tiré deux fois.",
           "Considérer les mesures après le premier comme faites par un inconnu.";
    SEPARATOR_ERROR = "separator.error",
        en "The firmware says that it could not measure, or its separator is none.",
           "Find out what failed in the firmware; do not rely on the appliance meanwhile.",
        fr "Le micrologiciel dit n'avoir pas pu mesurer, ou son séparateur n'en est pas un.",
           "Chercher ce qui a échoué dans le micrologiciel ; d'ici là, ne pas se fier à l'appareil.";
    SEPARATOR_AFTER = "separator.after",
        en "A register was extended after its line with a kind of event that may only come before.",
           "Treat the measurement as made by a stranger.",
        fr "Un registre a reçu après son trait un genre d'événement qui ne peut venir qu'avant.",
           "Considérer la mesure comme faite par un inconnu.";
    REGISTER_KIND = "register.kind",
        en "A register of the image holds an event of a kind that does not belong there.",
           "Find out what measured it; do not rely on the appliance meanwhile.",
        fr "Un registre de l'image contient un événement d'un genre qui n'y a pas sa place.",
           "Chercher ce qui l'a mesuré ; d'ici là, ne pas se fier à l'appareil.";
    SECURE_BOOT_OFF = "secure-boot.off",
        en "Secure Boot was off, or its variable is not one byte of value 1.",
           "Turn Secure Boot on and boot again; do not rely on the appliance meanwhile.",
        fr "Secure Boot était inactif, ou sa variable n'est pas un octet de valeur 1.",
           "Activer Secure Boot et redémarrer ; d'ici là, ne pas se fier à l'appareil.";
    SECURE_BOOT_MISSING = "secure-boot.missing",
        en "A variable of Secure Boot was never measured.",
           "Treat the log as cut, or the firmware as one that cannot be relied on.",
        fr "Une variable de Secure Boot n'a jamais été mesurée.",
           "Considérer le journal comme tronqué, ou le micrologiciel comme peu fiable.";
    SECURE_BOOT_TWICE = "secure-boot.twice",
        en "A variable of Secure Boot was measured twice.",
           "Treat the boot as tampered with.",
        fr "Une variable de Secure Boot a été mesurée deux fois.",
           "Considérer le démarrage comme altéré.";
    SECURE_BOOT_LATE = "secure-boot.late",
        en "A variable of Secure Boot was measured after its policy was closed.",
           "Treat the boot as tampered with.",
        fr "Une variable de Secure Boot a été mesurée après la clôture de sa politique.",
           "Considérer le démarrage comme altéré.";
    SECURE_BOOT_EMPTY = "secure-boot.empty",
        en "PK, KEK or db holds nothing: the firmware is in setup mode.",
           "Enrol the keys in the firmware and boot again.",
        fr "PK, KEK ou db est vide : le micrologiciel est en mode configuration.",
           "Enrôler les clés dans le micrologiciel et redémarrer.";
    SECURE_BOOT_MALFORMED = "secure-boot.malformed",
        en "A variable of Secure Boot is not of its form.",
           "Treat the log as forged, or the firmware as one that cannot be relied on.",
        fr "Une variable de Secure Boot n'a pas la forme voulue.",
           "Considérer le journal comme falsifié, ou le micrologiciel comme peu fiable.";
    SECURE_BOOT_DEBUG = "secure-boot.debug",
        en "The firmware was in a debug, audit or setup mode, or left a protection off.",
           "Leave that mode in the firmware's settings and boot again.",
        fr "Le micrologiciel était en mode débogage, audit ou configuration, ou sans une protection.",
           "Quitter ce mode dans les réglages du micrologiciel et redémarrer.";
    SECURE_BOOT_AUTHORITY = "secure-boot.authority",
        en "Nothing says which key of db allowed what was started.",
           "Treat the image as started without a signature.",
        fr "Rien ne dit quelle clé de db a autorisé ce qui a été lancé.",
           "Considérer l'image comme lancée sans signature.";
    LOADER_ATTEMPT = "loader.attempt",
        en "The firmware tried other boot options before the appliance's.",
           "Remove the other disks and drives, or put the appliance first in the boot order.",
        fr "Le micrologiciel a essayé d'autres options de démarrage avant celle de l'appareil.",
           "Retirer les autres disques et lecteurs, ou mettre l'appareil en tête de l'ordre.";
    EXIT_MISSING = "exit.missing",
        en "The log does not show that the operating system took the machine over.",
           "Treat the log as cut before its end; ask for new evidence.",
        fr "Le journal ne montre pas que le système a pris la main sur la machine.",
           "Considérer le journal comme tronqué avant sa fin ; demander une nouvelle preuve.";
    EXIT_AFTER = "exit.after",
        en "Something was measured as the firmware's after the operating system took over.",
           "Treat the measurement as made by a stranger.",
        fr "Une mesure se donne pour celle du micrologiciel après la prise en main du système.",
           "Considérer la mesure comme faite par un inconnu.";
    PLATFORM_TYPE = "platform.type",
        en "An event of a platform register is given out as another kind than at enrolment.",
           "Treat the log as forged.",
        fr "Un événement d'un registre de la plateforme se donne pour un autre genre qu'à l'enrôlement.",
           "Considérer le journal comme falsifié.";
    PLATFORM_LOG = "platform.log",
        en "The firmware log given with --enrolled-log is not the one of the enrolment.",
           "Give the firmware log that was kept when the appliance was enrolled.",
        fr "Le journal donné par --enrolled-log n'est pas celui de l'enrôlement.",
           "Donner le journal du micrologiciel conservé lors de l'enrôlement.";
}
