//! Members of the evidence that were altered.

codes! {
    MEMBER_DIGESTS = "member.digests",
        en "The list of the members' digests was altered.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La liste des empreintes des membres a été altérée.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_FORMAT = "member.format",
        en "The evidence's format name was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le nom de format de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_CHALLENGE = "member.challenge",
        en "The evidence's challenge was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le défi contenu dans la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_ENROLMENT = "member.enrolment",
        en "The evidence's enrolment name was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le nom d'enrôlement de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_EK_PUBLIC = "member.ek_public",
        en "The evidence's endorsement key was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La clé d'endossement de la preuve a été altérée après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_EK_CERTIFICATE = "member.ek_certificate",
        en "The evidence's endorsement certificate was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le certificat d'endossement de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_AK_PUBLIC = "member.ak_public",
        en "The evidence's attestation key was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La clé d'attestation de la preuve a été altérée après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_ACTIVATION = "member.activation",
        en "The evidence's activation answer was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La réponse d'activation de la preuve a été altérée après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_RELEASE = "member.release",
        en "The evidence's release manifest was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le manifeste de version de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_FIRMWARE_LOG = "member.firmware_log",
        en "The evidence's firmware log was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le journal du micrologiciel de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_RUNTIME_LOG = "member.runtime_log",
        en "The evidence's runtime log was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Le journal d'exécution de la preuve a été altéré après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_LOG_KEY = "member.log_key",
        en "The evidence's log key was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La clé du journal de la preuve a été altérée après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_AUDIT = "member.audit",
        en "The evidence's audit head was altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "La tête du journal d'audit de la preuve a été altérée après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_ARTIFACTS = "member.artifacts",
        en "The evidence's artifact manifests were altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Les manifestes d'artefacts de la preuve ont été altérés après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_CLOCK = "member.clock",
        en "The evidence's clocks were altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Les horloges de la preuve ont été altérées après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
    MEMBER_STATEMENTS = "member.statements",
        en "The evidence's statements were altered after the appliance made it.",
           "Treat the evidence as altered on its way; ask for it again.",
        fr "Les déclarations de la preuve ont été altérées après que l'appareil l'a établie.",
           "Considérer la preuve comme altérée en chemin ; la redemander.";
}
