//! A page of text whose truth is known: a PDF of one A4 page, one line a string.

use std::fmt::Write as _;

/// A text and where its baseline starts, in points from the left and the bottom.
pub(crate) type Placed = (f32, f32, f32, String);

/// An invoice-like page with numbers made from a seed, and its lines.
pub(crate) fn page(seed: u64) -> (Vec<u8>, Vec<String>) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut number = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut lines: Vec<Placed> = vec![
        (60.0, 780.0, 16.0, "Northwind Office Supplies".into()),
        (60.0, 762.0, 9.0, "12 Harbour Street, 20457 Hamburg".into()),
        (380.0, 720.0, 9.0, "Invoice number".into()),
        (480.0, 720.0, 9.0, format!("RE-2026-{:05}", number(100_000))),
        (380.0, 704.0, 9.0, "Date".into()),
        (480.0, 704.0, 9.0, format!("2026-11-{:02}", 1 + number(28))),
    ];
    for row in 0..14u8 {
        let y = 620.0 - 18.0 * f32::from(row);
        let cents = 10_000 + number(90_000_000);
        lines.push((60.0, y, 9.0, format!("{:02}", row + 1)));
        lines.push((100.0, y, 9.0, "Filing cabinet, 3 drawers".into()));
        lines.push((480.0, y, 9.0, format!("{}.{:02}", cents / 100, cents % 100)));
    }
    (
        document(&lines),
        lines.into_iter().map(|(_, _, _, text)| text).collect(),
    )
}

/// PDF 1.4 with Helvetica, which every viewer has or substitutes.
fn document(lines: &[Placed]) -> Vec<u8> {
    let mut content = String::from("BT\n");
    for (x, y, size, text) in lines {
        writeln!(content, "/F1 {size} Tf 1 0 0 1 {x} {y} Tm ({text}) Tj").unwrap();
    }
    content.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        writeln!(file, "{} 0 obj\n{object}\nendobj", index + 1).unwrap();
    }
    let start = file.len();
    write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    for offset in offsets {
        writeln!(file, "{offset:010} 00000 n ").unwrap();
    }
    write!(
        file,
        "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    )
    .unwrap();
    file.into_bytes()
}
