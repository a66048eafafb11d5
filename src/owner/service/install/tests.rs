use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// An image with the user there, its groups, and settings of the environment `roof`.
struct Image {
    folder: tempfile::TempDir,
    place: Place,
}

impl Image {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let place = Place::new(Some(folder.path())).expect("a folder");
        let image = Self { folder, place };
        image.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nskydeck:x:990:991::/var/lib/skydeck:/usr/sbin/nologin\n");
        image.write("etc/group", "root:x:0:\nskydeck:x:991:\ni2c:x:40:skydeck\nvideo:x:44:anna\n");
        image.write("etc/skydeck/roof.toml", "[link]\nconnection_string = \"file:/etc/skydeck/roof.secret\"\n");
        image.write("etc/skydeck/roof.secret", "not a real one");
        image
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn plan(&self, install: &Install) -> Result<Vec<Step>, ServiceError> {
        install.plan(&self.place, false)
    }

    /// The steps' words with ROOT for the image's folder.
    fn words(&self, steps: &[Step]) -> Vec<String> {
        let root = std::fs::canonicalize(self.folder.path()).expect("there").display().to_string();
        steps.iter().map(|step| step.words().replace(&root, "ROOT")).collect()
    }

    fn refused(&self, install: &Install) -> String {
        let root = std::fs::canonicalize(self.folder.path()).expect("there").display().to_string();
        self.plan(install).expect_err("refused").to_string().replace(&root, "ROOT")
    }

    /// Carries out all but other programs.
    fn carry_out(&self, steps: &[Step]) {
        for step in steps.iter().filter(|step| !matches!(step, Step::Run(..))) {
            step.carry_out(&self.place).expect("done");
        }
    }
}

fn install() -> Install {
    Install {
        environment: Some("roof".parse().expect("a name")),
        program: "/usr/local/bin/skydeck".into(),
        scope: Scope::Service,
    }
}

#[test]
fn each_step_is_told_and_the_second_time_nothing_is_left_to_do() {
    let image = Image::new();
    let steps = image.plan(&install()).expect("a plan");
    let root = rustix::process::geteuid().is_root();
    let words = image.words(&steps);
    assert_eq!(words[0], "let it use the station's devices: usermod --prefix ROOT --append --groups video skydeck");
    let rest: Vec<_> = words[1..].iter().filter(|words| root || !words.contains("etc/skydeck, mode")).collect();
    assert_eq!(
        rest,
        [
            "folder ROOT/var/lib/skydeck, mode 0750, of skydeck",
            "folder ROOT/var/log/skydeck, mode 0750, of skydeck",
            "secret ROOT/etc/skydeck/roof.secret: mode 0600, of skydeck",
            "note: /usr/local/bin/skydeck isn't in the image yet: put the program there",
            "write ROOT/etc/systemd/system/skydeck-agent.service, mode 0644",
            "write ROOT/etc/skydeck/agent.env, mode 0644",
            "link ROOT/etc/systemd/system/multi-user.target.wants/skydeck-agent.service to \
             /etc/systemd/system/skydeck-agent.service",
        ]
    );
    image.carry_out(&steps);
    image.write("etc/group", "root:x:0:\nskydeck:x:991:\ni2c:x:40:skydeck\nvideo:x:44:anna,skydeck\n");
    image.write("usr/local/bin/skydeck", "a program");
    let again = Install { environment: None, ..install() };
    let left = image.words(&image.plan(&again).expect("a plan"));
    // Owners are root's to give.
    let left: Vec<_> = left.into_iter().filter(|words| root || !words.starts_with("secret")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn the_user_is_made_where_there_is_none_and_an_image_without_users_is_refused() {
    let image = Image::new();
    image.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    let package = Install { scope: Scope::Package, environment: None, ..install() };
    let words = image.words(&image.plan(&package).expect("a plan"));
    assert_eq!(
        words[0],
        "make the user and its group: useradd --prefix ROOT --system --user-group --home-dir /var/lib/skydeck \
         --no-create-home --shell /usr/sbin/nologin skydeck"
    );
    assert!(!words.iter().any(|words| words.contains("agent.env") || words.contains(UNIT)), "{words:?}");
    std::fs::remove_file(image.folder.path().join("etc/passwd")).expect("removed");
    assert!(image.refused(&package).starts_with("ROOT/etc/passwd: not there"));
}

#[test]
fn what_stands_in_the_way_is_named_before_anything_is_changed() {
    let image = Image::new();
    let nameless = Install { environment: None, ..install() };
    assert!(image.refused(&nameless).starts_with("agent install: no environment is named"));
    for (program, words) in [
        ("/home/anna/skydeck", "/home/anna/skydeck: the service doesn't see what lies there"),
        ("/opt/sky deck", "/opt/sky deck: a unit needs an absolute path"),
        ("skydeck", "skydeck: a unit needs an absolute path"),
    ] {
        let refused = image.refused(&Install { program: program.into(), ..install() });
        assert!(refused.starts_with(words), "{refused}");
    }
    image.write("etc/skydeck/roof.toml", "[link]\nhub_name = 1\n");
    assert!(image.refused(&install()).starts_with("ROOT/etc/skydeck/roof.toml:2"), "{}", image.refused(&install()));
    image.write("etc/skydeck/roof.toml", "");
    image.write("etc/skydeck/agent.env", "nonsense\n");
    assert!(image.refused(&nameless).starts_with("ROOT/etc/skydeck/agent.env:1: not NAME=VALUE"));
    image.write("etc/systemd/system/skydeck-agent.service", "[Service]\nExecStart=/usr/bin/other\n");
    let foreign = image.refused(&install());
    assert!(
        foreign.starts_with("ROOT/etc/systemd/system/skydeck-agent.service: it isn't of skydeck's making"),
        "{foreign}"
    );
    let unit = image.folder.path().join("etc/systemd/system/skydeck-agent.service");
    std::fs::remove_file(&unit).expect("removed");
    symlink("/dev/null", &unit).expect("masked");
    assert!(image.refused(&install()).contains("systemctl unmask"));
    assert!(Uninstall { purge: false }.plan(&image.place, false).is_err(), "nor is it removed");
}

#[test]
fn what_somebody_has_written_into_the_file_stays() {
    let image = Image::new();
    image.write("etc/skydeck/agent.env", "# mine\nSKYDECK_ENV=roof\nSKYDECK_LOG__FILTER=debug\n");
    let other = Install { environment: Some("field".parse().expect("a name")), ..install() };
    let steps = image.plan(&other).expect("a plan");
    let text = steps.iter().find_map(|step| match step {
        Step::Write { path, text } if path.ends_with(SERVICE_FILE) => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(text, Some("# mine\nSKYDECK_LOG__FILTER=debug\nSKYDECK_ENV=field\n"));
    assert!(image.words(&steps).contains(
        &"note: no hub is set: the agent ends until /etc/skydeck/field.toml has link.connection_string, or link.hub \
          with its key"
            .to_owned()
    ));
}

#[test]
fn the_unit_of_a_package_is_kept_where_it_starts_the_same_program() {
    let image = Image::new();
    image.write("lib/systemd/system/skydeck-agent.service", &unit::text(Path::new("/usr/bin/skydeck")));
    let of_package = Install { program: "/usr/bin/skydeck".into(), ..install() };
    let steps = image.plan(&of_package).expect("a plan");
    let has_unit =
        |steps: &[Step]| steps.iter().any(|step| matches!(step, Step::Write { path, .. } if path.ends_with(UNIT)));
    assert!(!has_unit(&steps));
    assert!(has_unit(&image.plan(&install()).expect("a plan")), "another program needs a unit of its own");
    let words = image.words(&Uninstall { purge: false }.plan(&image.place, false).expect("a plan"));
    assert!(words.iter().any(|words| words.ends_with("is the package's: apt remove skydeck-agent")), "{words:?}");
}

#[test]
fn removing_leaves_the_data_and_purging_does_not() {
    let image = Image::new();
    image.carry_out(&image.plan(&install()).expect("a plan"));
    image.write("var/lib/skydeck/roof/agent/outbox.db", "data");
    let steps = Uninstall { purge: false }.plan(&image.place, false).expect("a plan");
    assert_eq!(
        image.words(&steps),
        [
            "delete ROOT/etc/systemd/system/multi-user.target.wants/skydeck-agent.service",
            "delete ROOT/etc/systemd/system/skydeck-agent.service",
            "delete ROOT/etc/skydeck/agent.env",
            "note: data and log stay in /var/lib/skydeck and /var/log/skydeck: --purge deletes them",
            "note: settings and secrets stay in /etc/skydeck",
        ]
    );
    image.carry_out(&steps);
    let there = |path: &str| std::fs::symlink_metadata(image.folder.path().join(path)).is_ok();
    assert!(there("var/lib/skydeck/roof/agent/outbox.db") && there("etc/skydeck/roof.secret"));
    assert!(!there("etc/skydeck/agent.env") && !there("etc/systemd/system/skydeck-agent.service"));
    let steps = Uninstall { purge: true }.plan(&image.place, false).expect("a plan");
    assert_eq!(
        image.words(&steps),
        [
            "delete ROOT/var/lib/skydeck",
            "delete ROOT/var/log/skydeck",
            "remove the user and its group: userdel --prefix ROOT skydeck",
            "note: settings and secrets stay in /etc/skydeck",
        ]
    );
    image.carry_out(&steps);
    assert!(!there("var/lib/skydeck") && there("etc/skydeck/roof.toml"));
}

#[test]
fn what_is_installed_has_its_modes_and_contents() {
    let image = Image::new();
    image.carry_out(&image.plan(&install()).expect("a plan"));
    let mode = |path: &str| {
        let about = std::fs::symlink_metadata(image.folder.path().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        format!("{:04o}", about.permissions().mode() & 0o7777)
    };
    for (path, expected) in [
        ("etc/skydeck/agent.env", "0644"),
        ("etc/skydeck/roof.secret", "0600"),
        ("etc/systemd/system/skydeck-agent.service", "0644"),
        ("var/lib/skydeck", "0750"),
        ("var/log/skydeck", "0750"),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
    if rustix::process::geteuid().is_root() {
        let about = std::fs::metadata(image.folder.path().join("var/lib/skydeck")).expect("there");
        assert_eq!((about.uid(), about.gid()), (990, 991));
        let secret = std::fs::metadata(image.folder.path().join("etc/skydeck/roof.secret")).expect("there");
        assert_eq!((secret.uid(), secret.gid()), (990, 991));
    }
    let file = std::fs::read_to_string(image.folder.path().join("etc/skydeck/agent.env")).expect("read");
    insta::assert_snapshot!("agent_env", file);
}
