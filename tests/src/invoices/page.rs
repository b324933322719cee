//! A page before it is a PDF or a scan: text and lines at places, and the fonts
//! that measure the text.

use std::path::{Path, PathBuf};

use ab_glyph::{Font as _, FontVec, ScaleFont as _};

use super::RecipeError;
use super::supplier::Face;

/// Width of A4 in points.
pub const WIDTH: f32 = 595.0;
/// Height of A4 in points.
pub const HEIGHT: f32 = 842.0;

/// A typeface in one weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Font {
    /// Which typeface.
    pub face: Face,
    /// Whether bold.
    pub bold: bool,
}

impl Font {
    /// Every font, in the order of [`Fonts`].
    pub const ALL: [Self; 6] = [
        Self {
            face: Face::Sans,
            bold: false,
        },
        Self {
            face: Face::Sans,
            bold: true,
        },
        Self {
            face: Face::Serif,
            bold: false,
        },
        Self {
            face: Face::Serif,
            bold: true,
        },
        Self {
            face: Face::Mono,
            bold: false,
        },
        Self {
            face: Face::Mono,
            bold: true,
        },
    ];

    /// PostScript name, and file name without its ending.
    pub fn name(self) -> &'static str {
        match (self.face, self.bold) {
            (Face::Sans, false) => "DejaVuSans",
            (Face::Sans, true) => "DejaVuSans-Bold",
            (Face::Serif, false) => "DejaVuSerif",
            (Face::Serif, true) => "DejaVuSerif-Bold",
            (Face::Mono, false) => "DejaVuSansMono",
            (Face::Mono, true) => "DejaVuSansMono-Bold",
        }
    }
}

/// Something on a page. Places are in points from the top left; text stands on
/// its baseline.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A piece of text.
    Text {
        /// Left end.
        x: f32,
        /// Baseline.
        y: f32,
        /// Size in points.
        size: f32,
        /// Font.
        font: Font,
        /// The text.
        text: String,
    },
    /// A filled rectangle, black.
    Rule {
        /// Left edge.
        x: f32,
        /// Top edge.
        y: f32,
        /// Width.
        w: f32,
        /// Height.
        h: f32,
    },
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What is on it.
    pub marks: Vec<Mark>,
}

/// A font with its file's bytes.
#[derive(Debug)]
pub struct Loaded {
    /// Which.
    pub font: Font,
    /// Outlines and widths.
    pub outlines: FontVec,
    /// The TrueType file.
    pub file: Vec<u8>,
}

/// The fonts of Debian's package fonts-dejavu-core.
#[derive(Debug)]
pub struct Fonts(Vec<Loaded>);

impl Fonts {
    /// Loads them from where Debian installs them.
    ///
    /// # Errors
    /// [`RecipeError`] names the missing file and the package.
    pub fn load() -> Result<Self, RecipeError> {
        let folder = Path::new("/usr/share/fonts/truetype/dejavu");
        let mut fonts = Vec::new();
        for font in Font::ALL {
            let path: PathBuf = folder.join(format!("{}.ttf", font.name()));
            let file = std::fs::read(&path).map_err(|source| RecipeError::Font {
                path: path.clone(),
                source,
            })?;
            let outlines =
                FontVec::try_from_vec(file.clone()).map_err(|_| RecipeError::NotAFont(path))?;
            fonts.push(Loaded {
                font,
                outlines,
                file,
            });
        }
        Ok(Self(fonts))
    }

    /// One of them with its number.
    pub fn get(&self, font: Font) -> Option<(usize, &Loaded)> {
        self.0
            .iter()
            .enumerate()
            .find(|(_, loaded)| loaded.font == font)
    }

    /// Every one.
    pub fn all(&self) -> &[Loaded] {
        &self.0
    }

    /// Width of a text in points.
    pub fn width(&self, font: Font, size: f32, text: &str) -> f32 {
        let Some((_, loaded)) = self.get(font) else {
            return 0.0;
        };
        let scaled = loaded.outlines.as_scaled(scale(&loaded.outlines, size));
        text.chars()
            .map(|c| scaled.h_advance(scaled.glyph_id(c)))
            .sum()
    }
}

/// The scale at which an em is so many pixels; `ab_glyph` counts the height.
pub fn scale(font: &FontVec, em: f32) -> ab_glyph::PxScale {
    let units = font.units_per_em().unwrap_or(2048.0);
    ab_glyph::PxScale::from(em * font.height_unscaled() / units)
}
