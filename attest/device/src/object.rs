//! Keys and sealed objects inside the TPM, and the templates they are made from.

use casemate_attest::sealing;
use sha2::{Digest as _, Sha256};

use crate::connection::{Authority, Command, Connection, Entity, TpmError};
use crate::number::{
    ALG_AES, ALG_CFB, ALG_ECC, ALG_ECDSA, ALG_KEYEDHASH, ALG_NULL, ALG_SHA256, CURVE_P256, cc,
};
use crate::session::{SaltKey, significant};
use crate::wire::{Malformed, Put as _, Take};

/// Room for parameters that hold a secret until a session encrypts them in place: a buffer that
/// grew would leave copies behind.
pub(crate) const SECRET_ROOM: usize = 512;

/// A loaded transient object; flushed when dropped, on every path.
#[derive(Debug)]
pub(crate) struct Transient {
    connection: Connection,
    pub(crate) entity: Entity,
    pub(crate) public: Vec<u8>,
}

impl Drop for Transient {
    fn drop(&mut self) {
        // If the channel broke there is nobody to tell; the next open flushes it.
        let _gone = self.connection.flush(self.entity.handle);
    }
}

const FIXED: u32 = 0x0000_0002 | 0x0000_0010; // fixedTPM | fixedParent
const ORIGIN: u32 = 0x0000_0020; // sensitiveDataOrigin
const USER_WITH_AUTH: u32 = 0x0000_0040;
const ADMIN_WITH_POLICY: u32 = 0x0000_0080;
const NO_DA: u32 = 0x0000_0400;
const RESTRICTED: u32 = 0x0001_0000;
const DECRYPT: u32 = 0x0002_0000;
const SIGN: u32 = 0x0004_0000;

/// PolicySecret(endorsement), fixed by the TCG EK Credential Profile ("PolicyA").
fn ek_policy() -> [u8; 32] {
    sealing::Policy::new()
        .secret(&crate::number::RH_ENDORSEMENT.to_be_bytes())
        .digest()
}

fn ecc(attributes: u32, policy: &[u8], storage: bool, unique: &[u8; 32]) -> Vec<u8> {
    let mut public = Vec::new();
    public
        .u16(ALG_ECC)
        .u16(ALG_SHA256)
        .u32(attributes)
        .sized(policy);
    if storage {
        public.u16(ALG_AES).u16(128).u16(ALG_CFB).u16(ALG_NULL);
    } else {
        public.u16(ALG_NULL).u16(ALG_ECDSA).u16(ALG_SHA256);
    }
    public
        .u16(CURVE_P256)
        .u16(ALG_NULL)
        .sized(unique)
        .sized(&[0; 32]);
    public
}

/// Template of the storage root key.
pub(crate) fn srk_template() -> Vec<u8> {
    let attributes = FIXED | ORIGIN | USER_WITH_AUTH | NO_DA | RESTRICTED | DECRYPT;
    ecc(attributes, &[], true, &[0; 32])
}

/// Template of the endorsement key: TCG EK Credential Profile 2.x, B.3.4 (L-2).
pub(crate) fn ek_template() -> Vec<u8> {
    let attributes = FIXED | ORIGIN | ADMIN_WITH_POLICY | RESTRICTED | DECRYPT;
    ecc(attributes, &ek_policy(), true, &[0; 32])
}

/// Template of the attestation key: restricted, so it signs only what the TPM made.
pub(crate) fn ak_template() -> Vec<u8> {
    let attributes = FIXED | ORIGIN | USER_WITH_AUTH | NO_DA | RESTRICTED | SIGN;
    ecc(
        attributes,
        &[],
        false,
        &Sha256::digest(b"casemate ak v1").into(),
    )
}

/// Template of the log key: unrestricted, so it signs checkpoints; never a quote key.
pub(crate) fn log_template() -> Vec<u8> {
    let attributes = FIXED | ORIGIN | USER_WITH_AUTH | NO_DA | SIGN;
    ecc(
        attributes,
        &[],
        false,
        &Sha256::digest(b"casemate log v1").into(),
    )
}

/// Template of the sealed root: only the policy opens or administers it.
pub(crate) fn root_template(policy: &[u8; 32]) -> Vec<u8> {
    let mut public = Vec::new();
    public
        .u16(ALG_KEYEDHASH)
        .u16(ALG_SHA256)
        .u32(FIXED | ADMIN_WITH_POLICY | NO_DA)
        .sized(policy)
        .u16(ALG_NULL)
        .sized(&[]);
    public
}

/// The P-256 point of a `TPMT_PUBLIC`.
pub(crate) fn point(public: &[u8]) -> Result<p256::PublicKey, Malformed> {
    let mut take = Take(public);
    if take.u16()? != ALG_ECC || take.u16()? != ALG_SHA256 {
        return Err(Malformed);
    }
    take.u32()?;
    take.sized()?;
    if take.u16()? != ALG_NULL {
        take.raw(4)?; // key bits and mode
    }
    if take.u16()? != ALG_NULL {
        take.u16()?; // scheme hash
    }
    if take.u16()? != CURVE_P256 || take.u16()? != ALG_NULL {
        return Err(Malformed);
    }
    let (x, y) = (padded(take.sized()?)?, padded(take.sized()?)?);
    take.end()?;
    let encoded = p256::EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    p256::PublicKey::from_sec1_bytes(encoded.as_bytes()).map_err(|_| Malformed)
}

/// A coordinate, which a TPM may send without leading zeros.
fn padded(bytes: &[u8]) -> Result<[u8; 32], Malformed> {
    let mut out = [0; 32];
    let start = out.len().checked_sub(bytes.len()).ok_or(Malformed)?;
    out.get_mut(start..)
        .ok_or(Malformed)?
        .copy_from_slice(bytes);
    Ok(out)
}

impl Transient {
    /// This key as one that sessions are salted with. Its Name was computed here.
    pub(crate) fn salt_key(&self) -> Result<SaltKey, TpmError> {
        let point = point(&self.public).map_err(|Malformed| TpmError::Malformed {
            command: "TPM2_CreatePrimary",
        })?;
        Ok(SaltKey {
            entity: self.entity.clone(),
            point,
        })
    }
}

impl Connection {
    fn guard(&self, handle: u32) -> Transient {
        Transient {
            connection: self.clone(),
            entity: Entity {
                handle,
                name: Vec::new(),
            },
            public: Vec::new(),
        }
    }

    /// `TPM2_CreatePrimary`; `user_auth` becomes the key's authorisation value.
    pub(crate) fn create_primary(
        &self,
        hierarchy: u32,
        authority: Authority<'_>,
        template: &[u8],
        user_auth: &[u8],
    ) -> Result<Transient, TpmError> {
        let command = "TPM2_CreatePrimary";
        let mut sensitive = zeroize::Zeroizing::new(Vec::with_capacity(SECRET_ROOM));
        sensitive.sized(significant(user_auth)).sized(&[]);
        let mut parameters = Vec::with_capacity(SECRET_ROOM);
        parameters
            .sized(&sensitive)
            .sized(template)
            .sized(&[])
            .u32(0);
        let answer = self.run_with(
            Command {
                code: cc::CREATE_PRIMARY,
                name: command,
                handles: &[&Entity::plain(hierarchy)],
                parameters,
            },
            &mut [authority],
        )?;
        let mut key = self.guard(answer.handle);
        key.public = answer.read(command, |take| {
            let public = take.sized()?.to_vec();
            take.sized()?; // creationData
            take.sized()?; // creationHash
            take.raw(6)?; // ticket tag and hierarchy
            take.sized()?;
            take.sized()?; // Name: computed here instead of believed
            Ok(public)
        })?;
        key.entity.name = sealing::name(&key.public);
        Ok(key)
    }

    /// `TPM2_Create` of a sealed object holding `data`, encrypted on its way in.
    /// Returns `TPMT_PUBLIC` and the private blob.
    pub(crate) fn seal(
        &self,
        parent: &Entity,
        authority: Authority<'_>,
        template: &[u8],
        data: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), TpmError> {
        let mut sensitive = zeroize::Zeroizing::new(Vec::with_capacity(SECRET_ROOM));
        sensitive.sized(&[]).sized(data);
        let mut parameters = Vec::with_capacity(SECRET_ROOM);
        parameters
            .sized(&sensitive)
            .sized(template)
            .sized(&[])
            .u32(0);
        let command = "TPM2_Create";
        let answer = self.run_with(
            Command {
                code: cc::CREATE,
                name: command,
                handles: &[parent],
                parameters,
            },
            &mut [authority],
        )?;
        answer.read(command, |take| {
            let private = take.sized()?.to_vec();
            let public = take.sized()?.to_vec();
            take.sized()?; // creationData
            take.sized()?; // creationHash
            take.raw(6)?;
            take.sized()?;
            Ok((public, private))
        })
    }

    /// `TPM2_Load` under the SRK.
    pub(crate) fn load(
        &self,
        parent: &Entity,
        public: &[u8],
        private: &[u8],
    ) -> Result<Transient, TpmError> {
        let mut parameters = Vec::new();
        parameters.sized(private).sized(public);
        let answer = self.run_with(
            Command {
                code: cc::LOAD,
                name: "TPM2_Load",
                handles: &[parent],
                parameters,
            },
            &mut [Authority::Empty],
        )?;
        let mut object = self.guard(answer.handle);
        object.public = public.to_vec();
        object.entity.name = sealing::name(public);
        Ok(object)
    }

    /// `TPM2_LoadExternal` of a public key, in the owner hierarchy because a
    /// verification ticket of the null hierarchy is void.
    pub(crate) fn load_public(&self, public: &[u8]) -> Result<Transient, TpmError> {
        let mut parameters = Vec::new();
        parameters
            .sized(&[])
            .sized(public)
            .u32(crate::number::RH_OWNER);
        let answer = self.run(Command {
            code: cc::LOAD_EXTERNAL,
            name: "TPM2_LoadExternal",
            handles: &[],
            parameters,
        })?;
        let mut key = self.guard(answer.handle);
        key.public = public.to_vec();
        key.entity.name = sealing::name(public);
        Ok(key)
    }

    /// `TPM2_ReadPublic`: the public area at a persistent handle, Name computed here.
    pub(crate) fn read_public(&self, handle: u32) -> Result<(Entity, Vec<u8>), TpmError> {
        let name = "TPM2_ReadPublic";
        let entity = Entity::plain(handle);
        let answer = self.run(Command {
            code: cc::READ_PUBLIC,
            name,
            handles: &[&entity],
            parameters: Vec::new(),
        })?;
        let public = answer.read(name, |take| {
            let public = take.sized()?.to_vec();
            take.sized()?;
            take.sized()?;
            Ok(public)
        })?;
        Ok((
            Entity {
                handle,
                name: sealing::name(&public),
            },
            public,
        ))
    }

    /// `TPM2_EvictControl`: makes a primary persistent, or removes a persistent one.
    pub(crate) fn evict(
        &self,
        authority: Authority<'_>,
        object: &Entity,
        persistent: u32,
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(persistent);
        let owner = Entity::plain(crate::number::RH_OWNER);
        self.run_with(
            Command {
                code: cc::EVICT_CONTROL,
                name: "TPM2_EvictControl",
                handles: &[&owner, object],
                parameters,
            },
            &mut [authority],
        )
        .map(drop)
    }

    /// `TPM2_HierarchyChangeAuth`.
    pub(crate) fn change_auth(
        &self,
        hierarchy: u32,
        authority: Authority<'_>,
        new: &[u8],
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::with_capacity(SECRET_ROOM);
        parameters.sized(significant(new));
        self.run_with(
            Command {
                code: cc::HIERARCHY_CHANGE_AUTH,
                name: "TPM2_HierarchyChangeAuth",
                handles: &[&Entity::plain(hierarchy)],
                parameters,
            },
            &mut [authority],
        )
        .map(drop)
    }
}
