//! Which camera the settings name.

use std::path::PathBuf;

use super::command::Program;
use super::device::Device;
use super::snapshot::Snapshot;
use crate::edge_agent::agent::AgentError;
use crate::edge_agent::sky::Lens;
use crate::settings::CameraSettings;
use crate::station::text::printable;

/// Minutes of pipeline time between drawn pictures, where none are set.
const DRAWN_EVERY_MIN: u32 = 10;

/// A camera.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::edge_agent) enum CameraSource {
    /// A program.
    Command(Program),
    /// A USB camera.
    Device(Device),
    /// A folder.
    Folder(PathBuf),
    /// A camera in the network.
    Url(Snapshot),
    /// A replay's drawn sky, seen through a lens.
    Drawn(Lens),
}

impl CameraSource {
    /// The camera that the settings name; `None` where there is none. `lens` is that of `[sky]`.
    pub fn new(settings: &CameraSettings, lens: Option<Lens>, is_replay: bool) -> Result<Option<Self>, AgentError> {
        let (user, password) = (settings.user.is_some(), settings.password.is_some());
        if user != password || (user && settings.url.is_none()) {
            let words = "camera.user and camera.password belong together and to camera.url; set all three, or neither of the two";
            return Err(AgentError::Sky(words.to_owned()));
        }
        if let Some(line) = &settings.command {
            let program = Program::new(line).ok_or_else(|| AgentError::Camera(line.clone()))?;
            return Ok(Some(Self::Command(program)));
        }
        if let Some(path) = &settings.device {
            let words = || {
                format!("camera.device {} isn't a whole path; write /dev/video0", printable(&path.to_string_lossy()))
            };
            return Ok(Some(Self::Device(Device::new(path).ok_or_else(|| AgentError::Sky(words()))?)));
        }
        if let Some(folder) = &settings.folder {
            return Ok(Some(Self::Folder(folder.clone())));
        }
        if let Some(url) = &settings.url {
            let signed_in = match (&settings.user, &settings.password) {
                (Some(user), Some(password)) => {
                    let reference =
                        password.parse().map_err(|error| AgentError::Sky(format!("camera.password: {error}")))?;
                    Some((user.clone(), reference))
                }
                _ => None,
            };
            return Ok(Some(Self::Url(Snapshot::new(url.clone(), signed_in))));
        }
        Ok((settings.rendered && is_replay).then(|| Self::Drawn(lens.unwrap_or(Lens::DRAWN))))
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Command(program) => format!("command {}", program.name()),
            Self::Device(device) => format!("device {}", device.name()),
            Self::Folder(folder) => format!("folder {}", printable(&folder.to_string_lossy())),
            Self::Url(snapshot) => format!("camera {}", snapshot.host()),
            Self::Drawn(_) => "rendered: a drawn sky".to_owned(),
        }
    }

    /// Minutes between pictures where none are set.
    pub const fn own_every_min(&self) -> Option<u32> {
        match self {
            Self::Drawn(_) => Some(DRAWN_EVERY_MIN),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_one_camera() {
        let open = |settings: CameraSettings, is_replay| CameraSource::new(&settings, None, is_replay).expect("fits");
        let none = CameraSettings::default;
        assert_eq!(open(none(), false), None);
        assert_eq!(open(none(), true), Some(CameraSource::Drawn(Lens::DRAWN)));
        assert_eq!(open(CameraSettings { rendered: false, ..none() }, true), None);
        let program =
            open(CameraSettings { command: Some("shot -o {file}".into()), ..none() }, true).expect("a camera");
        assert_eq!((program.words().as_str(), program.own_every_min()), ("command shot", None));
        let device = |path: &str| CameraSettings { device: Some(path.into()), ..none() };
        assert_eq!(open(device("/dev/video0"), false).expect("a camera").words(), "device /dev/video0");
        let words = CameraSource::new(&device("video0"), None, false).expect_err("half a path").to_string();
        assert!(words.contains("camera.device video0 isn't a whole path"), "{words}");
        let (user, password) = (Some("ada".to_owned()), Some("file:/etc/skydeck/p".to_owned()));
        let url = Some("http://cam/s.jpg?pwd=x".to_owned());
        let camera = open(CameraSettings { url, user, password, ..none() }, false).expect("a camera");
        assert_eq!(camera.words(), "camera cam");
        let alone = CameraSettings { password: Some("env:P".into()), ..none() };
        let words = CameraSource::new(&alone, None, false).expect_err("a password alone").to_string();
        assert!(words.contains("belong together"), "{words}");
        let wrong = CameraSettings { command: Some("shot".into()), ..none() };
        assert!(CameraSource::new(&wrong, None, false).expect_err("no {file}").to_string().contains("{file}"));
    }
}
