//! The verdict and its clocks.

codes! {
    CLOCK_OTHER = "clock.other",
        en "The TPM clock that the evidence states is not the one that the TPM signed.",
           "Ask for new evidence.",
        fr "L'heure du TPM indiquée par la preuve n'est pas celle que le TPM a signée.",
           "Demander une nouvelle preuve.";
    CLOCK_UNSAFE = "clock.unsafe",
        en "The TPM lost power without an orderly shutdown; its clock may have gone back a little.",
           "Nothing, unless it happens often.",
        fr "Le TPM a perdu l'alimentation sans arrêt en règle ; son horloge peut avoir légèrement reculé.",
           "Rien, sauf si cela se répète souvent.";
    VERDICT_UNJUDGED = "verdict.unjudged",
        en "A check could not be made because one before it failed.",
           "See the check that failed.",
        fr "Un contrôle n'a pas pu être fait parce qu'un contrôle précédent a échoué.",
           "Voir le contrôle qui a échoué.";
    VERDICT_INCOMPLETE = "verdict.incomplete",
        en "The verdict lacks a check.",
           "This is a fault of the program: report it.",
        fr "Il manque un contrôle au verdict.",
           "C'est un défaut du programme : le signaler.";
}
