//! Writes PDF 1.7 files, as much of the format as an invoice needs: pages of
//! text in embedded TrueType fonts, or pages that are one picture, with or
//! without invisible text over it (ISO 32000-1, 9.3.6, rendering mode 3).

use std::io::Write as _;

use ab_glyph::Font as _;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::page::{Font, Fonts, HEIGHT, Loaded, Mark, Page, WIDTH};
use super::scan::Picture;

/// A PDF whose pages are text.
pub fn of_text(pages: &[Page], fonts: &Fonts) -> Vec<u8> {
    let mut file = File::new();
    for page in pages {
        let content = content(page, false);
        file.page(&content, None, &used(std::slice::from_ref(page)), fonts);
    }
    file.finish()
}

/// A PDF whose pages are pictures, with the text of `hidden` invisibly over them.
pub fn of_pictures(pictures: &[Picture], hidden: &[Page], fonts: &Fonts) -> Vec<u8> {
    let mut file = File::new();
    for (index, picture) in pictures.iter().enumerate() {
        let mut content = format!("q {WIDTH} 0 0 {HEIGHT} 0 0 cm /Im Do Q\n").into_bytes();
        let over = hidden.get(index);
        if let Some(page) = over {
            content.extend(self::content(page, true));
        }
        let fonts_used = used(over.map(std::slice::from_ref).unwrap_or_default());
        file.page(&content, Some(picture), &fonts_used, fonts);
    }
    file.finish()
}

fn used(pages: &[Page]) -> Vec<Font> {
    let marks = pages.iter().flat_map(|page| &page.marks);
    let mut fonts: Vec<Font> = Vec::new();
    for mark in marks {
        if let Mark::Text { font, .. } = mark
            && !fonts.contains(font)
        {
            fonts.push(*font);
        }
    }
    fonts
}

/// The drawing operators of a page; places turn from top left to bottom left.
fn content(page: &Page, invisible: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for mark in &page.marks {
        match mark {
            Mark::Text {
                x,
                y,
                size,
                font,
                text,
            } => {
                let mode = if invisible { "3 Tr " } else { "" };
                let name = font.name();
                let up = HEIGHT - y;
                out.extend(format!("BT {mode}/{name} {size} Tf {x:.2} {up:.2} Td <").bytes());
                for c in text.chars() {
                    out.extend(format!("{:02x}", windows_1252(c)).bytes());
                }
                out.extend(b"> Tj ET\n");
            }
            Mark::Rule { x, y, w, h } if !invisible => {
                let up = HEIGHT - y - h;
                out.extend(format!("{x:.2} {up:.2} {w:.2} {h:.2} re f\n").bytes());
            }
            Mark::Rule { .. } => {}
        }
    }
    out
}

/// Latin-1 is all that the example writes; there Windows-1252 is the same.
fn windows_1252(c: char) -> u8 {
    u8::try_from(u32::from(c)).unwrap_or(b'?')
}

/// A PDF file in the making: its objects in the order of their numbers.
struct File {
    objects: Vec<Vec<u8>>,
    pages: Vec<usize>,
    fonts: Vec<(Font, usize)>,
}

/// Numbers of the two objects that are written last but referred to first.
const CATALOG: usize = 1;
const PAGES: usize = 2;

impl File {
    fn new() -> Self {
        Self {
            objects: vec![Vec::new(), Vec::new()],
            pages: Vec::new(),
            fonts: Vec::new(),
        }
    }

    fn add(&mut self, object: Vec<u8>) -> usize {
        self.objects.push(object);
        self.objects.len()
    }

    fn stream(&mut self, entries: &str, bytes: &[u8]) -> usize {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::new(6));
        // Writing into memory does not fail; an empty stream would show at once.
        let packed = packer.write_all(bytes).and_then(|()| packer.finish());
        let packed = packed.unwrap_or_default();
        let mut object = format!(
            "<< {entries} /Filter /FlateDecode /Length {} >>\nstream\n",
            packed.len()
        )
        .into_bytes();
        object.extend(packed);
        object.extend(b"\nendstream");
        self.add(object)
    }

    fn page(&mut self, content: &[u8], picture: Option<&Picture>, used: &[Font], fonts: &Fonts) {
        let mut resources = String::new();
        if let Some(picture) = picture {
            let entries = format!(
                "/Type /XObject /Subtype /Image /Width {} /Height {} /ColorSpace /DeviceGray /BitsPerComponent 8",
                picture.width, picture.height
            );
            let number = self.stream(&entries, &picture.grey);
            resources.push_str(&format!("/XObject << /Im {number} 0 R >> "));
        }
        resources.push_str("/Font << ");
        for font in used {
            if let Some((_, loaded)) = fonts.get(*font) {
                let number = self.font(loaded);
                resources.push_str(&format!("/{} {number} 0 R ", font.name()));
            }
        }
        resources.push_str(">>");
        let content = self.stream("", content);
        let page = format!(
            "<< /Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {content} 0 R /Resources << {resources} >> >>"
        );
        let number = self.add(page.into_bytes());
        self.pages.push(number);
    }

    fn font(&mut self, loaded: &Loaded) -> usize {
        if let Some((_, number)) = self.fonts.iter().find(|(font, _)| *font == loaded.font) {
            return *number;
        }
        let name = loaded.font.name();
        let units = loaded.outlines.units_per_em().unwrap_or(2048.0);
        let thousandths = |value: f32| (value * 1000.0 / units).round();
        let file = self.stream(&format!("/Length1 {}", loaded.file.len()), &loaded.file);
        let (ascent, descent) = (
            thousandths(loaded.outlines.ascent_unscaled()),
            thousandths(loaded.outlines.descent_unscaled()),
        );
        let descriptor = self.add(
            format!(
                "<< /Type /FontDescriptor /FontName /{name} /Flags 32 /FontBBox [-1000 -400 2000 1200] /ItalicAngle 0 /Ascent {ascent} /Descent {descent} /CapHeight 729 /StemV 80 /FontFile2 {file} 0 R >>"
            )
            .into_bytes(),
        );
        let widths: Vec<String> = (32..=255u8)
            .map(|code| {
                let id = loaded.outlines.glyph_id(char::from(code));
                thousandths(loaded.outlines.h_advance_unscaled(id)).to_string()
            })
            .collect();
        let number = self.add(
            format!(
                "<< /Type /Font /Subtype /TrueType /BaseFont /{name} /FirstChar 32 /LastChar 255 /Widths [{}] /Encoding /WinAnsiEncoding /FontDescriptor {descriptor} 0 R >>",
                widths.join(" ")
            )
            .into_bytes(),
        );
        self.fonts.push((loaded.font, number));
        number
    }

    fn finish(mut self) -> Vec<u8> {
        let kids: Vec<String> = self
            .pages
            .iter()
            .map(|page| format!("{page} 0 R"))
            .collect();
        let pages = format!(
            "<< /Type /Pages /Count {} /Kids [{}] >>",
            kids.len(),
            kids.join(" ")
        );
        let catalog = format!("<< /Type /Catalog /Pages {PAGES} 0 R >>");
        for (number, object) in [(CATALOG, catalog), (PAGES, pages)] {
            if let Some(place) = self.objects.get_mut(number.saturating_sub(1)) {
                *place = object.into_bytes();
            }
        }
        let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
        let mut table = String::from("0000000000 65535 f \n");
        for (object, number) in self.objects.iter().zip(1usize..) {
            table.push_str(&format!("{:010} 00000 n \n", out.len()));
            out.extend(format!("{number} 0 obj\n").bytes());
            out.extend(object);
            out.extend(b"\nendobj\n");
        }
        let start = out.len();
        let size = self.objects.len().saturating_add(1);
        out.extend(
            format!(
                "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root {CATALOG} 0 R >>\nstartxref\n{start}\n%%EOF\n"
            )
            .bytes(),
        );
        out
    }
}
