//! Platform configuration registers: reading and extending.

use casemate_attest::sealing::pcr_selection;

use crate::connection::{Authority, Command, Connection, Entity, TpmError};
use crate::number::{ALG_SHA256, cc};
use crate::wire::{Malformed, Put as _, Take};

/// A SHA-256 PCR value.
pub type PcrValue = [u8; 32];

impl Take<'_> {
    /// The registers of the SHA-256 bank in a `TPML_PCR_SELECTION`.
    fn selection(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut registers = Vec::new();
        for _ in 0..self.u32()? {
            let bank = self.u16()?;
            let size = self.u8()?;
            let bits = self.raw(size.into())?;
            let set = |register: &u8| {
                let byte = bits.get(usize::from(register / 8));
                byte.is_some_and(|byte| byte & (1 << (register % 8)) != 0)
            };
            if bank == ALG_SHA256 {
                registers.extend((0..24).filter(set));
            }
        }
        Ok(registers)
    }
}

impl Connection {
    /// Values of these registers in the SHA-256 bank, in register order.
    ///
    /// A TPM answers at most eight values at once, so this takes several commands
    /// and the values need not belong to one moment: a quote checks that.
    pub(crate) fn pcr_read(&self, registers: &[u8]) -> Result<Vec<(u8, PcrValue)>, TpmError> {
        let name = "TPM2_PCR_Read";
        let mut sorted = registers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut values = Vec::with_capacity(sorted.len());
        for group in sorted.chunks(8) {
            let answer = self.run(Command {
                code: cc::PCR_READ,
                name,
                handles: &[],
                parameters: pcr_selection(group),
            })?;
            // A TPM leaves out of the selection what it lacks, and says nothing else.
            let mut head = Take(&answer.parameters);
            let given = head.u32().and_then(|_counter| head.selection());
            let given = given.map_err(|Malformed| TpmError::Malformed { command: name })?;
            if let Some(register) = group.iter().find(|register| !given.contains(register)) {
                return Err(TpmError::Bank {
                    register: *register,
                });
            }
            let read = answer.read(name, |take| {
                take.u32()?; // update counter
                if take.raw(10)? != pcr_selection(group) {
                    return Err(Malformed);
                }
                let count = take.u32()?;
                (0..count)
                    .map(|_| take.sized()?.try_into().map_err(|_| Malformed))
                    .collect::<Result<Vec<PcrValue>, _>>()
            })?;
            if read.len() != group.len() {
                return Err(TpmError::Malformed { command: name });
            }
            values.extend(group.iter().copied().zip(read));
        }
        Ok(values)
    }

    /// `TPM2_PCR_Extend` with one digest per bank: (TPM algorithm id, digest).
    pub(crate) fn pcr_extend(
        &self,
        register: u32,
        digests: &[(u16, &[u8])],
    ) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(u32::try_from(digests.len()).unwrap_or(u32::MAX));
        for (algorithm, digest) in digests {
            parameters.u16(*algorithm).raw(digest);
        }
        self.run_with(
            Command {
                code: cc::PCR_EXTEND,
                name: "TPM2_PCR_Extend",
                handles: &[&Entity::plain(register)],
                parameters,
            },
            &mut [Authority::Empty],
        )
        .map(drop)
    }
}
