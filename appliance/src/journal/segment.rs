//! The bytes of a segment: its header and its frames. Pure. Format: docs/formats/journal.md.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::keys::derive::ApplianceId;
use crate::keys::seal::{NONCE, Sealer, TAG};
use crate::keys::{Key, KeyError};

/// Bytes of a header.
pub const HEADER: usize = 156;
/// Bytes of a frame before the ciphertext.
pub const FRAME_HEAD: usize = 4 + 8 + 8 + NONCE;
/// Bytes of a chain hash.
pub const CHAIN: usize = 32;
/// Largest ciphertext with its tag.
pub const MAX_SEALED: usize = 128 << 10;

const MAGIC: &[u8; 16] = b"casemate-journal";
const FORMAT: u32 = 1;
const ALGORITHM: u32 = 1;
const HEADER_DOMAIN: &[u8] = b"casemate/journal-header/1";
const CHAIN_DOMAIN: &[u8] = b"casemate/journal-chain/1";

/// A chain hash: what all bytes of the journal up to a point hash to.
pub type Chain = [u8; CHAIN];

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Whose journal it is.
    pub appliance: ApplianceId,
    /// Epoch of the journal key.
    pub epoch: u32,
    /// Number of its first record.
    pub first: u64,
    /// Chain hash before its first record.
    pub before: Chain,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// They are not what was written; says where.
    Damaged(&'static str),
    /// They are whole, and made under another key.
    OtherKey,
}

impl Header {
    /// The header's bytes.
    pub fn to_bytes(self, key: &Key) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        bytes.extend_from_slice(&ALGORITHM.to_be_bytes());
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.appliance.0);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&self.before);
        let check = mac(key, HEADER_DOMAIN, &bytes);
        bytes.extend_from_slice(&check);
        let hash = hash(&[HEADER_DOMAIN, &bytes]);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Reads what the header claims and checks that it is whole; not yet that its key is ours.
    ///
    /// # Errors
    /// [`HeaderFault::Damaged`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let header = bytes.first_chunk::<HEADER>().ok_or(HeaderFault::Damaged(
            "the segment is shorter than its header",
        ))?;
        let (body, hashed) = header.split_at(HEADER - CHAIN);
        if hash(&[HEADER_DOMAIN, body]) != hashed {
            return Err(HeaderFault::Damaged("the segment's header was changed"));
        }
        let mut rest = body;
        let unknown = HeaderFault::Damaged("the segment's format is unknown");
        if take::<16>(&mut rest) != Some(*MAGIC)
            || take(&mut rest).map(u32::from_be_bytes) != Some(FORMAT)
            || take(&mut rest).map(u32::from_be_bytes) != Some(ALGORITHM)
        {
            return Err(unknown);
        }
        let parse = |rest: &mut &[u8]| {
            Some(Self {
                segment: u64::from_be_bytes(take(rest)?),
                appliance: ApplianceId(take(rest)?),
                epoch: u32::from_be_bytes(take(rest)?),
                first: u64::from_be_bytes(take(rest)?),
                before: take(rest)?,
            })
        };
        parse(&mut rest).ok_or(unknown)
    }

    /// Checks a parsed header's bytes against the journal key.
    ///
    /// # Errors
    /// [`HeaderFault::OtherKey`].
    pub fn check(bytes: &[u8], key: &Key) -> Result<(), HeaderFault> {
        let claimed = bytes.get(HEADER - 2 * CHAIN..HEADER - CHAIN);
        let body = bytes.get(..HEADER - 2 * CHAIN).unwrap_or_default();
        let holds = claimed.is_some_and(|claimed| mac_holds(key, HEADER_DOMAIN, body, claimed));
        holds.then_some(()).ok_or(HeaderFault::OtherKey)
    }

    /// The header hash in a header's bytes: the chain hash before its first record.
    pub fn chain(bytes: &[u8]) -> Chain {
        let hash = bytes
            .get(HEADER - CHAIN..HEADER)
            .and_then(|hash| hash.try_into().ok());
        hash.unwrap_or([0; CHAIN])
    }
}

/// Who a record is, as its associated data says it.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Whose journal.
    pub appliance: ApplianceId,
    /// Which segment.
    pub segment: u64,
    /// Epoch of its key.
    pub epoch: u32,
}

impl Identity {
    fn aad(&self, seq: u64, group: u64) -> Vec<u8> {
        let mut aad = Vec::with_capacity(52);
        aad.extend_from_slice(&FORMAT.to_be_bytes());
        aad.extend_from_slice(&ALGORITHM.to_be_bytes());
        aad.extend_from_slice(&self.appliance.0);
        aad.extend_from_slice(&self.segment.to_be_bytes());
        aad.extend_from_slice(&seq.to_be_bytes());
        aad.extend_from_slice(&group.to_be_bytes());
        aad.extend_from_slice(&self.epoch.to_be_bytes());
        aad
    }

    /// Appends the frame of one record to `out`; gives the chain hash after it.
    ///
    /// # Errors
    /// [`KeyError`] if it cannot be sealed.
    pub fn frame(
        &self,
        sealer: &Sealer,
        (seq, group): (u64, u64),
        before: &Chain,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Chain, KeyError> {
        let (nonce, sealed) = sealer.seal(&self.aad(seq, group), plain)?;
        let length = u32::try_from(sealed.len())
            .ok()
            .filter(|_| sealed.len() <= MAX_SEALED)
            .ok_or(KeyError::Sealed)?;
        let start = out.len();
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&group.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        let chain = link(before, out.get(start..).unwrap_or_default());
        out.extend_from_slice(&chain);
        Ok(chain)
    }

    /// Opens a frame.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] if it is not this journal's record of that number in this segment.
    pub fn open(&self, sealer: &Sealer, frame: &RawFrame<'_>) -> Result<Vec<u8>, KeyError> {
        sealer.open(frame.nonce, &self.aad(frame.seq, frame.group), frame.sealed)
    }
}

/// A frame as it lies in the file; nothing of it is checked but its length.
#[derive(Debug, Clone, Copy)]
pub struct RawFrame<'b> {
    /// Claimed number of the record.
    pub seq: u64,
    /// Claimed number of the first record of its group.
    pub group: u64,
    nonce: &'b [u8; NONCE],
    sealed: &'b [u8],
    linked: &'b [u8],
    /// Chain hash that the file claims after it.
    pub chain: &'b Chain,
}

/// What lies at a place in a segment.
#[derive(Debug)]
pub enum At<'b> {
    /// A frame, and how many bytes it takes.
    Frame(RawFrame<'b>, usize),
    /// Nothing but zeros, or nothing at all: the end.
    End,
    /// Neither.
    Broken(&'static str),
}

/// Looks at the bytes from the start of a frame to the end of the segment.
pub fn look(bytes: &[u8]) -> At<'_> {
    let Some(length) = bytes.first_chunk::<4>() else {
        return match bytes.iter().all(|byte| *byte == 0) {
            true => At::End,
            false => At::Broken("the frame is cut off"),
        };
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 {
        return match bytes.iter().all(|byte| *byte == 0) {
            true => At::End,
            false => At::Broken("the frame has no length"),
        };
    }
    if !(TAG..=MAX_SEALED).contains(&length) {
        return At::Broken("the frame's length is out of bounds");
    }
    frame(bytes, length).unwrap_or(At::Broken("the frame is cut off"))
}

fn frame(bytes: &[u8], length: usize) -> Option<At<'_>> {
    let linked = bytes.get(..FRAME_HEAD.checked_add(length)?)?;
    let chain = bytes.get(linked.len()..)?.first_chunk::<CHAIN>()?;
    let (head, sealed) = linked.split_at_checked(FRAME_HEAD)?;
    let (_, mut rest) = head.split_at_checked(4)?;
    let seq = u64::from_be_bytes(take(&mut rest)?);
    let group = u64::from_be_bytes(take(&mut rest)?);
    let nonce = rest.first_chunk::<NONCE>()?;
    let raw = RawFrame {
        seq,
        group,
        nonce,
        sealed,
        linked,
        chain,
    };
    Some(At::Frame(raw, linked.len().checked_add(CHAIN)?))
}

impl RawFrame<'_> {
    /// Whether the frame follows on the chain hash `before`.
    pub fn follows(&self, before: &Chain) -> bool {
        link(before, self.linked) == *self.chain
    }
}

fn link(before: &Chain, frame: &[u8]) -> Chain {
    hash(&[CHAIN_DOMAIN, before, frame])
}

fn hash(parts: &[&[u8]]) -> Chain {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 over a domain and bytes.
pub fn mac(key: &Key, domain: &[u8], bytes: &[u8]) -> [u8; 32] {
    keyed(key, domain, bytes).finalize().into_bytes().into()
}

/// Whether `claimed` is that, compared in constant time.
pub fn mac_holds(key: &Key, domain: &[u8], bytes: &[u8], claimed: &[u8]) -> bool {
    keyed(key, domain, bytes).verify_slice(claimed).is_ok()
}

fn keyed(key: &Key, domain: &[u8], bytes: &[u8]) -> Hmac<Sha256> {
    // RFC 2104 section 2: a key shorter than a block is filled up with zeros.
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key.bytes()) {
        *to = *from;
    }
    let block: &[u8; 64] = &block;
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(block.into());
    mac.update(domain);
    mac.update(bytes);
    mac
}

/// Takes the next `N` bytes off the front.
pub fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}
