//! Event logs.

codes! {
    LOG_MALFORMED = "log.malformed",
        en "An event log is not of the form that the TCG specifies, or systemd's not of its own.",
           "Ask for new evidence; if it stays so, the firmware's log is damaged.",
        fr "Un journal d'événements n'est pas au format du TCG, ou celui de systemd pas au sien.",
           "Demander une nouvelle preuve ; si l'erreur persiste, le journal du micrologiciel est endommagé.";
    LOG_LOCALITY = "log.locality",
        en "A startup locality stands where it may not, or has a value that it may not.",
           "Treat the log as forged.",
        fr "Une localité de démarrage est à une place ou a une valeur interdite.",
           "Considérer le journal comme falsifié.";
    LOG_BANK = "log.bank",
        en "An event log has no SHA-256 digests.",
           "Enable the SHA-256 bank in the firmware, then enrol again.",
        fr "Un journal d'événements n'a pas d'empreintes SHA-256.",
           "Activer la banque SHA-256 dans le micrologiciel, puis enrôler à nouveau.";
    LOG_PAYLOAD = "log.payload",
        en "An event's payload is not the one that was digested.",
           "Treat the log as forged.",
        fr "Le contenu d'un événement n'est pas celui dont l'empreinte a été prise.",
           "Considérer le journal comme falsifié.";
    LOG_FIRMWARE = "log.firmware",
        en "The firmware log's events do not lead to a quoted register.",
           "Treat the log as edited or cut; ask for new evidence.",
        fr "Les événements du journal du micrologiciel ne mènent pas à un registre relevé.",
           "Considérer le journal comme modifié ou tronqué ; demander une nouvelle preuve.";
    LOG_RUNTIME = "log.runtime",
        en "The runtime log's events do not lead to a quoted register.",
           "Treat the log as edited or cut; ask for new evidence.",
        fr "Les événements du journal d'exécution ne mènent pas à un registre relevé.",
           "Considérer le journal comme modifié ou tronqué ; demander une nouvelle preuve.";
    LOG_ABSENT = "log.absent",
        en "A register was extended, and no log has an event for it.",
           "Treat the logs as cut, or the register as extended by a stranger.",
        fr "Un registre a été étendu, et aucun journal n'a d'événement pour lui.",
           "Considérer les journaux comme tronqués, ou le registre comme étendu par un tiers.";
}
