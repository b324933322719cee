//! Every message that crosses a border: whatever is read is written back the same.
#![no_main]

use casemate_protocol::bundle::Bundle;
use casemate_protocol::codec;
use casemate_protocol::compartment::{
    FromHands, FromScript, FromSession, ScriptSetup, ToHands, ToScript, ToSession,
};
use casemate_protocol::egress::{FromConnector, FromProxy, ToConnector, ToProxy};
use casemate_protocol::job::JobSpec;
use casemate_protocol::lease::{ToAgent, ToDaemon};
use libfuzzer_sys::fuzz_target;

macro_rules! same {
    ($bytes:expr, $($message:ty),*) => {
        $(if let Ok(message) = codec::decode_canonical::<$message>($bytes) {
            assert_eq!(codec::encode(&message), $bytes);
        })*
    };
}

fuzz_target!(|bytes: &[u8]| {
    same!(
        bytes,
        FromScript,
        ToScript,
        ScriptSetup,
        FromHands,
        ToHands,
        FromSession,
        ToSession,
        ToDaemon,
        ToAgent,
        JobSpec,
        Bundle,
        FromProxy,
        ToProxy,
        FromConnector,
        ToConnector
    );
});
