//! A camera's library of clear skies as a file in the agent's folder.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::sky::ClearSky;

/// The file's name.
const NAME: &str = "clear-sky.library";
/// What a file that can't be used is renamed to; the newest such is kept.
const ASIDE: &str = "clear-sky.damaged";

/// The library in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearSkies {
    folder: PathBuf,
}

/// A library as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The library, empty where there was none.
    pub library: ClearSky,
    /// Why what was there is set aside, in words.
    pub set_aside: Option<String>,
}

impl ClearSkies {
    /// The library in `folder`; nothing is read yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Reads it. One that is damaged, or of another version, is renamed and the reason told: the camera learns anew.
    /// Fails where the folder can't be read or written.
    pub fn load(&self) -> std::io::Result<Found> {
        let path = self.folder.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Found { library: ClearSky::default(), set_aside: None });
            }
            Err(error) => return Err(error),
        };
        match ClearSky::from_bytes(&bytes) {
            Ok(library) => Ok(Found { library, set_aside: None }),
            Err(error) => {
                std::fs::rename(&path, self.folder.join(ASIDE))?;
                let words = format!(
                    "{}: {error}; it is kept beside as {ASIDE}, and the camera learns its clear skies anew",
                    path.display()
                );
                Ok(Found { library: ClearSky::default(), set_aside: Some(words) })
            }
        }
    }

    /// Writes it, whole or not at all.
    pub fn save(&self, library: &ClearSky) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&library.to_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(NAME)).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_again_and_a_damaged_one_is_set_aside_with_its_reason() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let skies = ClearSkies::new(folder.path());
        assert_eq!(skies.load().expect("read"), Found { library: ClearSky::default(), set_aside: None });
        skies.save(&ClearSky::default()).expect("written");
        assert_eq!(skies.load().expect("read").set_aside, None);

        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).expect("read");
        std::fs::write(&path, &whole[..whole.len() - 3]).expect("cut");
        let words = skies.load().expect("read").set_aside.expect("set aside");
        assert!(words.contains("clear-sky.library: it is damaged") && words.contains("clear-sky.damaged"), "{words}");
        assert_eq!(std::fs::read(folder.path().join(ASIDE)).expect("kept").len(), whole.len() - 3);
        assert_eq!(skies.load().expect("read").set_aside, None, "it is told once");
        skies.save(&ClearSky::default()).expect("written anew");
        assert_eq!(std::fs::read(&path).expect("read"), whole);
    }
}
