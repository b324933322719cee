//! Where a stand's files are.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folders of one stand; several may share packs and development keys.
#[derive(Debug, Clone)]
pub struct Layout {
    own: PathBuf,
    shared: PathBuf,
    programs: PathBuf,
    agent_programs: PathBuf,
    uid_base: u32,
    slots: u32,
}

/// How many host ids a stand's agentd has.
pub const UID_COUNT: u32 = 65_536;

/// The folder of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// The folder of the programs that were built together with this one.
fn built() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.parent().map(Path::to_path_buf).unwrap_or_default();
    match folder
        .file_name()
        .is_some_and(|name| name == "deps" || name == "examples")
    {
        true => folder.parent().map(Path::to_path_buf).unwrap_or_default(),
        false => folder,
    }
}

impl Layout {
    /// A stand whose state is under `own`, with packs and keys from `shared`.
    pub fn new(own: &Path, shared: &Path) -> Self {
        let programs = built();
        Self {
            own: own.to_path_buf(),
            shared: shared.to_path_buf(),
            agent_programs: programs.clone(),
            programs,
            uid_base: 200_000,
            slots: 2,
        }
    }

    /// The stand of `make run`: everything under the repository's `var/`.
    pub fn of_repository() -> Self {
        let var = repository().join("var");
        Self::new(&var, &var)
    }

    /// The same with other programs in the compartments, for attacks.
    #[must_use]
    pub fn with_agent_programs(mut self, folder: &Path) -> Self {
        self.agent_programs = folder.to_path_buf();
        self
    }

    /// The same with packs and keys from another folder, for attacks.
    #[must_use]
    pub fn with_shared(mut self, folder: &Path) -> Self {
        self.shared = folder.to_path_buf();
        self
    }

    /// The same with another range of host ids, for stands that run side by side.
    #[must_use]
    pub fn with_uid_base(mut self, base: u32) -> Self {
        self.uid_base = base;
        self
    }

    /// The same with this many jobs at once.
    #[must_use]
    pub fn with_slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Jobs at once.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// First host id of agentd's range.
    pub fn uid_base(&self) -> u32 {
        self.uid_base
    }

    /// Makes the stand's own folders, for their owner alone.
    ///
    /// # Errors
    /// The system's error.
    pub fn create(&self) -> io::Result<()> {
        for folder in [self.tpm(), self.state().join("tpm"), self.run()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        Ok(())
    }

    /// Whether an appliance root was sealed here before.
    pub fn provisioned(&self) -> bool {
        fs::read_dir(self.state().join("tpm")).is_ok_and(|mut files| files.next().is_some())
    }

    /// The stand's folder.
    pub fn own(&self) -> &Path {
        &self.own
    }

    /// The software TPM's state.
    pub fn tpm(&self) -> PathBuf {
        self.own.join("tpm")
    }

    /// The software TPM's socket.
    pub fn tpm_socket(&self) -> PathBuf {
        self.run().join("swtpm.sock")
    }

    /// The appliance's state volume.
    pub fn state(&self) -> PathBuf {
        self.own.join("state")
    }

    /// Sockets and logs.
    pub fn run(&self) -> PathBuf {
        self.own.join("run")
    }

    /// What is measured after the firmware.
    pub fn runtime_log(&self) -> PathBuf {
        self.run().join("runtime.log")
    }

    /// A daemon's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.run().join(format!("{name}.log"))
    }

    /// A pack's signed manifest.
    pub fn pack(&self, name: &str) -> PathBuf {
        self.shared.join("packs").join(format!("{name}.pack"))
    }

    /// A file of the development release.
    pub fn dev(&self, name: &str) -> PathBuf {
        self.shared.join("dev").join(name)
    }

    /// A program of ours.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The folder of the programs for compartments.
    pub fn agent_programs(&self) -> &Path {
        &self.agent_programs
    }
}
