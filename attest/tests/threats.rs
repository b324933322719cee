//! The threats to attestation and boot, each with what holds it: tests of this crate and of the
//! device's, and the built-in cases of `attest selftest`. A threat without one that is there
//! fails here; so does one whose test is gone, renamed or no longer run.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use casemate_attest::selftest::cases;

/// What holds a threat.
enum Held {
    /// A test: file under the repository's root, and the function.
    Test(&'static str, &'static str),
    /// A built-in case: area and name.
    Case(&'static str, &'static str),
}

use Held::{Case, Test};

/// A threat: part, what is tried, what holds it.
type Threat = (&'static str, &'static str, &'static [Held]);

const HOSTILE: &str = "attest/tests/hostile_quotes.rs";
const KINDS: &str = "attest/tests/key_kinds.rs";
const COMMAND: &str = "attest/tests/quote_command.rs";
const TPM: &str = "attest/device/tests/attestation.rs";
const LOGS: &str = "attest/tests/event_logs_threats.rs";
const JUDGED: &str = "attest/tests/event_logs.rs";
const BOOT: &str = "attest/tests/appraisal.rs";
const CHAIN: &str = "attest/tests/endorsement.rs";
const ENROLMENT: &str = "attest/tests/enrolment.rs";
const EVIDENCE: &str = "attest/device/tests/evidence.rs";
const LEDGER: &str = "attest/tests/ledger.rs";
const MEMBERS: &str = "attest/tests/members.rs";
const ROOT: &str = "attest/device/tests/root.rs";
const WIRE: &str = "attest/device/tests/wire.rs";
const FLOOR: &str = "attest/device/tests/nv_delete.rs";
const STATES: &str = "attest/device/tests/states.rs";

const QUOTE: &[Threat] = &[
    (
        "quote",
        "magic not checked",
        &[
            Test(HOSTILE, "magic_of_no_tpm"),
            Case("quote", "no TPM's magic number"),
        ],
    ),
    (
        "quote",
        "type confusion: NV-certify, GetTime, Certify by the same key",
        &[
            Test(HOSTILE, "another_kind_of_attestation"),
            Test(HOSTILE, "a_certification_is_no_quote"),
            Test(
                TPM,
                "other_attestations_signed_by_the_same_key_are_not_quotes",
            ),
            Case("quote", "an NV certification"),
            Case("quote", "a time attestation"),
            Case("quote", "a certification of a key"),
        ],
    ),
    (
        "quote",
        "a register relabelled through a resettable one",
        &[
            Test(HOSTILE, "a_relabelled_register"),
            Test(
                TPM,
                "a_register_relabelled_from_a_resettable_one_is_rejected",
            ),
            Case("quote", "register 7's history in register 16"),
        ],
    ),
    (
        "quote",
        "one quote verified and another used",
        &[
            Test(MEMBERS, "quotes_altered_well_formed_are_rejected"),
            Test(COMMAND, "json_says_the_same"),
            Case("evidence", "two quotes"),
        ],
    ),
    (
        "quote",
        "nonce missing, constant or not compared",
        &[
            Test(HOSTILE, "qualifying_data_missing_or_other"),
            Test(
                TPM,
                "another_nonce_another_spelling_and_edited_bytes_are_rejected",
            ),
            Case("quote", "another nonce"),
        ],
    ),
    (
        "quote",
        "forged by an unrestricted key of the same TPM",
        &[
            Test(TPM, "an_unrestricted_key_of_the_same_tpm_forges_nothing"),
            Test(TPM, "the_attestation_key_signs_no_outside_digest"),
            Case("quote", "forged, by a key that signs anything"),
        ],
    ),
    (
        "quote",
        "a key parse error returned as success",
        &[
            Test(HOSTILE, "a_key_that_may_not_attest"),
            Test(COMMAND, "what_is_malformed_is_told_from_what_is_rejected"),
        ],
    ),
    (
        "quote",
        "key type, scheme and hash not matched as one tuple",
        &[
            Test(HOSTILE, "a_signature_of_another_scheme_or_hash"),
            Test(KINDS, "a_signature_of_another_kind_does_not_hold"),
            Case("quote", "a signature of another scheme"),
        ],
    ),
    (
        "quote",
        "weak curve, RSA under 2048, SHA-1",
        &[
            Test(HOSTILE, "a_weak_rsa_key"),
            Test(HOSTILE, "a_key_that_may_not_attest"),
            Case("quote", "a SHA-1 signature"),
            Case("quote", "a SHA-1 key"),
            Case("quote", "an RSA-1024 key"),
        ],
    ),
    (
        "quote",
        "n - s: an identity that is a signature",
        &[
            Test(HOSTILE, "the_other_spelling_of_a_signature"),
            Test(COMMAND, "json_says_the_same"),
            Case("evidence", "the other spelling of its signature"),
        ],
    ),
    (
        "quote",
        "trailing bytes",
        &[
            Test(HOSTILE, "bytes_left_over_or_missing"),
            Case("quote", "a byte behind the quote"),
            Case("quote", "a byte behind the signature"),
        ],
    ),
    (
        "quote",
        "a selection other than the policy's",
        &[
            Test(HOSTILE, "a_selection_other_than_the_policy"),
            Test(TPM, "a_quote_of_fewer_registers_is_rejected"),
            Case("quote", "values of other registers"),
        ],
    ),
    (
        "quote",
        "an empty or all-FF bank",
        &[
            Test(HOSTILE, "a_bank_that_is_not_in_use"),
            Case("quote", "a bank that no firmware extended"),
            Case("quote", "a bank of all ones"),
        ],
    ),
];

const EVENT_LOG: &[Threat] = &[
    (
        "event log",
        "a retyped event",
        &[Test(LOGS, "a_retyped_event")],
    ),
    (
        "event log",
        "a payload edited and its digest kept",
        &[
            Test(LOGS, "a_payload_edited_under_its_digest"),
            Test(JUDGED, "a_payload_edited_under_a_kept_digest"),
            Case("event log", "a payload that was not digested"),
        ],
    ),
    (
        "event log",
        "a register with no events passing replay",
        &[
            Test(LOGS, "a_register_with_no_events"),
            Test(JUDGED, "a_register_whose_events_are_left_out"),
        ],
    ),
    (
        "event log",
        "extends after ExitBootServices",
        &[
            Test(LOGS, "an_extend_after_exit_boot_services"),
            Test(BOOT, "an_extend_after_exit_boot_services_is_refused"),
        ],
    ),
    (
        "event log",
        "a duplicate separator",
        &[
            Test(LOGS, "a_duplicate_separator"),
            Test(BOOT, "a_duplicate_separator_is_refused"),
        ],
    ),
    (
        "event log",
        "a variable after the separator",
        &[
            Test(LOGS, "a_variable_after_the_separator"),
            Test(BOOT, "a_variable_after_the_separator_is_refused"),
        ],
    ),
    (
        "event log",
        "SecureBoot of length 0 or value 2",
        &[
            Test(LOGS, "a_secure_boot_variable_of_length_0_or_value_2"),
            Test(BOOT, "secure_boot_of_length_0_is_refused"),
            Test(BOOT, "secure_boot_of_value_0_or_2_or_two_bytes_is_refused"),
        ],
    ),
    (
        "event log",
        "UEFI debug mode",
        &[
            Test(LOGS, "uefi_debug_mode"),
            Test(BOOT, "uefi_debug_mode_is_refused"),
        ],
    ),
    (
        "event log",
        "StartupLocality out of place",
        &[
            Test(LOGS, "a_startup_locality_out_of_place"),
            Test(JUDGED, "a_startup_locality_out_of_place"),
            Case("event log", "a startup locality after an extend"),
            Case("event log", "a startup locality twice"),
        ],
    ),
    (
        "event log",
        "a SHA-1-only log for a SHA-256 quote",
        &[
            Test(LOGS, "a_sha1_log_for_a_sha256_quote"),
            Test(JUDGED, "a_log_without_the_quoted_bank"),
        ],
    ),
    (
        "event log",
        "SpecID of zero or 4 G algorithms, or an unknown one",
        &[
            Test(LOGS, "a_header_of_zero_or_4g_algorithms"),
            Test(LOGS, "a_header_of_an_unknown_algorithm"),
            Case("event log", "no algorithm"),
            Case("event log", "four thousand million algorithms"),
            Case("event log", "an unknown algorithm"),
        ],
    ),
    (
        "event log",
        "a size that wraps, a 3 GB event",
        &[
            Test(LOGS, "an_event_of_a_wrapping_or_3_gb_size"),
            Test(LOGS, "a_payload_of_wrapping_sizes"),
            Case("event log", "an event of 3 GB"),
            Case("event log", "an event size that wraps"),
        ],
    ),
    (
        "event log",
        "recursion",
        &[Test(LOGS, "a_device_path_that_recurses")],
    ),
    (
        "event log",
        "a log cut at 64 KiB",
        &[
            Test(LOGS, "a_log_cut_at_64_kib"),
            Case("event log", "cut in its last event"),
        ],
    ),
    (
        "event log",
        "the order between registers used as a fact",
        &[Test(LOGS, "the_order_between_registers_is_no_fact")],
    ),
];

const IDENTITY: &[Threat] = &[
    (
        "identity",
        "an EK certificate padded with 0xFF",
        &[
            Test(CHAIN, "padding_behind_a_certificate"),
            Test(
                STATES,
                "the_certificate_of_the_endorsement_key_is_read_without_its_padding",
            ),
            Case("certificate", "padded with 0xFF as in a TPM"),
            Case("certificate", "something else behind it"),
        ],
    ),
    (
        "identity",
        "a critical directoryName SAN",
        &[
            Test(CHAIN, "certificates_of_a_software_tpm"),
            Case("certificate", "a critical directory name, until 9999"),
            Case("certificate", "an unknown critical extension"),
        ],
    ),
    (
        "identity",
        "the year 9999",
        &[
            Test(CHAIN, "the_year_9999_and_other_ends"),
            Case("certificate", "a critical directory name, until 9999"),
        ],
    ),
    (
        "identity",
        "an unknown issuer",
        &[
            Test(CHAIN, "the_certificates_of_real_tpms_are_read"),
            Test(
                ENROLMENT,
                "what_no_chosen_authority_vouches_for_is_not_enrolled",
            ),
            Case("certificate", "an unknown issuer"),
        ],
    ),
    (
        "identity",
        "an attestation key of another TPM",
        &[
            Test(TPM, "a_credential_opens_only_for_this_key_on_this_tpm"),
            Test(EVIDENCE, "evidence_of_another_tpm_is_rejected"),
            Case("evidence", "another attestation key"),
            Case("evidence", "a credential that was not opened"),
        ],
    ),
    (
        "identity",
        "an attestation key that is not restricted",
        &[
            Test(HOSTILE, "a_key_that_may_not_attest"),
            Case("quote", "forged, by a key that signs anything"),
        ],
    ),
    (
        "identity",
        "an identity registered again with another TPM",
        &[
            Test(
                ENROLMENT,
                "a_known_name_cannot_be_registered_with_another_tpm",
            ),
            Test(ENROLMENT, "a_certified_software_tpm_is_enrolled_as_one"),
        ],
    ),
    (
        "identity",
        "a MakeCredential blob replayed",
        &[
            Test(
                "attest/device/tests/credential_kinds.rs",
                "each_kind_of_endorsement_key_opens_its_credential_and_no_other",
            ),
            Case("evidence", "another challenge's answer"),
        ],
    ),
];

const CLOCK: &[Threat] = &[
    (
        "clock",
        "resetCount or restartCount going back",
        &[
            Test(LEDGER, "reset_count_going_back_is_called_out"),
            Test(LEDGER, "restart_count_going_back_is_called_out"),
            Test(LEDGER, "clock_going_back_is_called_out"),
        ],
    ),
    (
        "clock",
        "two evidences with one lineage: a clone",
        &[
            Test(LEDGER, "two_evidences_with_one_lineage_are_a_clone"),
            Test(LEDGER, "a_clone_shows_in_an_export_of_the_other_copy"),
        ],
    ),
    (
        "clock",
        "a snapshot restored",
        &[Test(LEDGER, "a_restored_snapshot_is_called_out")],
    ),
    (
        "clock",
        "a rollback of the whole machine with its TPM: only against an export",
        &[Test(
            LEDGER,
            "a_rollback_that_caught_up_shows_only_in_an_export",
        )],
    ),
];

const SEALING: &[Threat] = &[
    (
        "sealing",
        "sealed with Secure Boot off or in setup mode",
        &[
            Test(ROOT, "a_platform_without_secure_boot_is_not_sealed_to"),
            Test(ROOT, "a_platform_in_setup_mode_is_not_sealed_to"),
        ],
    ),
    (
        "sealing",
        "the mask silently shrunk",
        &[
            Test(ROOT, "a_register_nobody_measured_into_is_not_sealed_to"),
            Test(
                ROOT,
                "a_record_rewritten_to_fit_a_changed_platform_opens_nothing",
            ),
            Test(
                ROOT,
                "another_secure_boot_policy_is_refused_and_pcr_7_named",
            ),
            Test(ROOT, "another_kernel_is_refused_and_pcr_11_named"),
        ],
    ),
    (
        "sealing",
        "rollback of a signed policy",
        &[Test(
            ROOT,
            "a_later_release_opens_and_shuts_the_earlier_one_out",
        )],
    ),
    (
        "sealing",
        "an NV index defined again",
        &[
            Test(
                FLOOR,
                "with_an_empty_owner_authorisation_the_floor_is_lowered_under_its_own_name",
            ),
            Test(
                FLOOR,
                "on_an_appliance_nobody_deletes_lowers_or_clears_without_the_roots_authorisations",
            ),
        ],
    ),
    (
        "sealing",
        "the TPM swapped",
        &[
            Test(
                ROOT,
                "state_of_another_tpm_is_refused_before_anything_is_sent_to_it",
            ),
            Test(
                WIRE,
                "a_storage_root_key_slipped_in_on_the_wire_is_another_tpm",
            ),
        ],
    ),
    (
        "sealing",
        "dictionary-attack lockout",
        &[
            Test(
                STATES,
                "a_locked_out_tpm_is_said_with_its_count_its_time_and_what_to_do",
            ),
            Test(
                STATES,
                "whoever_locks_the_tpm_does_not_lock_the_appliance_out",
            ),
        ],
    ),
    (
        "sealing",
        "a bus interposer: what it reads and alters; one from the first boot on is not stopped",
        &[
            Test(WIRE, "no_secret_passes_in_clear_from_the_first_boot_on"),
            Test(WIRE, "an_answer_altered_on_the_wire_is_noticed"),
        ],
    ),
];

const FILE: &[Threat] = &[
    (
        "evidence file",
        "traversal",
        &[Test(
            "attest/src/artifacts.rs",
            "only_the_signed_ordered_manifest_is_read",
        )],
    ),
    (
        "evidence file",
        "duplicate members",
        &[
            Test(MEMBERS, "no_bit_of_the_file_can_be_flipped"),
            Case("evidence", "a member twice"),
            Case("evidence", "two members in the other order"),
        ],
    ),
    (
        "evidence file",
        "huge members",
        &[
            Case("evidence", "a member larger than allowed"),
            Case("evidence", "larger than any evidence"),
        ],
    ),
    (
        "evidence file",
        "an unknown version",
        &[
            Test(MEMBERS, "another_format_is_no_evidence"),
            Case("evidence", "an unknown version"),
        ],
    ),
    (
        "evidence file",
        "two manifests",
        &[
            Test(MEMBERS, "two_manifests_of_one_job_are_rejected"),
            Case("evidence", "another release"),
        ],
    ),
];

const PARTS: [&[Threat]; 6] = [QUOTE, EVENT_LOG, IDENTITY, CLOCK, SEALING, FILE];

/// Threats to what is not built yet: the image's root filesystem and state volume.
const LATER: [&str; 2] = [
    "the root filesystem swapped behind the same image",
    "a LUKS header with a null cipher, or changed between check and use",
];

/// Whether the file has this function as a test that is run.
fn is_run(file: &str, name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let Ok(source) = fs::read_to_string(root.join(file)) else {
        return false;
    };
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let wanted = format!("fn {name}()");
    let Some(at) = lines.iter().position(|line| line.starts_with(&wanted)) else {
        return false;
    };
    let attributes = || {
        lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#["))
    };
    attributes().any(|line| *line == "#[test]") && !attributes().any(|line| line.contains("ignore"))
}

#[test]
fn every_threat_is_held_by_something_that_runs() {
    let built_in = cases();
    let mut missing = Vec::new();
    for (part, threat, held) in PARTS.into_iter().flatten() {
        assert!(!held.is_empty(), "{part}: {threat} is held by nothing");
        for held in *held {
            let (name, found) = match held {
                Test(file, name) => (format!("{file}::{name}"), is_run(file, name)),
                Case(area, name) => {
                    let case = built_in
                        .iter()
                        .find(|case| (case.area, case.name) == (*area, *name));
                    let holds = case.is_some_and(|case| case.run().holds());
                    (format!("attest selftest, {area}: {name}"), holds)
                }
            };
            if !found {
                missing.push(format!(
                    "{part}: {threat}: {name} is not there, or is not run"
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_threat_is_there_once() {
    let all = PARTS.into_iter().flatten();
    let named: BTreeSet<&str> = all.clone().map(|(_, threat, _)| *threat).collect();
    assert_eq!(named.len(), all.clone().count());
    assert!(LATER.iter().all(|threat| !named.contains(threat)));
    let of = |part: &str| all.clone().filter(|(of, ..)| *of == part).count();
    // So many rows has the list of threats.
    let parts = [
        "quote",
        "event log",
        "identity",
        "clock",
        "sealing",
        "evidence file",
    ];
    assert_eq!(parts.map(of), [13, 15, 8, 4, 7, 5]);
}

/// The check itself: a test that is not there, is none, or is not run, is seen.
#[test]
fn what_does_not_run_is_seen() {
    assert!(is_run(HOSTILE, "magic_of_no_tpm"));
    assert!(!is_run(HOSTILE, "magic_of_no_tp"));
    assert!(!is_run(HOSTILE, "no_such_test"));
    assert!(!is_run("attest/tests/no_such_file.rs", "magic_of_no_tpm"));
    assert!(!is_run(COMMAND, "what_tpm2_checkquote_accepts"));
    assert!(!is_run(COMMAND, "folder"));
}
