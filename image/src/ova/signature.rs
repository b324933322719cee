//! `NAME.cert`: the signature of the manifest, and the certificate to check it with (DSP0243,
//! section 5.1).
//!
//! RSA, because importers read no other kind, and by openssl: its key may stand in a token, and
//! PKCS#1 v1.5 gives the same signature each time.

use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::ova::Part;
use crate::tool::Tool;

/// The key that signs packages, with its certificate: `package.key` and `package.pem`.
#[derive(Debug, Clone)]
pub struct PackageKey {
    key: PathBuf,
    certificate: PathBuf,
}

impl PackageKey {
    /// The development key in `dir`, made if it is missing.
    ///
    /// # Errors
    /// `File`, or `Tool` when openssl fails.
    pub fn make(dir: &Path) -> Result<Self, BuildError> {
        std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))?;
        let pair = Self::of(dir);
        if pair.key.exists() && pair.certificate.exists() {
            return Ok(pair);
        }
        // openssl makes the key file for its owner alone.
        let part = Part(dir.join("package.key.part"));
        Tool::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:3072", "-nodes", "-sha256"])
            .args([
                "-days",
                "7300",
                "-subj",
                "/CN=Casemate development packages",
            ])
            .arg("-keyout")
            .arg(&part.0)
            .arg("-out")
            .arg(&pair.certificate)
            .run()?;
        std::fs::rename(&part.0, &pair.key).map_err(BuildError::file("write", &pair.key))?;
        Ok(pair)
    }

    /// The key in `dir`.
    ///
    /// # Errors
    /// `Key` when it or its certificate is missing.
    pub fn read(dir: &Path) -> Result<Self, BuildError> {
        let pair = Self::of(dir);
        for path in [&pair.key, &pair.certificate] {
            if !path.exists() {
                return Err(BuildError::Key {
                    path: path.clone(),
                    why: "is missing; run `image keys package`".to_owned(),
                });
            }
        }
        Ok(pair)
    }

    fn of(dir: &Path) -> Self {
        Self {
            key: dir.join("package.key"),
            certificate: dir.join("package.pem"),
        }
    }
}

/// Who signs a package.
#[derive(Debug)]
pub enum Signer<'a> {
    /// A key that is here.
    Key(&'a PackageKey),
    /// Nobody: the `.cert` of a release that was published is put back. That is how someone
    /// without its key builds the same bytes.
    Kept(&'a Path),
}

impl Signer<'_> {
    /// The `.cert` of `manifest`, which is the file `listing` of the package. Checked before it is
    /// given back; scratch files go beside `out`.
    ///
    /// # Errors
    /// `Tool` when openssl cannot sign, `Signature` when the signature is not of this manifest.
    pub(super) fn certificate(
        &self,
        listing: &str,
        manifest: &[u8],
        out: &Path,
    ) -> Result<Vec<u8>, BuildError> {
        let text = Part(out.with_extension("mf.part"));
        std::fs::write(&text.0, manifest).map_err(BuildError::file("write", &text.0))?;
        let bytes = match self {
            Self::Key(pair) => {
                let signed = Tool::new("openssl")
                    .args(["dgst", "-sha256", "-sign"])
                    .arg(&pair.key)
                    .arg(&text.0)
                    .output()?;
                let pem = std::fs::read_to_string(&pair.certificate)
                    .map_err(BuildError::file("read", &pair.certificate))?;
                format!("SHA256({listing})= {}\n{pem}", hex::encode(signed)).into_bytes()
            }
            Self::Kept(path) => std::fs::read(path).map_err(BuildError::file("read", path))?,
        };
        check(&bytes, listing, &text.0, out)?;
        Ok(bytes)
    }
}

/// Checks a `.cert` against the manifest in `text`, the way the documentation says it.
fn check(cert: &[u8], listing: &str, text: &Path, out: &Path) -> Result<(), BuildError> {
    let refuse = |why: &str| BuildError::Signature {
        what: listing.to_owned(),
        why: why.to_owned(),
    };
    let cert = std::str::from_utf8(cert).map_err(|_| refuse("the .cert is not text"))?;
    let signature = cert
        .split_once('\n')
        .and_then(|(first, _)| first.strip_prefix(&format!("SHA256({listing})= ")))
        .and_then(|hex| hex::decode(hex.trim_end()).ok())
        .ok_or_else(|| refuse("the .cert does not begin with its signature"))?;
    let parts = ["cert", "pub", "sig"].map(|end| Part(out.with_extension(format!("{end}.part"))));
    let [pem, public, binary] = &parts;
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).map_err(BuildError::file("write", path))
    };
    write(&pem.0, cert.as_bytes())?;
    write(&binary.0, &signature)?;
    let key = Tool::new("openssl")
        .args(["x509", "-noout", "-pubkey", "-in"])
        .arg(&pem.0)
        .output()
        .map_err(|_| refuse("the .cert holds no certificate"))?;
    write(&public.0, &key)?;
    Tool::new("openssl")
        .args(["dgst", "-sha256", "-verify"])
        .arg(&public.0)
        .arg("-signature")
        .arg(&binary.0)
        .arg(text)
        .run()
        .map_err(|_| refuse("the signature is of another manifest: these are not the same inputs"))
}
