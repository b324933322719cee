//! Builds packs, the development release and the image.
