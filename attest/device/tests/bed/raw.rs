//! A bare TPM client for attackers: any command, authorised by passwords or a bare policy session.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(crate) const OWNER: u32 = 0x4000_0001;
pub(crate) const NULL: u32 = 0x4000_0007;
pub(crate) const PASSWORD: u32 = 0x4000_0009;
pub(crate) const LOCKOUT: u32 = 0x4000_000A;
pub(crate) const ENDORSEMENT: u32 = 0x4000_000B;
pub(crate) const PLATFORM: u32 = 0x4000_000C;

/// The attacker's connection; swtpm serves one at a time.
pub(crate) struct Raw(UnixStream);

/// A response code.
pub(crate) type Refused = u32;

pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    [
        &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..],
        bytes,
    ]
    .concat()
}

impl Raw {
    pub(crate) fn connect(socket: &Path) -> Self {
        Self(UnixStream::connect(socket).unwrap())
    }

    /// Sends a command; each entry of `sessions` is a handle (a password is [`PASSWORD`]) and a
    /// password. Returns what follows the header, or the response code.
    pub(crate) fn run(
        &mut self,
        code: u32,
        handles: &[u32],
        sessions: &[(u32, &[u8])],
        parameters: &[u8],
    ) -> Result<Vec<u8>, Refused> {
        let mut body = code.to_be_bytes().to_vec();
        body.extend(handles.iter().flat_map(|handle| handle.to_be_bytes()));
        if !sessions.is_empty() {
            let mut area = Vec::new();
            for (handle, password) in sessions {
                area.extend(handle.to_be_bytes());
                area.extend([0, 0]); // no nonce
                area.push(u8::from(*handle != PASSWORD)); // continueSession
                area.extend(sized(password));
            }
            body.extend(u32::try_from(area.len()).unwrap().to_be_bytes());
            body.extend(area);
        }
        body.extend(parameters);
        let tag: u16 = if sessions.is_empty() { 0x8001 } else { 0x8002 };
        let mut packet = tag.to_be_bytes().to_vec();
        packet.extend(u32::try_from(body.len() + 6).unwrap().to_be_bytes());
        packet.extend(body);
        loop {
            match self.exchange(&packet) {
                // TPM_RC_RETRY: the TPM wants the same command again.
                Err(0x922) => {}
                other => return other,
            }
        }
    }

    fn exchange(&mut self, packet: &[u8]) -> Result<Vec<u8>, Refused> {
        self.0.write_all(packet).unwrap();
        let mut header = [0; 10];
        self.0.read_exact(&mut header).unwrap();
        let size = u32::from_be_bytes(header[2..6].try_into().unwrap());
        let mut rest = vec![0; usize::try_from(size).unwrap() - 10];
        self.0.read_exact(&mut rest).unwrap();
        match u32::from_be_bytes(header[6..10].try_into().unwrap()) {
            0 => Ok(rest),
            refused => Err(refused),
        }
    }

    /// The same for a command authorised by empty passwords that answers with parameters.
    pub(crate) fn ask(&mut self, code: u32, handles: &[u32], auths: usize, p: &[u8]) -> Vec<u8> {
        let empty: Vec<(u32, &[u8])> = vec![(PASSWORD, &[]); auths];
        let answer = self.run(code, handles, &empty, p).unwrap();
        let size = u32::from_be_bytes(answer[..4].try_into().unwrap());
        answer[4..4 + usize::try_from(size).unwrap()].to_vec()
    }

    /// `TPM2_CreatePrimary`; the new handle.
    pub(crate) fn primary(&mut self, hierarchy: u32, template: &[u8]) -> u32 {
        let mut p = sized(&[0, 0, 0, 0]);
        p.extend(sized(template));
        p.extend([0, 0, 0, 0, 0, 0]);
        let answer = self
            .run(0x131, &[hierarchy], &[(PASSWORD, &[])], &p)
            .unwrap();
        u32::from_be_bytes(answer[..4].try_into().unwrap())
    }

    /// An attestation command's answer: `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    pub(crate) fn attest(
        &mut self,
        code: u32,
        handles: &[u32],
        auths: usize,
        p: &[u8],
    ) -> (Vec<u8>, Vec<u8>) {
        let answer = self.ask(code, handles, auths, p);
        let size = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
        (answer[2..2 + size].to_vec(), answer[2 + size..].to_vec())
    }

    /// A policy session that satisfies the floor's write policy with this owner password.
    pub(crate) fn floor_session(&mut self, owner: &[u8]) -> Result<u32, Refused> {
        let mut p = sized(&[0; 16]);
        p.extend(sized(&[]));
        p.push(1); // policy
        p.extend([0x00, 0x10, 0x00, 0x0B]); // no symmetric algorithm, SHA-256
        let answer = self.run(0x176, &[NULL, NULL], &[], &p).unwrap();
        let session = u32::from_be_bytes(answer[..4].try_into().unwrap());
        let secret = [0; 10]; // nonce, cpHash, policyRef, expiration
        self.run(0x151, &[OWNER, session], &[(PASSWORD, owner)], &secret)?;
        self.run(0x16C, &[session], &[], &0x137u32.to_be_bytes())
            .unwrap();
        Ok(session)
    }
}
