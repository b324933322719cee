//! A little-endian cursor over a payload that never reads past its end.

use super::guid::Guid;

/// Why a payload is not the structure that its event's type calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at payload byte {offset}: {reason}")]
pub struct PayloadError {
    /// Where, in bytes from the payload's beginning.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) const fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(super) const fn error<T>(&self, reason: &'static str) -> Result<T, PayloadError> {
        let offset = self.at;
        Err(PayloadError { offset, reason })
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'b [u8], PayloadError> {
        let taken = self
            .at
            .checked_add(len)
            .and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else {
            return self.error("a size that goes past the payload's end");
        };
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    /// As many bytes as a number of the payload says.
    pub(super) fn sized(&mut self, len: impl TryInto<usize>) -> Result<&'b [u8], PayloadError> {
        match len.try_into() {
            Ok(len) => self.take(len),
            Err(_) => self.error("a size that goes past the payload's end"),
        }
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'b [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PayloadError> {
        let taken = self.take(N)?;
        taken.try_into().or_else(|_| self.error("cut short"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, PayloadError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, PayloadError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, PayloadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, PayloadError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn guid(&mut self) -> Result<Guid, PayloadError> {
        Ok(Guid::new(self.array()?))
    }

    /// Nothing may be left.
    pub(super) const fn end(&self) -> Result<(), PayloadError> {
        match self.left() {
            0 => Ok(()),
            _ => self.error("bytes are left over"),
        }
    }
}
