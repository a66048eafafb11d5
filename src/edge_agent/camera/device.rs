//! A USB camera (V4L2), by whichever of the system's programs that take pictures is there.
//!
//! They know what a camera needs before its picture is worth anything: twenty frames until exposure and white balance have
//! settled, a size that it has. What they may take of time and disk is bounded as any command's is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::command::Program;
use crate::station::text::printable;

/// The programs and their arguments, the one that changes least first: v4l2-ctl hands over the camera's own JPEG. 1920 × 1080
/// is asked for, and the nearest that the camera has is what comes.
const PROGRAMS: [(&str, &[&str]); 4] = [
    (
        "v4l2-ctl",
        &[
            "--device={device}",
            "--set-fmt-video=width=1920,height=1080,pixelformat=MJPG",
            "--stream-mmap",
            "--stream-skip=20",
            "--stream-count=1",
            "--stream-to={file}",
        ],
    ),
    (
        "fswebcam",
        &["--quiet", "--no-banner", "--device={device}", "--resolution=1920x1080", "--skip=20", "--jpeg=95", "{file}"],
    ),
    (
        "ffmpeg",
        &[
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "v4l2",
            "-input_format",
            "mjpeg",
            "-video_size",
            "1920x1080",
            "-i",
            "{device}",
            "-vf",
            "select=gte(n\\,20)",
            "-frames:v",
            "1",
            "-q:v",
            "2",
            "-f",
            "mjpeg",
            "-y",
            "{file}",
        ],
    ),
    // Its last frame is what stays in the file.
    (
        "gst-launch-1.0",
        &[
            "-q",
            "v4l2src",
            "device={device}",
            "num-buffers=20",
            "!",
            "image/jpeg",
            "!",
            "multifilesink",
            "location={file}",
        ],
    ),
];

/// A camera's device file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::edge_agent) struct Device(PathBuf);

impl Device {
    /// A device of the system's; `None` where the path isn't a whole one.
    pub fn new(path: &Path) -> Option<Self> {
        (path.is_absolute() && path.to_str().is_some()).then(|| Self(path.to_owned()))
    }

    /// Its path, printable.
    pub fn name(&self) -> String {
        printable(&self.0.to_string_lossy())
    }

    /// Takes one picture by a program found in the folders of `PATH`.
    pub async fn take(&self, draft: &Path) -> Result<(), String> {
        self.take_by(draft, &std::env::var_os("PATH").unwrap_or_default()).await
    }

    async fn take_by(&self, draft: &Path, search: &OsStr) -> Result<(), String> {
        let name = self.name();
        // A camera that is unplugged comes back by itself.
        std::fs::metadata(&self.0)
            .map_err(|error| format!("camera {name}: {error}; is it plugged in? `ls /dev/video*` lists what is"))?;
        let program = self.program(search).ok_or_else(|| {
            let names = PROGRAMS.map(|(name, _)| name).join(", ");
            format!("camera {name}: none of {names} is installed; install one (v4l-utils has the first), or set camera.command")
        })?;
        program.take(draft).await.map_err(|words| format!("camera {name}: {words}"))
    }

    /// The first of the programs that is there, told of this device.
    fn program(&self, search: &OsStr) -> Option<Program> {
        let folders: Vec<PathBuf> = std::env::split_paths(search).collect();
        let device = self.0.to_str()?;
        PROGRAMS.iter().find_map(|(name, arguments)| {
            let found = folders.iter().map(|folder| folder.join(name)).find(|file| is_program(file))?;
            let arguments = arguments.iter().map(|argument| argument.replace("{device}", device));
            Program::found(&found, arguments)
        })
    }
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with a camera's device, and programs that write down how they were called into their file.
    fn folder(programs: &[(&str, &str)]) -> (tempfile::TempDir, Device) {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("video0"), "").expect("written");
        for (name, script) in programs {
            let file = folder.path().join(name);
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("set");
        }
        let device = Device::new(&folder.path().join("video0")).expect("a device");
        (folder, device)
    }

    #[tokio::test]
    async fn the_first_program_that_is_there_is_told_device_and_file() {
        let last = r#"for last; do :; done; echo "$@" >"${last#*=}""#;
        for (name, wanted) in [
            ("v4l2-ctl", "--device=DEVICE --set-fmt-video=width=1920,height=1080,pixelformat=MJPG --stream-mmap"),
            ("fswebcam", "--quiet --no-banner --device=DEVICE --resolution=1920x1080"),
            ("ffmpeg", "-nostdin -loglevel error -f v4l2 -input_format mjpeg -video_size 1920x1080 -i DEVICE"),
            ("gst-launch-1.0", "-q v4l2src device=DEVICE num-buffers=20 ! image/jpeg"),
        ] {
            let (folder, device) = folder(&[(name, last), ("gst-launch-1.0", last)]);
            // A file that can't be run is none.
            if name != "v4l2-ctl" {
                std::fs::write(folder.path().join("v4l2-ctl"), "").expect("written");
            }
            let draft = folder.path().join("a draft");
            device.take_by(&draft, folder.path().as_os_str()).await.expect("taken");
            let called = std::fs::read_to_string(&draft).expect("written");
            let wanted = wanted.replace("DEVICE", folder.path().join("video0").to_str().expect("UTF-8"));
            assert!(called.starts_with(&wanted) && called.trim_end().ends_with("a draft"), "{called}");
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_fails_is_said_in_words() {
        let (folder, device) = folder(&[]);
        let draft = folder.path().join("draft");
        let search = folder.path().as_os_str();
        let words = device.take_by(&draft, search).await.expect_err("no program");
        assert!(words.contains("none of v4l2-ctl, fswebcam, ffmpeg, gst-launch-1.0 is installed"), "{words}");
        let gone = Device::new(&folder.path().join("video7")).expect("a device");
        let words = gone.take_by(&draft, search).await.expect_err("unplugged");
        assert!(words.contains("video7: ") && words.contains("is it plugged in?"), "{words}");
        let (folder, device) = self::folder(&[("fswebcam", "echo 'Device busy' >&2; exit 1")]);
        let words = device.take_by(&draft, folder.path().as_os_str()).await.expect_err("fails");
        assert!(words.ends_with("fswebcam failed (exit code 1): Device busy"), "{words}");
        assert_eq!(Device::new(Path::new("video0")), None);
    }
}
