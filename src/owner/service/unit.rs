//! The unit as it is carried, and the one that is there.

use std::path::{Path, PathBuf};

use super::{Place, ServiceError, UNIT};

/// As the package has it.
const TEXT: &str = include_str!("../../../config/systemd/skydeck-agent.service");
/// The line in it that names the program.
const START: &str = "ExecStart=";
/// What follows the program there.
const ARGUMENTS: &str = " agent run --service";
/// How a unit of skydeck's making begins.
const OURS: &str = "# skydeck-agent.service:";
/// Where packages put units.
const OF_PACKAGES: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// Where a unit that isn't a package's lies.
pub fn own_path() -> PathBuf {
    Path::new("/etc/systemd/system").join(UNIT)
}

/// The unit that starts `program`.
pub fn text(program: &Path) -> String {
    let line = |line: &str| {
        let start = line.starts_with(START).then(|| format!("{START}{}{ARGUMENTS}", program.display()));
        start.unwrap_or_else(|| line.to_owned()) + "\n"
    };
    TEXT.lines().map(line).collect()
}

/// The program that a unit starts.
fn program(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(START)?.strip_suffix(ARGUMENTS))
}

/// The package's unit there, with the program that it starts.
pub fn of_package(place: &Place) -> Result<Option<(PathBuf, PathBuf)>, ServiceError> {
    for folder in OF_PACKAGES {
        let path = Path::new(folder).join(UNIT);
        if let Some(text) = place.text(&path)? {
            return Ok(program(&text).map(|program| (path, PathBuf::from(program))));
        }
    }
    Ok(None)
}

/// The text of the unit that was installed there before; an error where it is somebody else's.
pub fn installed(place: &Place) -> Result<Option<String>, ServiceError> {
    let path = place.path(own_path());
    let foreign = |reason| ServiceError::ForeignUnit { path: path.clone(), reason };
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ServiceError::File { path, reason: error.to_string() }),
        Ok(about) if about.file_type().is_symlink() => return Err(foreign("a link, or masked: systemctl unmask")),
        Ok(_) => {}
    }
    let text = place.text(own_path())?.unwrap_or_default();
    if text.starts_with(OURS) { Ok(Some(text)) } else { Err(foreign("its first line isn't")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_names_its_program_once() {
        let made = text(Path::new("/usr/local/bin/skydeck"));
        assert_eq!(program(&made), Some("/usr/local/bin/skydeck"));
        assert!(made.starts_with(OURS));
        assert_eq!(made.lines().filter(|line| line.starts_with(START)).count(), 1);
        assert_eq!(text(Path::new("/usr/bin/skydeck")), TEXT, "it is carried as the package has it");
    }
}
