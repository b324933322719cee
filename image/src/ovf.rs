//! The envelope of a package: the machine that a disk wants, in words that VMware and VirtualBox
//! both take (DMTF DSP0243 1.1.1, DSP8023).
//!
//! Two machines stand in one envelope. The items describe VMware's: PVSCSI, VMXNET3, a vTPM that
//! may be missing. `vbox:Machine`, which is not required, describes VirtualBox's: AHCI and an
//! E1000, because it has no PVSCSI and no VMXNET3. VirtualBox takes its own section over the items.
//!
//! What it does not say: that the machine is started with Secure Boot. VMware is asked to and given
//! our keys; VirtualBox takes no keys from an envelope, and what a machine really started with is
//! for the verifier to find out.

mod xml;

use crate::digest::Sha;
use xml::Xml;

const ENVELOPE: &str = "http://schemas.dmtf.org/ovf/envelope/1";
const CIM: &str = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2";
const FORMAT: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
const NETWORK: &str = "Network";

/// The Secure Boot certificates that firmware is given, DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Platform key.
    pub pk: Vec<u8>,
    /// Key exchange key.
    pub kek: Vec<u8>,
    /// What may start.
    pub db: Vec<u8>,
}

/// The disk that a machine starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file's name in the package.
    pub file: String,
    /// Bytes of the file.
    pub file_size: u64,
    /// Bytes of the disk.
    pub capacity: u64,
    /// Bytes of it that are not a hole.
    pub populated: u64,
    /// What VirtualBox calls it by: from the digest of its content.
    pub content: Sha,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What it is called in a list of machines.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// Processors.
    pub processors: u32,
    /// Memory.
    pub memory_mib: u32,
    /// Its disk.
    pub disk: Disk,
    /// The keys its firmware is given.
    pub enrolment: Enrolment,
}

impl Machine {
    /// The envelope's text.
    #[must_use]
    pub fn envelope(&self) -> String {
        let mut xml = Xml::new();
        let rasd = format!("{CIM}/CIM_ResourceAllocationSettingData");
        let vssd = format!("{CIM}/CIM_VirtualSystemSettingData");
        let spaces = [
            ("xmlns", ENVELOPE),
            ("xmlns:ovf", ENVELOPE),
            ("xmlns:rasd", &rasd),
            ("xmlns:vssd", &vssd),
            ("xmlns:vmw", "http://www.vmware.com/schema/ovf"),
            ("xmlns:vbox", "http://www.virtualbox.org/ovf/machine"),
            ("ovf:version", "1.0"),
            ("xml:lang", "en-US"),
        ];
        xml.within("Envelope", &spaces, |xml| {
            self.references(xml);
            let system = [("ovf:id", self.name.as_str())];
            xml.within("VirtualSystem", &system, |xml| self.system(xml));
        });
        xml.finish()
    }

    fn references(&self, xml: &mut Xml) {
        let disk = &self.disk;
        let [file_size, capacity, populated] =
            [disk.file_size, disk.capacity, disk.populated].map(|number| number.to_string());
        xml.within("References", &[], |xml| {
            let href = ("ovf:href", disk.file.as_str());
            xml.empty(
                "File",
                &[href, ("ovf:id", "file1"), ("ovf:size", &file_size)],
            );
        });
        xml.within("DiskSection", &[], |xml| {
            xml.leaf("Info", "The disk that the appliance starts from");
            let attributes = [
                ("ovf:capacity", capacity.as_str()),
                ("ovf:capacityAllocationUnits", "byte"),
                ("ovf:diskId", "disk1"),
                ("ovf:fileRef", "file1"),
                ("ovf:format", FORMAT),
                ("ovf:populatedSize", &populated),
                ("vbox:uuid", &self.disk_uuid()),
            ];
            xml.empty("Disk", &attributes);
        });
        xml.within("NetworkSection", &[], |xml| {
            xml.leaf("Info", "Networks that the appliance may be connected to");
            xml.within("Network", &[("ovf:name", NETWORK)], |xml| {
                let why = "Off until first boot turns it on; connect it to nothing or to a closed network";
                xml.leaf("Description", why);
            });
        });
    }

    fn system(&self, xml: &mut Xml) {
        xml.leaf(
            "Info",
            "An appliance that runs software agents without a network",
        );
        xml.leaf("Name", &self.name);
        // 101 is CIM's "Linux 64-Bit".
        let kind = [("ovf:id", "101"), ("vmw:osType", "other4xLinux64Guest")];
        xml.within("OperatingSystemSection", &kind, |xml| {
            xml.leaf("Info", "The operating system inside");
            xml.leaf("Description", "Linux, 64 bits");
        });
        xml.within("ProductSection", &[], |xml| {
            xml.leaf("Info", "What is installed");
            xml.leaf("Product", "Casemate");
            xml.leaf("Version", &self.version);
            xml.leaf("FullVersion", &self.version);
        });
        xml.within("VirtualHardwareSection", &[], |xml| self.hardware(xml));
        self.virtualbox(xml);
    }

    fn hardware(&self, xml: &mut Xml) {
        xml.leaf("Info", "The machine as VMware makes it");
        xml.within("System", &[], |xml| {
            xml.leaf("vssd:ElementName", "Virtual Hardware Family");
            xml.leaf("vssd:InstanceID", "0");
            xml.leaf("vssd:VirtualSystemIdentifier", &self.name);
            // ESXi 6.7 update 2: the first with a vTPM and Secure Boot that is not out of support.
            xml.leaf("vssd:VirtualSystemType", "vmx-15");
        });
        for item in self.items() {
            item.write(xml);
        }
        let settings = [
            ("firmware", "efi"),
            ("bootOptions.efiSecureBootEnabled", "true"),
        ];
        for (key, value) in settings {
            setting(xml, "vmw:Config", key, value);
        }
        let keys = [
            ("PK", &self.enrolment.pk),
            ("KEK", &self.enrolment.kek),
            ("db", &self.enrolment.db),
        ];
        for (database, certificate) in keys {
            let key = format!("uefi.secureBoot.{database}Default");
            setting(
                xml,
                "vmw:ExtraConfig",
                &format!("{key}.value0"),
                &hex::encode(certificate),
            );
            setting(xml, "vmw:ExtraConfig", &format!("{key}.append"), "false");
        }
    }

    fn items(&self) -> [Item; 6] {
        let (processors, memory) = (self.processors.to_string(), self.memory_mib.to_string());
        [
            Item::new(1, 3, &format!("{processors} processors"))
                .with("AllocationUnits", "hertz * 10^6")
                .with("Description", "Number of processors")
                .with("VirtualQuantity", &processors),
            Item::new(2, 4, &format!("{memory} MiB of memory"))
                .with("AllocationUnits", "byte * 2^20")
                .with("Description", "Memory size")
                .with("VirtualQuantity", &memory),
            Item::new(3, 6, "SCSI controller")
                .with("Address", "0")
                .with("Description", "SCSI controller")
                .with("ResourceSubType", "VirtualSCSI"),
            Item::new(4, 17, "Disk")
                .with("AddressOnParent", "0")
                .with("HostResource", "ovf:/disk/disk1")
                .with("Parent", "3"),
            Item::new(5, 10, "Network adapter")
                .with("AutomaticAllocation", "true")
                .with("Connection", NETWORK)
                .with("ResourceSubType", "VmxNet3"),
            // Not required: a host without a key provider has none to give, and the appliance
            // then says what it is without one.
            Item::new(6, 1, "Virtual TPM")
                .with("AutomaticAllocation", "false")
                .with("ResourceSubType", "vmware.vtpm")
                .not_required(),
        ]
    }

    /// The machine as VirtualBox makes it; its settings of version 1.16 are read by 6.0 and later.
    fn virtualbox(&self, xml: &mut Xml) {
        let machine = [
            ("ovf:required", "false"),
            ("version", "1.16-linux"),
            (
                "uuid",
                &format!("{{{}}}", uuid(b"machine", &self.disk.content)),
            ),
            ("name", self.name.as_str()),
            ("OSType", "Linux_64"),
        ];
        let (processors, memory) = (self.processors.to_string(), self.memory_mib.to_string());
        xml.within("vbox:Machine", &machine, |xml| {
            // Without it VMware stops at this section, required or not.
            xml.leaf("ovf:Info", "The machine as VirtualBox makes it");
            xml.within("Hardware", &[], |xml| {
                xml.within("CPU", &[("count", &processors)], |xml| {
                    xml.empty("PAE", &[("enabled", "true")]);
                    xml.empty("LongMode", &[("enabled", "true")]);
                });
                xml.empty("Memory", &[("RAMSize", &memory)]);
                xml.empty("Firmware", &[("type", "EFI")]);
                xml.empty(
                    "TrustedPlatformModule",
                    &[("type", "v2_0"), ("location", "")],
                );
                xml.empty("Display", &[("controller", "VMSVGA"), ("VRAMSize", "16")]);
                xml.within("BIOS", &[], |xml| {
                    xml.empty("IOAPIC", &[("enabled", "true")]);
                });
                xml.within("Network", &[], |xml| {
                    let adapter = [
                        ("slot", "0"),
                        ("enabled", "true"),
                        ("cable", "false"),
                        ("type", "82545EM"),
                    ];
                    xml.within("Adapter", &adapter, |xml| {
                        xml.empty("InternalNetwork", &[("name", "casemate")]);
                    });
                });
                xml.empty("AudioAdapter", &[("enabled", "false")]);
                xml.empty("RTC", &[("localOrUTC", "UTC")]);
            });
            xml.within("StorageControllers", &[], |xml| self.ahci(xml));
        });
    }

    fn ahci(&self, xml: &mut Xml) {
        let controller = [
            ("name", "AHCI"),
            ("type", "AHCI"),
            ("PortCount", "1"),
            ("useHostIOCache", "false"),
            ("Bootable", "true"),
        ];
        xml.within("StorageController", &controller, |xml| {
            let device = [
                ("type", "HardDisk"),
                ("hotpluggable", "false"),
                ("port", "0"),
            ];
            let device = [device.as_slice(), &[("device", "0")]].concat();
            xml.within("AttachedDevice", &device, |xml| {
                xml.empty("Image", &[("uuid", &format!("{{{}}}", self.disk_uuid()))]);
            });
        });
    }

    fn disk_uuid(&self) -> String {
        uuid(b"disk", &self.disk.content)
    }
}

fn setting(xml: &mut Xml, element: &str, key: &str, value: &str) {
    let attributes = [
        ("ovf:required", "false"),
        ("vmw:key", key),
        ("vmw:value", value),
    ];
    xml.empty(element, &attributes);
}

/// An identifier made from a digest (RFC 9562, version 8).
pub(crate) fn uuid(label: &[u8], content: &Sha) -> String {
    let digest = crate::digest::of_bytes(&[label, content.as_slice()].concat());
    let mut bytes: [u8; 16] = digest.first_chunk().copied().unwrap_or_default();
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

/// `rasd:` of one item; the schema wants its elements in the alphabet's order.
struct Item {
    required: bool,
    fields: Vec<(&'static str, String)>,
}

impl Item {
    fn new(instance: u32, kind: u32, name: &str) -> Self {
        let fields = vec![
            // VirtualBox of before version 5 reads captions where others read names.
            ("Caption", name.to_owned()),
            ("ElementName", name.to_owned()),
            ("InstanceID", instance.to_string()),
            ("ResourceType", kind.to_string()),
        ];
        Self {
            required: true,
            fields,
        }
    }

    fn with(mut self, field: &'static str, value: &str) -> Self {
        self.fields.push((field, value.to_owned()));
        self
    }

    fn not_required(mut self) -> Self {
        self.required = false;
        self
    }

    fn write(mut self, xml: &mut Xml) {
        self.fields.sort();
        let required: &[(&str, &str)] = match self.required {
            true => &[],
            false => &[("ovf:required", "false")],
        };
        xml.within("Item", required, |xml| {
            for (field, value) in &self.fields {
                xml.leaf(&format!("rasd:{field}"), value);
            }
        });
    }
}
