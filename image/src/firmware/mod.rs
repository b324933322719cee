//! Secure Boot's databases: our own PK, KEK and db, as the firmware keeps and measures them.

pub(crate) mod store;

use std::path::{Path, PathBuf};

use casemate_attest::predict::pcr7::Databases;

use crate::digest;
use crate::error::BuildError;
use crate::tool::Tool;

/// `EFI_CERT_X509_GUID`.
const CERT_X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
/// `EFI_CERT_SHA256_GUID`.
const CERT_SHA256: [u8; 16] = [
    0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
];
/// The owner of our entries: a random GUID of this project.
const OWNER: [u8; 16] = [
    0x5b, 0x1e, 0x9a, 0xc4, 0x77, 0x20, 0x3d, 0x4f, 0x8e, 0x61, 0x0c, 0xd2, 0x9b, 0x53, 0xe7, 0x18,
];
/// The keys by their file names.
const NAMES: [&str; 3] = ["PK", "KEK", "db"];

/// The folder with `PK`, `KEK` and `db`, each as `.key` (PEM), `.pem` and `.der`.
#[derive(Debug, Clone)]
pub struct SecureBootKeys(PathBuf);

impl SecureBootKeys {
    /// The keys in `dir`; made if they are missing. RSA of 2048 bits, because no other kind is
    /// understood by every firmware that matters.
    ///
    /// # Errors
    /// `File`, or `Tool` when openssl fails.
    pub fn make(dir: &Path) -> Result<Self, BuildError> {
        std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))?;
        let keys = Self(dir.to_path_buf());
        for name in NAMES {
            if !keys.path(name, "der").exists() {
                keys.generate(name)?;
            }
        }
        Ok(keys)
    }

    /// The keys in `dir`, all of which are there.
    ///
    /// # Errors
    /// `Key` when one is missing.
    pub fn read(dir: &Path) -> Result<Self, BuildError> {
        let keys = Self(dir.to_path_buf());
        for name in NAMES {
            let path = keys.path(name, "der");
            if !path.exists() {
                let why = "is missing; run `image keys secure-boot`".to_owned();
                return Err(BuildError::Key { path, why });
            }
        }
        Ok(keys)
    }

    /// The file of a key in a form.
    #[must_use]
    pub fn path(&self, name: &str, form: &str) -> PathBuf {
        self.0.join(format!("{name}.{form}"))
    }

    fn generate(&self, name: &str) -> Result<(), BuildError> {
        let (key, pem) = (self.path(name, "key"), self.path(name, "pem"));
        Tool::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"])
            .args(["-days", "7300", "-subj"])
            .arg(format!("/CN=Casemate development {name}"))
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&pem)
            .run()?;
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))
            .map_err(BuildError::file("close", &key))?;
        let der = Tool::new("openssl")
            .args(["x509", "-outform", "DER", "-in"])
            .arg(&pem)
            .output()?;
        let path = self.path(name, "der");
        std::fs::write(&path, der).map_err(BuildError::file("write", &path))
    }

    /// The databases with these keys, and with the digest of nothing forbidden, as on a new
    /// machine.
    ///
    /// # Errors
    /// `File`.
    pub fn databases(&self) -> Result<Databases, BuildError> {
        let list = |name: &str| {
            let path = self.path(name, "der");
            let der = std::fs::read(&path).map_err(BuildError::file("read", &path))?;
            Ok::<_, BuildError>(signature_list(&CERT_X509, &der))
        };
        Ok(Databases {
            pk: list("PK")?,
            kek: list("KEK")?,
            db: list("db")?,
            dbx: signature_list(&CERT_SHA256, &digest::of_bytes(&[])),
        })
    }
}

/// `EFI_SIGNATURE_LIST` of one entry of ours.
fn signature_list(kind: &[u8; 16], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + OWNER.len()).unwrap_or(u32::MAX);
    let mut out = kind.to_vec();
    out.extend(size.saturating_add(28).to_le_bytes());
    out.extend(0u32.to_le_bytes()); // no list header
    out.extend(size.to_le_bytes());
    out.extend(OWNER);
    out.extend(content);
    out
}
