//! The OVA as an importer and an auditor see it: the archive by tar, digests and signature by the
//! commands of docs/formats/ova.md, the envelope by an XML reader of another house.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a test's helpers fail the test"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use casemate_image::error::BuildError;
use casemate_image::ova::{Package, PackageKey, Signer};
use casemate_image::ovf::{Disk, Enrolment, Machine};

const EPOCH: u64 = 1_764_000_000;

fn enrolment() -> Enrolment {
    Enrolment {
        pk: b"PK".to_vec(),
        kek: b"KEK".to_vec(),
        db: b"db".to_vec(),
    }
}

/// A folder with a disk and a key.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let mut disk = vec![0; 3 << 20];
        disk[1 << 20..(1 << 20) + 9].copy_from_slice(b"casemate!");
        std::fs::write(bench.path("disk.raw"), disk).unwrap();
        PackageKey::make(bench.0.path()).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, signer: &Signer<'_>, out: &str) -> Result<Vec<u8>, BuildError> {
        let package = Package {
            name: "casemate",
            version: "0.1.0",
            disk: &self.path("disk.raw"),
            enrolment: enrolment(),
            epoch: EPOCH,
        };
        let out = self.path(out);
        std::fs::create_dir_all(out.parent().unwrap()).unwrap();
        package.write(signer, &out)?;
        Ok(std::fs::read(out).unwrap())
    }

    fn signed(&self, out: &str) -> Vec<u8> {
        let key = PackageKey::read(self.0.path()).unwrap();
        self.write(&Signer::Key(&key), out).unwrap()
    }

    fn run(&self, script: &str) -> std::process::Output {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", script])
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8");
        bash.current_dir(self.0.path()).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The commands that stand in the documentation.
fn documented_check() -> String {
    let page = include_str!("../../docs/formats/ova.md");
    let (_, rest) = page
        .split_once("```sh\n# check\n")
        .expect("the commands in ova.md");
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn tar_lists_the_envelope_first_and_nothing_of_the_builder() {
    let bench = Bench::new();
    bench.signed("casemate.ova");
    let listed = bench.run("tar --numeric-owner --full-time -tvf casemate.ova | sed 's/  */ /g'");
    let lines = text(&listed.stdout);
    let lines: Vec<Vec<&str>> = lines
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let names: Vec<&str> = lines.iter().map(|words| words[5]).collect();
    assert_eq!(
        names,
        [
            "casemate.ovf",
            "casemate.mf",
            "casemate.cert",
            "casemate-disk1.vmdk"
        ]
    );
    for words in &lines {
        assert_eq!(
            (words[0], words[1], words[3], words[4]),
            ("-rw-r--r--", "0/0", "2025-11-24", "16:00:00")
        );
    }
    assert!(listed.stderr.is_empty(), "{}", text(&listed.stderr));
}

#[test]
fn the_documented_commands_accept_it() {
    let bench = Bench::new();
    bench.signed("casemate.ova");
    let output = bench.run(&documented_check());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("Verified OK"),
        "{}",
        text(&output.stdout)
    );
}

/// Each file changed by one bit, and a manifest made anew over a changed disk.
#[test]
fn the_documented_commands_refuse_a_changed_package() {
    let bench = Bench::new();
    let whole = bench.signed("casemate.ova");
    let find = |what: &[u8]| {
        let mut at = whole.windows(what.len());
        at.position(|window| window == what).unwrap()
    };
    let places = [
        ("envelope", find(b"<Envelope") + 3),
        ("manifest", find(b"SHA256(casemate.ovf)= ") + 30),
        ("signature", find(b"SHA256(casemate.mf)= ") + 30),
        ("disk", find(b"KDMV") + 600),
    ];
    for (what, at) in places {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(bench.path("casemate.ova"), changed).unwrap();
        let output = bench.run(&documented_check());
        assert!(!output.status.success(), "{what}: {}", text(&output.stdout));
    }
    // Who has not the key can make the digests right again, and nothing more.
    std::fs::write(bench.path("casemate.ova"), &whole).unwrap();
    let forge = "mkdir forged && cd forged && tar -xf ../casemate.ova && echo >>casemate.ovf && \
        for f in casemate.ovf casemate-disk1.vmdk; do \
            printf 'SHA256(%s)= %s\\n' $f $(sha256sum <$f | cut -d' ' -f1); done >casemate.mf && \
        tar -cf ../casemate.ova casemate.ovf casemate.mf casemate.cert casemate-disk1.vmdk";
    assert!(bench.run(forge).status.success());
    let output = bench.run(&documented_check());
    assert!(!output.status.success());
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        said.to_lowercase().contains("verification failure"),
        "{said}"
    );
}

#[test]
fn two_packages_of_one_disk_are_one_file() {
    let bench = Bench::new();
    let first = bench.signed("casemate.ova");
    let touched = bench.run("umask 077; touch -d 1999-01-01 disk.raw; chmod 600 disk.raw");
    assert!(touched.status.success());
    assert!(first == bench.signed("elsewhere/other name.ova"));
    let left: Vec<_> = std::fs::read_dir(bench.path("elsewhere"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "parts are left: {left:?}");
}

/// Someone without the key, with a release's `.cert`: the same bytes from the same inputs, and from
/// others nothing.
#[test]
fn a_published_signature_is_put_back_or_refused() {
    let bench = Bench::new();
    let first = bench.signed("casemate.ova");
    assert!(
        bench
            .run("tar -xf casemate.ova casemate.cert")
            .status
            .success()
    );
    std::fs::remove_file(bench.path("package.key")).unwrap();
    let cert = bench.path("casemate.cert");
    assert!(first == bench.write(&Signer::Kept(&cert), "again.ova").unwrap());
    let mut disk = std::fs::read(bench.path("disk.raw")).unwrap();
    disk[77] ^= 1;
    std::fs::write(bench.path("disk.raw"), disk).unwrap();
    let error = bench
        .write(&Signer::Kept(&cert), "changed.ova")
        .unwrap_err();
    assert_eq!(
        (error.code().id, error.to_string().as_str()),
        (
            "image.signature-foreign",
            "casemate.mf: the signature is of another manifest: these are not the same inputs"
        )
    );
    assert!(!bench.path("changed.ova").exists());
}

#[test]
fn a_disk_of_no_size_is_refused() {
    let bench = Bench::new();
    std::fs::write(bench.path("disk.raw"), vec![0; 1000]).unwrap();
    let key = PackageKey::read(bench.0.path()).unwrap();
    let error = bench.write(&Signer::Key(&key), "casemate.ova").unwrap_err();
    assert_eq!((error.code().id, error.exit()), ("image.disk-unfit", 2));
}

/// An element of an envelope.
#[derive(Debug)]
struct Element {
    depth: usize,
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
}

const OVF: &str = "{http://schemas.dmtf.org/ovf/envelope/1}";
const RASD: &str =
    "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}";
const VMW: &str = "{http://www.vmware.com/schema/ovf}";
const VBOX: &str = "{http://www.virtualbox.org/ovf/machine}";

/// Reads XML with Python's expat, names with their namespaces, in document order.
fn read(xml: &str) -> Vec<Element> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), xml).unwrap();
    let script = "import sys, json, xml.etree.ElementTree as t\n\
        def walk(e, d):\n \
         print(json.dumps([d, e.tag, e.attrib, e.text or '']))\n \
         [walk(c, d + 1) for c in e]\n\
        walk(t.parse(sys.argv[1]).getroot(), 0)";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let parse = |line: &str| {
        let (depth, name, attributes, text) = serde_json::from_str(line).unwrap();
        Element {
            depth,
            name,
            attributes,
            text,
        }
    };
    text(&output.stdout).lines().map(parse).collect()
}

/// The children of the element at `index`, by their indexes.
fn children(of: &[Element], index: usize) -> Vec<usize> {
    let depth = of[index].depth;
    let inside = (index + 1..of.len()).take_while(|at| of[*at].depth > depth);
    inside.filter(|at| of[*at].depth == depth + 1).collect()
}

fn machine() -> Machine {
    Machine {
        name: "casemate".to_owned(),
        version: "0.1.0".to_owned(),
        processors: 2,
        memory_mib: 4096,
        disk: Disk {
            file: "casemate-disk1.vmdk".to_owned(),
            file_size: 1000,
            capacity: 1 << 30,
            populated: 1 << 20,
            content: [7; 32],
        },
        enrolment: enrolment(),
    }
}

fn find<'e>(of: &'e [Element], name: &str) -> Vec<(usize, &'e Element)> {
    of.iter()
        .enumerate()
        .filter(|(_, element)| element.name == name)
        .collect()
}

fn one<'e>(of: &'e [Element], name: &str) -> (usize, &'e Element) {
    let found = find(of, name);
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

fn names<'e>(of: &'e [Element], indexes: &[usize]) -> Vec<&'e str> {
    indexes.iter().map(|at| of[*at].name.as_str()).collect()
}

/// DSP8023: order of the envelope, `Info` first in each section, references that lead somewhere.
#[test]
fn the_envelope_keeps_the_schemas_rules() {
    let all = read(&machine().envelope());
    assert_eq!(all[0].name, format!("{OVF}Envelope"));
    let expected = [
        "References",
        "DiskSection",
        "NetworkSection",
        "VirtualSystem",
    ];
    assert_eq!(
        names(&all, &children(&all, 0)),
        expected.map(|name| format!("{OVF}{name}"))
    );
    for (at, section) in all.iter().enumerate().filter(|(_, e)| {
        e.name.starts_with(OVF)
            && (e.name.ends_with("Section") || e.name.ends_with("System"))
            && e.name != format!("{OVF}System")
    }) {
        let first = children(&all, at)[0];
        assert_eq!(all[first].name, format!("{OVF}Info"), "{}", section.name);
    }
    let (system, _) = one(&all, &format!("{OVF}VirtualSystem"));
    let expected = [
        format!("{OVF}Info"),
        format!("{OVF}Name"),
        format!("{OVF}OperatingSystemSection"),
        format!("{OVF}ProductSection"),
        format!("{OVF}VirtualHardwareSection"),
        format!("{VBOX}Machine"),
    ];
    assert_eq!(names(&all, &children(&all, system)), expected);
    let (product, _) = one(&all, &format!("{OVF}ProductSection"));
    let expected = ["Info", "Product", "Version", "FullVersion"].map(|n| format!("{OVF}{n}"));
    assert_eq!(names(&all, &children(&all, product)), expected);
    let attribute =
        |element: &Element, name: &str| element.attributes[&format!("{OVF}{name}")].clone();
    let (_, file) = one(&all, &format!("{OVF}File"));
    let (_, disk) = one(&all, &format!("{OVF}Disk"));
    assert_eq!(attribute(file, "href"), "casemate-disk1.vmdk");
    assert_eq!(attribute(file, "size"), "1000");
    assert_eq!(attribute(disk, "fileRef"), attribute(file, "id"));
    assert_eq!(attribute(disk, "capacity"), (1u64 << 30).to_string());
    let (_, resource) = one(&all, &format!("{RASD}HostResource"));
    assert_eq!(
        resource.text,
        format!("ovf:/disk/{}", attribute(disk, "diskId"))
    );
    let (_, connection) = one(&all, &format!("{RASD}Connection"));
    let (_, network) = find(&all, &format!("{OVF}Network"))[0];
    assert_eq!(connection.text, attribute(network, "name"));
}

/// CIM's settings data: elements in the alphabet's order, three of them always, identifiers once,
/// parents that exist; then only what is foreign and not required.
#[test]
fn the_hardware_keeps_the_schemas_rules() {
    let all = read(&machine().envelope());
    let (hardware, _) = one(&all, &format!("{OVF}VirtualHardwareSection"));
    let inside = children(&all, hardware);
    let order: Vec<usize> = inside
        .iter()
        .map(|at| match all[*at].name.strip_prefix(OVF) {
            Some("Info") => 0,
            Some("System") => 1,
            Some("Item") => 2,
            None => 3,
            Some(other) => panic!("{other}"),
        })
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(&order[..3], [0, 1, 2]);
    let mut instances = Vec::new();
    let mut parents = Vec::new();
    for at in inside
        .iter()
        .filter(|at| all[**at].name == format!("{OVF}Item"))
    {
        let fields = children(&all, *at);
        let names = names(&all, &fields);
        assert!(
            names.is_sorted() && names.iter().all(|name| name.starts_with(RASD)),
            "{names:?}"
        );
        for needed in ["ElementName", "InstanceID", "ResourceType"] {
            let needed = format!("{RASD}{needed}");
            assert_eq!(
                names.iter().filter(|name| **name == needed).count(),
                1,
                "{needed}"
            );
        }
        for field in fields {
            match all[field].name.strip_prefix(RASD).unwrap() {
                "InstanceID" => instances.push(all[field].text.clone()),
                "Parent" => parents.push(all[field].text.clone()),
                _ => {}
            }
        }
    }
    let count = instances.len();
    instances.sort();
    instances.dedup();
    assert_eq!(instances.len(), count);
    assert!(parents.iter().all(|parent| instances.contains(parent)));
    for element in all
        .iter()
        .filter(|e| e.name.starts_with(VMW) || e.name == format!("{VBOX}Machine"))
    {
        assert_eq!(
            element.attributes[&format!("{OVF}required")],
            "false",
            "{}",
            element.name
        );
    }
}

#[test]
fn the_machine_is_the_one_that_the_appliance_wants() {
    let all = read(&machine().envelope());
    let setting = |key: &str| {
        let found = all.iter().filter(|e| {
            e.attributes
                .get(&format!("{VMW}key"))
                .is_some_and(|k| k == key)
        });
        let values: Vec<&str> = found
            .map(|e| e.attributes[&format!("{VMW}value")].as_str())
            .collect();
        values.join(",")
    };
    assert_eq!(setting("firmware"), "efi");
    assert_eq!(setting("bootOptions.efiSecureBootEnabled"), "true");
    assert_eq!(
        setting("uefi.secureBoot.PKDefault.value0"),
        hex::encode("PK")
    );
    assert_eq!(
        setting("uefi.secureBoot.KEKDefault.value0"),
        hex::encode("KEK")
    );
    assert_eq!(
        setting("uefi.secureBoot.dbDefault.value0"),
        hex::encode("db")
    );
    // Added to the vendor's own keys, ours would be worth nothing.
    assert_eq!(setting("uefi.secureBoot.dbDefault.append"), "false");
    let kinds = find(&all, &format!("{RASD}ResourceSubType"));
    let kinds: Vec<&str> = kinds
        .iter()
        .map(|(_, element)| element.text.as_str())
        .collect();
    assert_eq!(kinds, ["VirtualSCSI", "VmxNet3", "vmware.vtpm"]);
    let optional: Vec<usize> = find(&all, &format!("{OVF}Item"))
        .iter()
        .filter(|(_, item)| item.attributes.contains_key(&format!("{OVF}required")))
        .map(|(at, _)| *at)
        .collect();
    let [tpm] = optional.as_slice() else {
        panic!("{optional:?}");
    };
    let fields = children(&all, *tpm);
    assert!(fields.iter().any(|at| all[*at].text == "vmware.vtpm"));
    // VirtualBox: the same disk by the same name, behind AHCI.
    let (machine, element) = one(&all, &format!("{VBOX}Machine"));
    assert_eq!(element.attributes["OSType"], "Linux_64");
    assert_eq!(all[children(&all, machine)[0]].name, format!("{OVF}Info"));
    let (_, disk) = one(&all, &format!("{OVF}Disk"));
    let (_, image) = one(&all, &format!("{OVF}Image"));
    let uuid = &disk.attributes[&format!("{VBOX}uuid")];
    assert_eq!(image.attributes["uuid"], format!("{{{uuid}}}"));
    for (name, attribute, value) in [
        ("Firmware", "type", "EFI"),
        ("TrustedPlatformModule", "type", "v2_0"),
        ("StorageController", "type", "AHCI"),
        ("Adapter", "type", "82545EM"),
        ("Adapter", "cable", "false"),
    ] {
        let (_, element) = one(&all, &format!("{OVF}{name}"));
        assert_eq!(element.attributes[attribute], value, "{name}");
    }
}

/// What cannot stand in XML as it is comes back as it was, and what cannot stand in it at all
/// comes back as a mark.
#[test]
fn text_is_escaped() {
    let name = "a<b>&amp;\"'\t\n]]>\u{e9}\u{1f512}";
    let machine = Machine {
        name: format!("{name}\u{1}\0"),
        version: "</Version><evil/>".to_owned(),
        ..machine()
    };
    let all = read(&machine.envelope());
    let (_, element) = one(&all, &format!("{OVF}VirtualSystem"));
    assert_eq!(
        element.attributes[&format!("{OVF}id")],
        format!("{name}\u{fffd}\u{fffd}")
    );
    let (_, element) = one(&all, &format!("{OVF}Name"));
    assert_eq!(element.text, format!("{name}\u{fffd}\u{fffd}"));
    let (_, element) = one(&all, &format!("{OVF}Version"));
    assert_eq!(element.text, "</Version><evil/>");
    assert!(find(&all, &format!("{OVF}evil")).is_empty());
}
