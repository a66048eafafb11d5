//! The commands about pictures of the sky.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::owner::sky::Rule;

/// What to do about pictures of the sky.
#[derive(Debug, Subcommand)]
pub enum Sky {
    /// How well the cloud rules do on a folder of photographs with masks
    ///
    /// For each NAME.jpg or NAME.png the folder has NAME_mask.png beside it or masks/NAME.png: white is cloud, black
    /// is clear, grey and transparent are neither and aren't judged. Each rule's accuracy, F1 and error of the cloud
    /// fraction are written, over all and by picture. What can't be used is named and skipped; ends with 1 when
    /// nothing is left, with 9 without the folder.
    #[command(
        after_help = "Examples:\n  skydeck sky evaluate photographs\n  skydeck sky evaluate photographs --method hyta --method redBlue\n  skydeck sky evaluate photographs --as-camera --json"
    )]
    Evaluate {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Only this rule; may be given again
        #[arg(long, value_enum, value_name = "RULE")]
        method: Vec<Method>,
        /// The photographs are the station's camera's: leave out what the [sky] settings and the time in their EXIF leave out
        #[arg(long)]
        as_camera: bool,
    },
}

/// A rule, by its name in settings and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub enum Method {
    /// Red over blue above 0.8
    RedBlue,
    /// (B - R)/(B + R) below 0.15
    Nrbr,
    /// Saturation below 0.35
    Saturation,
    /// A threshold that each picture gives itself
    Hyta,
}

impl From<Method> for Rule {
    fn from(method: Method) -> Self {
        match method {
            Method::RedBlue => Self::RedBlue,
            Method::Nrbr => Self::Nrbr,
            Method::Saturation => Self::Saturation,
            Method::Hyta => Self::Hyta,
        }
    }
}
