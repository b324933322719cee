//! PCR 4: what the firmware starts (PC Client PFP 1.06, section 3.3.4.5).
//!
//! EDK II, and OVMF with it, announces the boot option, draws the line with a separator in
//! registers 0 to 7, and measures each image that it loads by its Authenticode digest. systemd-stub
//! 252 and later starts the kernel inside the unified image with `LoadImage`, but puts its own
//! authentication in the firmware's place for that one call, and the firmware's measurement is part
//! of what it replaces: the inner kernel is not measured. Stubs before 252 ran it directly.

use super::pe::PeImage;
use super::{PredictError, event};
use crate::digest::Digest;
use crate::eventlog::kind;
use crate::release::ExpectedEvent;

/// The events of a boot that loads these images, in order; the last is the unified kernel image.
#[must_use]
pub fn predict(images: &[(&str, &PeImage<'_>)]) -> Vec<ExpectedEvent> {
    let calling = Digest::of(b"Calling EFI Application from Boot Option");
    let mut events = vec![
        event("boot option", kind::EV_EFI_ACTION, calling),
        event("separator", kind::EV_SEPARATOR, Digest::of(&[0; 4])),
    ];
    events.extend(images.iter().map(|(name, image)| {
        let measured = image.authenticode();
        event(name, kind::EV_EFI_BOOT_SERVICES_APPLICATION, measured)
    }));
    events
}

/// The kernel inside a unified image, for a stub that lets the firmware measure it.
///
/// # Errors
/// [`PredictError`] when there is none, or it is no PE image.
pub fn inner_kernel(uki: &PeImage<'_>) -> Result<ExpectedEvent, PredictError> {
    let Some(section) = uki.section(".linux") else {
        return Err(PredictError::Sections(
            "it has no .linux section".to_owned(),
        ));
    };
    let content = section.content()?;
    let digest = PeImage::read(&content)?.authenticode();
    let measured = kind::EV_EFI_BOOT_SERVICES_APPLICATION;
    Ok(event("inner kernel", measured, digest))
}
