//! The `image` command as an operator meets it: whole outputs, exit codes, and
//! what it says of a changed input. None of these needs a network.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

fn image(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_image"))
        .args(args)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A stand's directory with keys, and a copy of the committed recipes.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/packs");
        std::fs::create_dir(bench.path("recipes")).unwrap();
        for entry in std::fs::read_dir(recipes).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            std::fs::copy(entry.path(), Path::new(&bench.path("recipes")).join(name)).unwrap();
        }
        let made = image(&["keys", "dev", "--out", &bench.path("dev")]);
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        bench
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn pack(&self, name: &str) -> Output {
        let (out, recipes) = (self.path("packs"), self.path("recipes"));
        image(&["pack", name, "--out", &out, "--recipes", &recipes])
    }

    /// Changes one recipe.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(&format!("recipes/{name}"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// Puts a file where a fetched wheel of that digest is kept, and returns the digest.
    fn keep_wheel(&self, bytes: &[u8]) -> String {
        let digest = hex::encode(Sha256::digest(bytes));
        std::fs::create_dir_all(self.path("cache/wheels")).unwrap();
        std::fs::write(self.path(&format!("cache/wheels/{digest}.whl")), bytes).unwrap();
        digest
    }

    fn nothing_published(&self, name: &str) -> bool {
        ["erofs", "pack", "stamp"]
            .iter()
            .all(|ending| !Path::new(&self.path(&format!("packs/{name}.{ending}"))).exists())
    }
}

const WHEEL: &str = "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf";

#[test]
fn help_is_this() {
    let output = image(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "\
Builds packs, the development release and the image

Usage: image <COMMAND>

Commands:
  pack         Build a pack and sign its manifest
  lock         Ask the mirror anew which package versions a pack is made of
  keys         Make signing keys
  build        Build the image: root, unified kernel image, disk, signed manifest
  sbom         List what is in the image: CycloneDX and SPDX
  publish      Pack a built image: OVA, qcow2, bill of materials, sources, provenance, checksums
  diff         Explain why two packages, disks, images or file systems are not the same
  dev-release  Make the development release: recorded firmware log and signed manifest
  help         Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn without_a_key_nothing_is_built() {
    let bench = Bench::new();
    std::fs::remove_file(bench.path("dev/release.key")).unwrap();
    let output = bench.pack("desktop");
    let expected = format!(
        "casemate: image: {}: No such file or directory (os error 2)\n  code image.key; For \
         development run `image keys dev --out var/dev`; a release uses the site's own key.\n",
        bench.path("dev/release.key")
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(2), expected));
    assert!(bench.nothing_published("desktop"));
}

#[test]
fn a_malformed_lock_is_refused_with_its_line() {
    let bench = Bench::new();
    bench.edit("desktop.lock", " debian ", " elsewhere ");
    let output = bench.pack("desktop");
    let expected = format!(
        "casemate: image: {}: line 3: elsewhere is not an archive\n  code image.recipe-malformed; \
         Correct the line that the message names.\n",
        bench.path("recipes/desktop.lock")
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(2), expected));
}

#[test]
fn an_unknown_key_in_a_recipe_is_refused() {
    let bench = Bench::new();
    bench.edit("ocr.toml", "epoch =", "trust_me = true\nepoch =");
    let output = bench.pack("ocr");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("unknown field `trust_me`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_kept_wheel_that_changed_is_not_used() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("cache/wheels")).unwrap();
    std::fs::write(bench.path(&format!("cache/wheels/{WHEEL}.whl")), "changed").unwrap();
    let output = bench.pack("ocr");
    let found = hex::encode(Sha256::digest("changed"));
    let expected = format!(
        "casemate: image: rapidocr-onnxruntime 1.4.4: expected sha256 {WHEEL}, found {found}\n  \
         code image.pin-mismatch; Do not use the file: find out why the source changed, and only \
         then change the pin.\n"
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), expected));
    assert!(bench.nothing_published("ocr"));
}

/// The wheel is the pinned one and a model in it is not: no pack, and the model is named.
#[test]
fn a_changed_model_stops_the_build() {
    let bench = Bench::new();
    let models = "rapidocr_onnxruntime/models";
    std::fs::create_dir_all(bench.path(models)).unwrap();
    for name in [
        "ch_PP-OCRv4_det_infer",
        "ch_PP-OCRv4_rec_infer",
        "ch_ppocr_mobile_v2.0_cls_infer",
    ] {
        std::fs::write(
            bench.path(&format!("{models}/{name}.onnx")),
            "another model",
        )
        .unwrap();
    }
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c", "wheel.zip", "rapidocr_onnxruntime"])
        .current_dir(bench.0.path())
        .status()
        .unwrap();
    assert!(zipped.success());
    let digest = bench.keep_wheel(&std::fs::read(bench.path("wheel.zip")).unwrap());
    bench.edit("ocr.toml", WHEEL, &digest);
    let output = bench.pack("ocr");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let named = format!("casemate: image: {models}/ch_PP-OCRv4_det_infer.onnx: expected sha256 ");
    assert!(text.starts_with(&named), "{text}");
    assert!(text.contains("code image.pin-mismatch;"), "{text}");
    assert!(bench.nothing_published("ocr"));
}
