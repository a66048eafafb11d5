//! The commands about models of nowcasts.

use std::path::PathBuf;

use clap::Subcommand;

/// What to do about models.
#[derive(Debug, Subcommand)]
pub enum Nowcast {
    /// Make a model package of a folder
    ///
    /// The folder has model.json (name, version, kind, needs) and weights.json; self-test.json and card.md if you like. What
    /// a self-test lacks is filled in by the model as it is: what is expected, and without the file the means too, of the
    /// carried month. --key signs it, as `ssh-keygen -Y sign` does, with an Ed25519 key: a file, or the public one of a key
    /// in your agent.
    #[command(
        after_help = "Examples:\n  skydeck nowcast pack roof --out roof-1.0.0.model\n  skydeck nowcast pack roof --out roof-1.0.0.model --key ~/.ssh/id_ed25519"
    )]
    Pack {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The package to write; must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Sign it with this key
        #[arg(long, value_name = "KEY")]
        key: Option<PathBuf>,
    },
    /// Look into a package: read, verify and test it as a device would
    ///
    /// With model.trusted_keys set it says whether a device with these keys would take it. Ends with 1 where it doesn't hold.
    #[command(
        after_help = "Examples:\n  skydeck nowcast inspect roof-1.0.0.model\n  skydeck nowcast inspect roof-1.0.0.model --json"
    )]
    Inspect {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a package into the environment's container, for its devices to fetch
    ///
    /// It is read and tested before. A version that is there can't be published with another content.
    #[command(
        after_help = "Examples:\n  skydeck nowcast publish roof-1.0.0.model\n  skydeck --env local nowcast publish roof-1.0.0.model"
    )]
    Publish {
        /// The package
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Have a device put a published package's model to work
    ///
    /// What the device's twin desires is set, and the device is handed a link to fetch the package by, good for an hour. It
    /// goes on with the model it has until the new one is fetched, checked and has taken in the device's history. Ends with
    /// 1 when the device doesn't take it.
    #[command(
        after_help = "Examples:\n  skydeck nowcast deploy roof@1.0.0\n  skydeck nowcast deploy roof@1.0.0 --device roof-02 --wait 600"
    )]
    Deploy {
        /// The model
        #[arg(value_name = "NAME@VERSION", value_parser = crate::owner::models::model_id)]
        model: (String, String),
        /// The device; the station's own without it
        #[arg(long, value_name = "ID")]
        device: Option<String>,
        /// Seconds to wait until it is at work, 0 to 3600; 0 waits for the device's answer only
        #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u32).range(0..=3600))]
        wait: u32,
    },
    /// Have a device put the model before to work
    #[command(after_help = "Examples:\n  skydeck nowcast rollback\n  skydeck nowcast rollback --device roof-02")]
    Rollback {
        /// The device; the station's own without it
        #[arg(long, value_name = "ID")]
        device: Option<String>,
    },
    /// The packages that are published, and the model each device has
    #[command(after_help = "Examples:\n  skydeck nowcast models\n  skydeck nowcast models --json")]
    Models,
}
