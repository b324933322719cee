#![no_main]

use casemate_attest::predict::pcr11::{Stub, predict};
use casemate_attest::predict::{PeImage, pcr4};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = PeImage::read(data) else {
        return;
    };
    let digest = image.authenticode();
    for section in image.sections() {
        let _ = section.content();
    }
    for stub in [Stub::V252, Stub::V257] {
        let _ = predict(&image, stub);
    }
    let _ = pcr4::inner_kernel(&image);
    // The certificates are under no digest: without them it is the same image.
    let unsigned = data.len() - image.certificates().len();
    let mut bare = data[..unsigned].to_vec();
    if !image.certificates().is_empty() {
        let optional = u32::from_le_bytes(data[0x3c..0x40].try_into().unwrap()) as usize + 24;
        bare[optional + 144..optional + 152].fill(0);
        let bare = PeImage::read(&bare).expect("an unsigned image");
        assert_eq!(bare.authenticode(), digest);
    }
});
