//! The files that the desktop's programs read, written anew for each job.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::desktop::{DISPLAY, Desk};

/// The accessibility bus: `hands` reaches it from another user namespace, where
/// no identity can be proved, so every client is let in. Who can reach the socket
/// is decided by the mounts: the desktop and this job's `hands`.
/// Limits are those of a small desktop, not the default's gigabytes.
const ACCESSIBILITY_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>accessibility</type>
  <servicedir>@SERVICES@</servicedir>
  <listen>unix:path=@SOCKET@</listen>
  <auth>EXTERNAL</auth>
  <auth>ANONYMOUS</auth>
  <allow_anonymous/>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow own="*"/>
  </policy>
  <limit name="max_message_size">16777216</limit>
  <limit name="max_incoming_bytes">67108864</limit>
  <limit name="max_outgoing_bytes">67108864</limit>
  <limit name="max_completed_connections">256</limit>
  <limit name="max_connections_per_user">256</limit>
  <limit name="max_match_rules_per_connection">4096</limit>
</busconfig>
"#;

/// Activated by the first client that asks for it, so that nobody races it.
const REGISTRY_SERVICE: &str = "[D-BUS Service]
Name=org.a11y.atspi.Registry
Exec=/usr/libexec/at-spi2-registryd
";

/// The applications' own bus; it activates nothing.
const SESSION_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=@SOCKET@</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// No key, no menu, no mouse binding but what raises a window: keys belong to
/// the applications, and where a window appears is always the same.
const OPENBOX: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse><focusLast>yes</focusLast><raiseOnFocus>yes</raiseOnFocus></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <theme><name>Clearlooks</name><animateIconify>no</animateIconify><keepBorder>no</keepBorder></theme>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <resize><drawContents>yes</drawContents><popupShow>Never</popupShow></resize>
  <keyboard></keyboard>
  <mouse>
    <context name="Client">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Middle" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Right" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
    </context>
  </mouse>
  <menu></menu>
  <applications>
    <application type="normal"><decor>no</decor><focus>yes</focus><maximized>yes</maximized></application>
    <application type="dialog"><decor>no</decor><focus>yes</focus><position force="yes"><x>center</x><y>center</y></position></application>
  </applications>
</openbox_config>
"#;

/// Nothing moves by itself: two pictures of an idle screen are equal.
const GTK: &str = "[Settings]
gtk-enable-animations=0
gtk-cursor-blink=0
gtk-theme-name=Adwaita
gtk-icon-theme-name=Adwaita
gtk-font-name=DejaVu Sans 10
gtk-xft-antialias=1
gtk-xft-hinting=1
gtk-xft-hintstyle=hintslight
gtk-xft-rgba=none
gtk-xft-dpi=98304
gtk-overlay-scrolling=0
gtk-recent-files-enabled=0
gtk-enable-event-sounds=0
gtk-tooltip-timeout=60000
";

/// Where the session keeps its files, and the environment made of them.
#[derive(Debug)]
pub(super) struct Settings {
    desk: Desk,
    folder: PathBuf,
    home: PathBuf,
}

impl Settings {
    /// Writes every file.
    pub(super) fn write(desk: Desk, folder: &Path, home: &Path) -> io::Result<Self> {
        let settings = Self {
            desk,
            folder: folder.to_owned(),
            home: home.to_owned(),
        };
        let services = folder.join("services");
        for path in [
            folder,
            &services,
            &settings.runtime(),
            &home.join(".config/gtk-3.0"),
        ] {
            fs::create_dir_all(path)?;
        }
        fs::set_permissions(settings.runtime(), fs::Permissions::from_mode(0o700))?;
        let text = |path: &Path| path.display().to_string();
        let accessibility = ACCESSIBILITY_BUS
            .replace("@SERVICES@", &text(&services))
            .replace("@SOCKET@", &text(&settings.desk.bus_socket()));
        let session = SESSION_BUS.replace("@SOCKET@", &text(&settings.session_socket()));
        fs::write(
            services.join("org.a11y.atspi.Registry.service"),
            REGISTRY_SERVICE,
        )?;
        fs::write(settings.accessibility_config(), accessibility)?;
        fs::write(settings.session_config(), session)?;
        fs::write(settings.openbox_config(), OPENBOX)?;
        fs::write(home.join(".config/gtk-3.0/settings.ini"), GTK)?;
        settings.write_cookie()?;
        Ok(settings)
    }

    /// A cookie as in Xau's file format: family "any", no address, no number (for
    /// every display), MIT-MAGIC-COOKIE-1 and 16 random bytes, lengths in two bytes.
    ///
    /// Readable by whoever has the desk: that is `hands`, under another uid.
    fn write_cookie(&self) -> io::Result<()> {
        let mut cookie = [0; 16];
        fs::File::open("/dev/urandom")?.read_exact(&mut cookie)?;
        let mut bytes = vec![0xff, 0xff, 0, 0, 0, 0];
        for part in [b"MIT-MAGIC-COOKIE-1".as_slice(), &cookie] {
            let length = u16::try_from(part.len()).map_err(io::Error::other)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        let path = self.desk.x_authority();
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(&bytes)?;
        // Not by the mode of `open`, from which the file creation mask takes bits.
        file.set_permissions(fs::Permissions::from_mode(0o644))
    }

    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }

    pub(super) fn log(&self, program: &str) -> PathBuf {
        self.folder.join(format!("{program}.log"))
    }

    pub(super) fn openbox_config(&self) -> PathBuf {
        self.folder.join("openbox.xml")
    }

    pub(super) fn accessibility_config(&self) -> PathBuf {
        self.folder.join("accessibility.conf")
    }

    pub(super) fn session_config(&self) -> PathBuf {
        self.folder.join("session.conf")
    }

    fn session_socket(&self) -> PathBuf {
        self.runtime().join("bus")
    }

    fn runtime(&self) -> PathBuf {
        self.folder.join("runtime")
    }

    /// The whole environment of every program of the desktop.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.display().to_string();
        let bus = |path: &Path| format!("unix:path={}", path.display());
        vec![
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("HOME", path(&self.home)),
            ("USER", "job".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("DISPLAY", format!(":{DISPLAY}")),
            ("XAUTHORITY", path(&self.desk.x_authority())),
            ("XDG_RUNTIME_DIR", path(&self.runtime())),
            ("XDG_DATA_DIRS", "/usr/share".to_owned()),
            ("DBUS_SESSION_BUS_ADDRESS", bus(&self.session_socket())),
            ("AT_SPI_BUS_ADDRESS", bus(&self.desk.bus_socket())),
            ("GSETTINGS_BACKEND", "memory".to_owned()),
            ("GDK_BACKEND", "x11".to_owned()),
            ("GTK_USE_PORTAL", "0".to_owned()),
            ("GIO_USE_VFS", "local".to_owned()),
            ("GIO_USE_VOLUME_MONITOR", "unix".to_owned()),
        ]
    }
}
