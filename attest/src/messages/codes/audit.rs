//! Audit log, its checkpoints and exports, artifacts.

codes! {
    CHECKPOINT_MALFORMED = "checkpoint.malformed",
        en "The checkpoint is not a signed note with five lines as C2SP writes it.",
           "Copy the checkpoint again, byte for byte.",
        fr "Le point de contrôle n'est pas une note signée de cinq lignes au format C2SP.",
           "Copier le point de contrôle à nouveau, octet pour octet.";
    CHECKPOINT_ORIGIN = "checkpoint.origin",
        en "The checkpoint is of another log.",
           "Check which appliance's log was asked for.",
        fr "Le point de contrôle est celui d'un autre journal.",
           "Vérifier de quel appareil le journal a été demandé.";
    CHECKPOINT_KEY = "checkpoint.key",
        en "The checkpoint was signed by another key than the log's.",
           "Check that the right key was given; if so, treat the checkpoint as forged.",
        fr "Le point de contrôle a été signé par une autre clé que celle du journal.",
           "Vérifier que la bonne clé a été donnée ; si c'est le cas, considérer le point de contrôle comme falsifié.";
    CHECKPOINT_SIGNATURE = "checkpoint.signature",
        en "The checkpoint's signature does not hold.",
           "Treat the checkpoint as forged or damaged.",
        fr "La signature du point de contrôle n'est pas valable.",
           "Considérer le point de contrôle comme falsifié ou endommagé.";
    AUDIT_HEADER = "audit.header",
        en "The audit export's header is damaged.",
           "Export the log again; if it stays so, treat the log as damaged.",
        fr "L'en-tête de l'export du journal d'audit est endommagé.",
           "Exporter le journal à nouveau ; si l'erreur persiste, considérer le journal comme endommagé.";
    AUDIT_ENTRY = "audit.entry",
        en "The named entry of the audit export was changed.",
           "Treat the log as edited from that entry on; compare with an older export.",
        fr "L'entrée indiquée de l'export du journal d'audit a été modifiée.",
           "Considérer le journal comme modifié à partir de cette entrée ; le comparer à un export plus ancien.";
    AUDIT_ORDER = "audit.order",
        en "An entry of the audit export stands in another place than its number says.",
           "Treat the log as edited; compare with an older export.",
        fr "Une entrée de l'export du journal d'audit n'est pas à la place que dit son numéro.",
           "Considérer le journal comme modifié ; le comparer à un export plus ancien.";
    AUDIT_CHECKPOINT = "audit.checkpoint",
        en "The audit export's final checkpoint is damaged or does not hold.",
           "Export the log again; if it stays so, treat the log as forged.",
        fr "Le point de contrôle final de l'export du journal d'audit est endommagé ou n'est pas valable.",
           "Exporter le journal à nouveau ; si l'erreur persiste, considérer le journal comme falsifié.";
    AUDIT_KEY = "audit.key",
        en "The log's key in the audit export is damaged or not the trusted one.",
           "Check that the right key was given; if so, treat the log as forged.",
        fr "La clé du journal dans l'export est endommagée ou n'est pas la clé de confiance.",
           "Vérifier que la bonne clé a été donnée ; si c'est le cas, considérer le journal comme falsifié.";
    AUDIT_TRAILING = "audit.trailing",
        en "Bytes follow the last item of the audit export.",
           "Copy the file again.",
        fr "Des octets suivent le dernier élément de l'export du journal d'audit.",
           "Copier le fichier à nouveau.";
    AUDIT_ROOT = "audit.root",
        en "The entries of the audit export are not those that its checkpoint signs for.",
           "Treat the log as rewritten; compare with an older export.",
        fr "Les entrées de l'export du journal d'audit ne sont pas celles que signe son point de contrôle.",
           "Considérer le journal comme réécrit ; le comparer à un export plus ancien.";
    AUDIT_HEAD_KEY = "audit.head-key",
        en "The audit log's key is not the enrolled one.",
           "Treat the audit log as exchanged; find out why.",
        fr "La clé du journal d'audit n'est pas celle qui a été enrôlée.",
           "Considérer le journal d'audit comme échangé ; chercher pourquoi.";
    AUDIT_COSIGNATURE = "audit.cosignature",
        en "The TPM's cosignature of the audit checkpoint does not hold.",
           "Treat the checkpoint as forged.",
        fr "La contresignature du point de contrôle par le TPM n'est pas valable.",
           "Considérer le point de contrôle comme falsifié.";
    AUDIT_SHORT = "audit.short",
        en "The audit export ends before the evidence's checkpoint, or is of another log.",
           "Export the log again, after the evidence was made.",
        fr "L'export du journal d'audit s'arrête avant le point de contrôle de la preuve, ou vient d'un autre journal.",
           "Exporter le journal à nouveau, après l'établissement de la preuve.";
    AUDIT_FORK = "audit.fork",
        en "The audit export's entries are not those that the evidence vouches for.",
           "Treat the log as rewritten.",
        fr "Les entrées de l'export du journal d'audit ne sont pas celles dont la preuve répond.",
           "Considérer le journal comme réécrit.";
    ARTIFACTS_MALFORMED = "artifacts.malformed",
        en "A job's artifact manifest cannot be read.",
           "Fetch the manifest again.",
        fr "Le manifeste d'artefacts d'une tâche est illisible.",
           "Récupérer le manifeste à nouveau.";
    ARTIFACTS_SIGNATURE = "artifacts.signature",
        en "A job's artifact manifest is not signed by the appliance's log key.",
           "Do not rely on the job's artifacts.",
        fr "Le manifeste d'artefacts d'une tâche n'est pas signé par la clé du journal de l'appareil.",
           "Ne pas se fier aux artefacts de la tâche.";
    ARTIFACTS_ROOT = "artifacts.root",
        en "A job's artifact manifest names a root that its items do not have.",
           "Do not rely on the job's artifacts.",
        fr "Le manifeste d'artefacts d'une tâche indique une racine que ses éléments n'ont pas.",
           "Ne pas se fier aux artefacts de la tâche.";
    ARTIFACTS_ORDER = "artifacts.order",
        en "A job's artifact manifest lists an artifact twice or out of order.",
           "Do not rely on the job's artifacts.",
        fr "Le manifeste d'artefacts d'une tâche cite un artefact deux fois ou dans le désordre.",
           "Ne pas se fier aux artefacts de la tâche.";
    ARTIFACTS_NAME = "artifacts.name",
        en "A job's artifact manifest has a name that is no plain relative path.",
           "Do not rely on the job's artifacts, and write none of them to disk.",
        fr "Le manifeste d'artefacts d'une tâche contient un nom qui n'est pas un simple chemin relatif.",
           "Ne pas se fier aux artefacts de la tâche, et n'en écrire aucun sur le disque.";
    ARTIFACTS_TWICE = "artifacts.twice",
        en "The evidence carries two artifact manifests of one job.",
           "Do not rely on the job's artifacts.",
        fr "La preuve contient deux manifestes d'artefacts d'une même tâche.",
           "Ne pas se fier aux artefacts de la tâche.";
    LOG_KEY_MALFORMED = "log-key.malformed",
        en "The TPM's log key cannot be read.",
           "Ask for new evidence.",
        fr "La clé du journal du TPM est illisible.",
           "Demander une nouvelle preuve.";
    LOG_KEY_ATTEST = "log-key.attest",
        en "The log key's certification is no certification by a TPM.",
           "Treat the evidence as forged.",
        fr "La certification de la clé du journal n'est pas la certification d'un TPM.",
           "Considérer la preuve comme falsifiée.";
    LOG_KEY_SIGNATURE = "log-key.signature",
        en "The log key's certification is not signed by the attestation key.",
           "Treat the evidence as forged.",
        fr "La certification de la clé du journal n'est pas signée par la clé d'attestation.",
           "Considérer la preuve comme falsifiée.";
    LOG_KEY_QUALIFYING = "log-key.qualifying",
        en "The log key was certified for another enrolment.",
           "Treat the evidence as forged.",
        fr "La clé du journal a été certifiée pour un autre enrôlement.",
           "Considérer la preuve comme falsifiée.";
    LOG_KEY_NAME = "log-key.name",
        en "Another key than the log key was certified.",
           "Treat the evidence as forged.",
        fr "Une autre clé que la clé du journal a été certifiée.",
           "Considérer la preuve comme falsifiée.";
    LOG_KEY_ATTRIBUTES = "log-key.attributes",
        en "The log key may leave its TPM or does more than sign.",
           "Do not rely on the audit log's cosignatures.",
        fr "La clé du journal peut sortir de son TPM ou fait plus que signer.",
           "Ne pas se fier aux contresignatures du journal d'audit.";
}
