//! A cursor over bytes that never reads past their end.

/// Why bytes are not the structure they are said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct StructureError {
    /// Where.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
    /// Whether it is unreadable, or readable and not allowed.
    pub fault: Fault,
}

/// What kind of fault a structure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are not the structure.
    Malformed,
    /// The structure names an algorithm, curve or size that is not allowed: SHA-1, RSA under
    /// 2048 bits, curves other than P-256 and P-384.
    Refused,
}

impl StructureError {
    /// Bytes that are not the structure.
    #[must_use]
    pub fn at(offset: usize, reason: impl Into<String>) -> Self {
        Self {
            offset,
            reason: reason.into(),
            fault: Fault::Malformed,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn error<T>(&self, reason: impl Into<String>) -> Result<T, StructureError> {
        Err(StructureError {
            offset: self.at,
            reason: reason.into(),
            fault: Fault::Malformed,
        })
    }

    /// An algorithm that is not allowed here: the structure may be whole, if it is one at all.
    pub(crate) fn refuse<T>(
        &self,
        algorithm: u16,
        reason: impl Into<String>,
    ) -> Result<T, StructureError> {
        Err(StructureError {
            offset: self.at,
            reason: reason.into(),
            fault: super::fault_of(algorithm),
        })
    }

    /// A size or curve that is not allowed here.
    pub(crate) fn too_weak<T>(&self, reason: impl Into<String>) -> Result<T, StructureError> {
        Err(StructureError {
            offset: self.at,
            reason: reason.into(),
            fault: Fault::Refused,
        })
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'b [u8], StructureError> {
        let taken = self
            .at
            .checked_add(len)
            .and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else {
            let left = self.bytes.len().saturating_sub(self.at);
            return self.error(format!("{len} bytes wanted, {left} are left"));
        };
        self.at += len;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StructureError> {
        let taken = self.take(N)?;
        taken.try_into().or_else(|_| self.error("cut short"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StructureError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, StructureError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StructureError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StructureError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32_le(&mut self) -> Result<u32, StructureError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16_le(&mut self) -> Result<u16, StructureError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// A `TPM2B`: a 16-bit size and as many bytes, at most `max`.
    pub(crate) fn sized(&mut self, max: usize) -> Result<&'b [u8], StructureError> {
        let len = usize::from(self.u16()?);
        if len > max {
            return self.error(format!("a size of {len}, at most {max} is allowed"));
        }
        self.take(len)
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), StructureError> {
        match self.bytes.len().saturating_sub(self.at) {
            0 => Ok(()),
            left => self.error(format!("{left} bytes are left over")),
        }
    }
}

/// A big-endian number at its full width: a TPM may drop leading zeros.
pub(crate) fn padded<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    let start = N.checked_sub(number.len())?;
    padded.get_mut(start..)?.copy_from_slice(number);
    Some(padded)
}
