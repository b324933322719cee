//! Predicting registers from a build's files.

codes! {
    PREDICT_IMAGE = "predict.image",
        en "The file is no PE image as 64-bit firmware loads it.",
           "Give the unified kernel image as it was built and signed.",
        fr "Le fichier n'est pas une image PE telle qu'un micrologiciel 64 bits la charge.",
           "Donner l'image de noyau unifiée telle qu'elle a été construite et signée.";
    PREDICT_SECTIONS = "predict.sections",
        en "The unified kernel image lacks a section, or has one twice.",
           "Build it with one kernel and one profile.",
        fr "Il manque une section à l'image de noyau unifiée, ou il y en a une en double.",
           "La construire avec un seul noyau et un seul profil.";
    PREDICT_DATABASE = "predict.database",
        en "A key database is not a sequence of EFI signature lists.",
           "Give what the variable holds, without the header of a signed update.",
        fr "Une base de clés n'est pas une suite de listes de signatures EFI.",
           "Donner ce que contient la variable, sans l'en-tête d'une mise à jour signée.";
    PREDICT_AUTHORITY = "predict.authority",
        en "Not exactly one entry of db fits the image's signature.",
           "Sign the image with a key of db that stands there once.",
        fr "Il n'y a pas exactement une entrée de db qui convienne à la signature de l'image.",
           "Signer l'image avec une clé qui se trouve une seule fois dans db.";
}
