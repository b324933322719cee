//! NV indices: the version floor and the rollback counter.
//!
//! The Name of an index does not cover who may delete it (docs/formats/tpm.md),
//! so a Name that fits proves nothing unless the owner authorisation is secret.

use casemate_attest::sealing;

use crate::connection::{Authority, Command, Connection, Entity, TpmError};
use crate::number::{RH_OWNER, cc};
use crate::session::significant;
use crate::wire::Put as _;

/// The floor, before and after its first write.
pub(crate) fn floor(written: bool) -> Entity {
    index(
        sealing::FLOOR_INDEX,
        sealing::FLOOR_ATTRIBUTES,
        written,
        &sealing::floor_write_policy(),
    )
}

/// The counter, before and after its first increment.
pub(crate) fn counter(written: bool) -> Entity {
    index(
        sealing::COUNTER_INDEX,
        sealing::COUNTER_ATTRIBUTES,
        written,
        &[],
    )
}

fn index(handle: u32, attributes: u32, written: bool, policy: &[u8]) -> Entity {
    let attributes = if written {
        attributes | sealing::NV_WRITTEN
    } else {
        attributes
    };
    Entity {
        handle,
        name: sealing::name(&sealing::nv_public(handle, attributes, policy, 8)),
    }
}

impl Connection {
    /// `TPM2_NV_DefineSpace` under the owner hierarchy.
    pub(crate) fn nv_define(
        &self,
        authority: Authority<'_>,
        auth: &[u8],
        public: &[u8],
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::with_capacity(crate::object::SECRET_ROOM);
        parameters.sized(significant(auth)).sized(public);
        self.run_with(
            Command {
                code: cc::NV_DEFINE_SPACE,
                name: "TPM2_NV_DefineSpace",
                handles: &[&Entity::plain(RH_OWNER)],
                parameters,
            },
            &mut [authority],
        )
        .map(drop)
    }

    /// `TPM2_NV_UndefineSpace`.
    pub(crate) fn nv_undefine(
        &self,
        hierarchy: u32,
        authority: Authority<'_>,
        index: &Entity,
    ) -> Result<(), TpmError> {
        self.run_with(
            Command {
                code: cc::NV_UNDEFINE_SPACE,
                name: "TPM2_NV_UndefineSpace",
                handles: &[&Entity::plain(hierarchy), index],
                parameters: Vec::new(),
            },
            &mut [authority],
        )
        .map(drop)
    }

    /// `TPM2_NV_ReadPublic`: size and Name, computed from the public area.
    pub(crate) fn nv_read_public(&self, handle: u32) -> Result<(Entity, u16), TpmError> {
        let name = "TPM2_NV_ReadPublic";
        let answer = self.run(Command {
            code: cc::NV_READ_PUBLIC,
            name,
            handles: &[&Entity::plain(handle)],
            parameters: Vec::new(),
        })?;
        answer.read(name, |take| {
            let public = take.sized()?;
            take.sized()?;
            let size = public.last_chunk::<2>().ok_or(crate::wire::Malformed)?;
            let entity = Entity {
                handle,
                name: sealing::name(public),
            };
            Ok((entity, u16::from_be_bytes(*size)))
        })
    }

    /// `TPM2_NV_Read` authorised by the index itself.
    pub(crate) fn nv_read(
        &self,
        authority: Authority<'_>,
        index: &Entity,
        size: u16,
        offset: u16,
    ) -> Result<Vec<u8>, TpmError> {
        let name = "TPM2_NV_Read";
        let mut parameters = Vec::new();
        parameters.u16(size).u16(offset);
        let handles = &[index, index];
        let answer = self.run_with(
            Command {
                code: cc::NV_READ,
                name,
                handles,
                parameters,
            },
            &mut [authority],
        )?;
        answer.read(name, |take| take.sized().map(<[u8]>::to_vec))
    }

    /// Eight bytes, big-endian.
    pub(crate) fn nv_read_u64(
        &self,
        authority: Authority<'_>,
        index: &Entity,
    ) -> Result<u64, TpmError> {
        let bytes = self.nv_read(authority, index, 8, 0)?;
        let bytes = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| TpmError::Malformed {
            command: "TPM2_NV_Read",
        })?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// `TPM2_NV_Write` at offset 0, authorised by the index itself.
    pub(crate) fn nv_write(
        &self,
        authority: Authority<'_>,
        index: &Entity,
        data: &[u8],
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.sized(data).u16(0);
        self.run_with(
            Command {
                code: cc::NV_WRITE,
                name: "TPM2_NV_Write",
                handles: &[index, index],
                parameters,
            },
            &mut [authority],
        )
        .map(drop)
    }

    /// `TPM2_NV_Increment`, authorised by the index itself.
    pub(crate) fn nv_increment(
        &self,
        authority: Authority<'_>,
        index: &Entity,
    ) -> Result<(), TpmError> {
        self.run_with(
            Command {
                code: cc::NV_INCREMENT,
                name: "TPM2_NV_Increment",
                handles: &[index, index],
                parameters: Vec::new(),
            },
            &mut [authority],
        )
        .map(drop)
    }
}
