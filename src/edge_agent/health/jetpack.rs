//! JetPack's version: what the package database says of `nvidia-jetpack`, or else its generation.
//!
//! A table from L4T to JetPack is old the day a new one comes out. The package knows which it is; where it isn't
//! installed, the generation follows from L4T's own first number, and one that isn't known stays absent.

use super::tree::Tree;

const STATUS: &str = "/var/lib/dpkg/status";
const PACKAGE: &str = "nvidia-jetpack";

/// What was found for an L4T.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    l4t: String,
    jetpack: Option<String>,
}

/// JetPack of the L4T that runs. The package database is read through once an L4T.
pub(super) fn read(tree: &Tree<'_>, l4t: &str, known: &mut Option<Known>) -> Option<String> {
    if let Some(known) = known.as_ref().filter(|known| known.l4t == l4t) {
        return known.jetpack.clone();
    }
    let package = tree.paragraph(STATUS, &format!("Package: {PACKAGE}"));
    let version = package.as_deref().and_then(installed);
    let jetpack = version.or_else(|| generation(l4t)).map(Into::into);
    *known = Some(Known { l4t: l4t.to_owned(), jetpack: jetpack.clone() });
    jetpack
}

/// The package's version, where it is installed, without its build: `6.1+b123` is 6.1.
fn installed(package: &str) -> Option<&str> {
    let value = |key: &str| package.lines().find_map(|line| line.strip_prefix(key));
    let is_installed = value("Status: ")?.split(' ').next_back() == Some("installed");
    let version = value("Version: ").filter(|_| is_installed)?;
    version.split(['+', '-']).next()
}

/// JetPack's first number by L4T's (NVIDIA's archive of JetPack releases).
fn generation(l4t: &str) -> Option<&'static str> {
    match l4t.split('.').next()?.parse().ok()? {
        28 => Some("3"),
        31 | 32 => Some("4"),
        34 | 35 => Some("5"),
        36 => Some("6"),
        38 | 39 => Some("7"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_nobody_knows_yet_is_absent() {
        assert_eq!(
            (generation("32.7.3"), generation("36.4.7"), generation("39.2.0")),
            (Some("4"), Some("6"), Some("7"))
        );
        assert_eq!((generation("40.1.0"), generation(""), generation("x.1")), (None, None, None));
    }

    #[test]
    fn the_package_knows_where_it_is_installed() {
        let package = "Package: nvidia-jetpack\nStatus: install ok installed\nVersion: 6.1+b123\n";
        assert_eq!(installed(package), Some("6.1"));
        assert_eq!(installed(&package.replace("6.1+b123", "4.6.1-b110")), Some("4.6.1"));
        let removed = package.replace("install ok installed", "deinstall ok config-files");
        assert_eq!((installed(&removed), installed("Version: 7.0\n")), (None, None));
    }
}
