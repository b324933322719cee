//! What the auditor's own ledger shows, and the ledger itself.

codes! {
    CLOCK_RESET_BACK = "clock.reset-back",
        en "The TPM's count of resets went back: it was rolled back, or this is another copy of it.",
           "Treat the appliance as restored from an older state; find out who did it, and when.",
        fr "Le compteur de réinitialisations du TPM a reculé : il a été ramené en arrière, ou c'en est une autre copie.",
           "Considérer l'appareil comme restauré à un état ancien ; chercher qui l'a fait, et quand.";
    CLOCK_RESTART_BACK = "clock.restart-back",
        en "The TPM's count of restarts went back without a reset: it was rolled back, or this is another copy.",
           "Treat the appliance as restored from an older state; find out who did it, and when.",
        fr "Le compteur de redémarrages du TPM a reculé sans réinitialisation : il a été ramené en arrière, ou c'en est une autre copie.",
           "Considérer l'appareil comme restauré à un état ancien ; chercher qui l'a fait, et quand.";
    CLOCK_BACK = "clock.back",
        en "The TPM's clock went back: it was rolled back, or this is another copy of it.",
           "Treat the appliance as restored from an older state; find out who did it, and when.",
        fr "L'horloge du TPM a reculé : il a été ramené en arrière, ou c'en est une autre copie.",
           "Considérer l'appareil comme restauré à un état ancien ; chercher qui l'a fait, et quand.";
    CLOCK_CLONE = "clock.clone",
        en "Two evidences of one key cannot be of one history: the TPM exists twice.",
           "Stop relying on both copies; find the second machine and enrol a TPM that cannot be copied.",
        fr "Deux preuves d'une même clé ne peuvent appartenir à une seule histoire : le TPM existe en double.",
           "Ne plus se fier à aucune des copies ; trouver la seconde machine et enrôler un TPM qui ne peut être copié.";
    CLOCK_SNAPSHOT = "clock.snapshot",
        en "The audit log lost entries while the TPM's clock went on: a snapshot was restored.",
           "Compare an export of the audit log with older ones; find out what the lost entries said.",
        fr "Le journal d'audit a perdu des entrées alors que l'horloge du TPM avançait : un instantané a été restauré.",
           "Comparer un export du journal d'audit à de plus anciens ; chercher ce que disaient les entrées perdues.";
    EVIDENCE_SEEN = "evidence.seen",
        en "This very evidence was judged before; it says nothing new.",
           "If it was handed over as new, ask for an answer to a new challenge.",
        fr "Cette preuve même a déjà été jugée ; elle n'apporte rien de nouveau.",
           "Si elle a été remise comme nouvelle, demander une réponse à un nouveau défi.";
    HISTORY_FAILED = "history.failed",
        en "The verdict before this one on the same appliance was negative.",
           "Find out what was changed in between; see the earlier verdict in the ledger.",
        fr "Le verdict précédent sur ce même appareil était négatif.",
           "Chercher ce qui a changé entre-temps ; voir le verdict antérieur dans le registre.";
    LEDGER_MALFORMED = "ledger.malformed",
        en "The file is not a ledger of verdicts.",
           "Check that the right file was given; a new ledger is made where no file is.",
        fr "Le fichier n'est pas un registre de verdicts.",
           "Vérifier que le bon fichier a été donné ; un nouveau registre est créé là où il n'y a pas de fichier.";
    LEDGER_DAMAGED = "ledger.damaged",
        en "A record of the ledger was changed, removed or moved after it was written.",
           "Restore the ledger from a copy; until then no verdict is added to it.",
        fr "Une ligne du registre a été modifiée, supprimée ou déplacée après son écriture.",
           "Restaurer le registre à partir d'une copie ; d'ici là, aucun verdict n'y est ajouté.";
    LEDGER_TORN = "ledger.torn",
        en "The ledger's last record was not written to its end: the verdict of that run was never shown.",
           "Nothing; the next record says so and goes on. If it happens often, check the disk.",
        fr "La dernière ligne du registre n'a pas été écrite jusqu'au bout : le verdict de cette exécution n'a jamais été montré.",
           "Rien ; la ligne suivante le dit et continue. Si cela se répète, vérifier le disque.";
    LEDGER_HEAD = "ledger.head",
        en "The ledger does not contain the line that was noted down earlier: it was cut or exchanged.",
           "Restore the ledger from a copy that has that line.",
        fr "Le registre ne contient pas la ligne notée auparavant : il a été tronqué ou échangé.",
           "Restaurer le registre à partir d'une copie qui contient cette ligne.";
    LEDGER_UNWRITABLE = "ledger.unwritable",
        en "The verdict could not be recorded in the ledger, so it is not shown.",
           "Check the folder, its rights and its space, then verify again.",
        fr "Le verdict n'a pas pu être inscrit au registre ; il n'est donc pas montré.",
           "Vérifier le dossier, ses droits et la place libre, puis recommencer la vérification.";
}
