//! The tar that a package comes in.
//!
//! Plain files at its top and nothing else: no folders, links, devices or extended headers, so that a name means the same to
//! every reader. The manifest comes first. All of it is read into memory, within bounds.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use flate2::Compression;
use flate2::GzBuilder;
use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType, Header};

use super::{CARD, MANIFEST, MAX_PACKAGE, PackageError, Parts, SELF_TEST, SIGNATURE, WEIGHTS};
use crate::station::text::printable;

/// Bytes that each file may have.
const BOUNDS: [(&str, u64); 5] = [
    (MANIFEST, 64 * 1024),
    (SIGNATURE, 8 * 1024),
    (WEIGHTS, 32 * 1024 * 1024),
    (SELF_TEST, 8 * 1024 * 1024),
    (CARD, 64 * 1024),
];
/// How a gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes behind the last file: tar fills up to a record of 20 blocks, some writers to more.
const MAX_FILLING: u64 = 1024 * 1024;

/// What is in an archive.
pub(super) struct Contents {
    pub manifest: Vec<u8>,
    /// Armoured.
    pub signature: Option<String>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Reads an archive to its end.
pub(super) fn read(from: impl Read) -> Result<Contents, PackageError> {
    let mut from = BufReader::new(Counted { from, left: MAX_PACKAGE });
    let mut head = [0; 2];
    let is_whole = fill(&mut from, &mut head).map_err(|error| broken(&error))?;
    if !is_whole {
        return Err(PackageError::Archive("it is empty; a package is a tar, plain or gzipped".to_owned()));
    }
    let from = io::Cursor::new(head).chain(from);
    if head != GZIP {
        return read_tar(from);
    }
    let mut unzipped = GzDecoder::new(BufReader::new(from));
    let contents = read_tar(&mut unzipped)?;
    let mut rest = unzipped.into_inner();
    if fill(&mut rest, &mut [0; 1]).map_err(|error| broken(&error))? {
        return Err(PackageError::Archive("there is something behind its end; pack it anew".to_owned()));
    }
    Ok(contents)
}

fn read_tar(from: impl Read) -> Result<Contents, PackageError> {
    let mut archive = Archive::new(from);
    let (mut manifest, mut signature, mut files) = (None, None, BTreeMap::new());
    // Raw: an extended header would give the file behind it another name or size.
    for entry in archive.entries().map_err(|error| broken(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let (name, bound) = admitted(&entry)?;
        if manifest.is_none() && name != MANIFEST {
            return Err(PackageError::Archive(format!("it begins with {name}; {MANIFEST} has to come first")));
        }
        let bytes = content(&mut entry, name, bound)?;
        let is_new = match name {
            MANIFEST => manifest.replace(bytes).is_none(),
            SIGNATURE => signature.replace(bytes).is_none(),
            _ => files.insert(name.to_owned(), bytes).is_none(),
        };
        if !is_new {
            return Err(PackageError::Archive(format!("{name} is in it twice")));
        }
    }
    let mut filling = Vec::new();
    let mut rest = archive.into_inner().take(MAX_FILLING + 1);
    rest.read_to_end(&mut filling).map_err(|error| broken(&error))?;
    if filling.len() as u64 > MAX_FILLING || filling.iter().any(|byte| *byte != 0) {
        return Err(PackageError::Archive("there is something behind its end; pack it anew".to_owned()));
    }
    let manifest = manifest.ok_or_else(|| PackageError::Archive(format!("there is no {MANIFEST} in it")))?;
    let signature = signature.map(String::from_utf8).transpose();
    let signature =
        signature.map_err(|_| PackageError::Signature("it isn't text as ssh-keygen writes it".to_owned()))?;
    Ok(Contents { manifest, signature, files })
}

/// The name of an entry that belongs into a package, with the bytes it may have.
fn admitted<R: Read>(entry: &Entry<'_, R>) -> Result<(&'static str, u64), PackageError> {
    let bytes = entry.path_bytes();
    let named = printable(&String::from_utf8_lossy(&bytes)).chars().take(120).collect::<String>();
    let refused = |why: &str| Err(PackageError::Archive(format!("{named:?} {why}")));
    match entry.header().entry_type() {
        EntryType::Regular => {}
        EntryType::Link | EntryType::Symlink => return refused("is a link; a package holds plain files"),
        EntryType::Directory => return refused("is a folder; a package holds plain files at its top"),
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {
            return refused("is an extended header; pack it with `skydeck nowcast pack`, or tar --format=ustar");
        }
        _ => return refused("is no plain file"),
    }
    if bytes.starts_with(b"/") || bytes.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return refused("is a path that leads out of the package");
    }
    match BOUNDS.into_iter().find(|(name, _)| name.as_bytes() == &*bytes) {
        Some(known) => Ok(known),
        None => refused("doesn't belong into a package"),
    }
}

fn content<R: Read>(entry: &mut Entry<'_, R>, name: &str, bound: u64) -> Result<Vec<u8>, PackageError> {
    let size = entry.header().entry_size().map_err(|error| broken(&error))?;
    let failed = |reason: String| PackageError::File { name: name.to_owned(), reason };
    if size > bound {
        return Err(failed(format!("it has {size} bytes; at most {bound} are read")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    if bytes.len() as u64 != size {
        return Err(failed("it breaks off".to_owned()));
    }
    Ok(bytes)
}

fn broken(error: &io::Error) -> PackageError {
    let words = match error.kind() {
        io::ErrorKind::FileTooLarge => format!("it has more than {MAX_PACKAGE} bytes"),
        io::ErrorKind::UnexpectedEof => "it breaks off; fetch it anew".to_owned(),
        // The reader's words quote what it found, which may be anything.
        io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            "it is no model package, or a damaged one; name a file that `skydeck nowcast pack` wrote, or fetch it anew"
                .to_owned()
        }
        kind => format!("it can't be read: {kind}; fetch it anew"),
    };
    PackageError::Archive(words)
}

/// Fills `buffer`; `false` where nothing was left.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fails when more is read than may be.
struct Counted<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(read)
    }
}

/// Makes an archive, gzipped.
pub(super) fn write(parts: &Parts) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
    append(&mut tar, MANIFEST, &parts.manifest)?;
    if let Some(signature) = &parts.signature {
        append(&mut tar, SIGNATURE, signature.as_bytes())?;
    }
    for (name, bytes) in &parts.files {
        append(&mut tar, name, bytes)?;
    }
    tar.into_inner()?.finish()
}

fn append(tar: &mut tar::Builder<impl io::Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    tar.append_data(&mut header, name, bytes)
}
