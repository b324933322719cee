//! Puts an invoice on pages, in its supplier's style.

use super::invoice::Invoice;
use super::page::{Font, Fonts, HEIGHT, Mark, Page, WIDTH};
use super::supplier::Style;

/// Left margin in points.
const LEFT: f32 = 62.0;
/// Right edge of amounts in points.
const RIGHT: f32 = WIDTH - 62.0;
/// Size of ordinary text.
const TEXT: f32 = 10.5;
/// Distance of table lines.
const STEP: f32 = 19.0;
/// Below this no table line starts.
const BOTTOM: f32 = HEIGHT - 110.0;

/// The pages of an invoice.
pub fn pages(invoice: &Invoice, fonts: &Fonts) -> Vec<Page> {
    let mut draft = Draft {
        invoice,
        fonts,
        pages: Vec::new(),
        page: Page::default(),
        y: 0.0,
    };
    draft.letterhead();
    draft.reference();
    draft.table();
    draft.sums();
    draft.finish()
}

struct Draft<'a> {
    invoice: &'a Invoice,
    fonts: &'a Fonts,
    pages: Vec<Page>,
    page: Page,
    y: f32,
}

impl Draft<'_> {
    fn font(&self, bold: bool) -> Font {
        Font {
            face: self.invoice.supplier.face,
            bold,
        }
    }

    fn text(&mut self, x: f32, size: f32, bold: bool, text: &str) {
        let (font, y) = (self.font(bold), self.y);
        self.page.marks.push(Mark::Text {
            x,
            y,
            size,
            font,
            text: text.to_owned(),
        });
    }

    fn text_to(&mut self, right: f32, size: f32, bold: bool, text: &str) {
        let width = self.fonts.width(self.font(bold), size, text);
        self.text(right - width, size, bold, text);
    }

    fn rule(&mut self, x: f32, w: f32) {
        let y = self.y;
        self.page.marks.push(Mark::Rule { x, y, w, h: 0.8 });
    }

    fn letterhead(&mut self) {
        let supplier = self.invoice.supplier;
        self.y = 82.0;
        self.text(LEFT, 19.0, true, supplier.name);
        for line in supplier.address {
            self.y += 15.0;
            self.text(LEFT, 9.5, false, line);
        }
        self.y += 14.0;
        self.rule(LEFT, RIGHT - LEFT);
        self.y += 40.0;
        self.text(LEFT, 15.0, true, supplier.words.title);
        self.y += 28.0;
        let to = format!("{}:", supplier.words.to);
        self.text(LEFT, TEXT, false, &to);
        for line in ["Casemate Trading Ltd", "2 Bastion Road", "London E1 6AN"] {
            self.y += 15.0;
            self.text(LEFT, TEXT, false, line);
        }
    }

    /// Number and date.
    fn reference(&mut self) {
        let words = self.invoice.supplier.words;
        let number = self.invoice.number.clone();
        let date = self.invoice.date.written(self.invoice.supplier.dates);
        match self.invoice.supplier.style {
            Style::Block => {
                let below = self.y;
                self.y -= 45.0;
                for (label, value) in [(words.number, &number), (words.date, &date)] {
                    self.text(330.0, TEXT, false, label);
                    self.text_to(RIGHT, TEXT, false, value);
                    self.y += 18.0;
                }
                self.y = below;
            }
            Style::Lines => {
                self.y += 14.0;
                for (label, value) in [(words.number, &number), (words.date, &date)] {
                    self.y += 17.0;
                    self.text(LEFT, TEXT, false, &format!("{label}: {value}"));
                }
            }
            Style::Grid => {
                self.y += 36.0;
                let columns = [LEFT, 250.0];
                for (x, label) in columns.into_iter().zip([words.number, words.date]) {
                    self.text(x, TEXT, true, label);
                }
                self.y += 18.0;
                for (x, value) in columns.into_iter().zip([&number, &date]) {
                    self.text(x, TEXT, false, value);
                }
            }
        }
        self.y += 40.0;
    }

    fn table(&mut self) {
        self.table_head();
        for item in &self.invoice.items {
            if self.y > BOTTOM {
                self.next_page();
                self.table_head();
            }
            self.text(LEFT, TEXT, false, item.what);
            self.text_to(340.0, TEXT, false, &item.count.to_string());
            self.text_to(430.0, TEXT, false, &self.invoice.written(item.price));
            self.text_to(RIGHT, TEXT, false, &self.invoice.written(item.amount()));
            self.y += STEP;
        }
    }

    fn table_head(&mut self) {
        let [what, count, price, amount] = self.invoice.supplier.words.columns;
        self.text(LEFT, TEXT, true, what);
        self.text_to(340.0, TEXT, true, count);
        self.text_to(430.0, TEXT, true, price);
        self.text_to(RIGHT, TEXT, true, amount);
        self.y += 7.0;
        self.rule(LEFT, RIGHT - LEFT);
        self.y += STEP;
    }

    fn next_page(&mut self) {
        self.foot();
        self.pages.push(std::mem::take(&mut self.page));
        self.y = 80.0;
    }

    /// Net, tax and total: on a new page if the table filled this one.
    fn sums(&mut self) {
        if self.y + 3.0 * STEP > BOTTOM + 40.0 {
            self.next_page();
        }
        let words = self.invoice.supplier.words;
        let tax = format!("{} {}", words.tax, self.invoice.rate());
        let invoice = self.invoice;
        let left = 330.0;
        self.rule(left, RIGHT - left);
        self.y += 20.0;
        let rows = [
            (words.net, invoice.net, false),
            (tax.as_str(), invoice.tax, false),
            (words.total, invoice.total, true),
        ];
        for (label, cents, bold) in rows {
            self.text(left, TEXT, bold, label);
            self.text_to(
                RIGHT,
                TEXT,
                bold,
                &format!("EUR {}", invoice.written(cents)),
            );
            self.y += STEP;
        }
    }

    fn foot(&mut self) {
        let (y, supplier) = (self.y, self.invoice.supplier);
        self.y = HEIGHT - 50.0;
        let number = self.pages.len().saturating_add(1);
        let [street, town] = supplier.address;
        self.text(LEFT, 8.0, false, &format!("{street}, {town}"));
        self.text_to(RIGHT, 8.0, false, &format!("Page {number}"));
        self.y = y;
    }

    fn finish(mut self) -> Vec<Page> {
        self.foot();
        self.pages.push(self.page);
        self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::super::chance::Chance;
    use super::super::{Difficulty, supplier};
    use super::*;

    #[test]
    fn the_total_of_a_long_invoice_stands_on_its_second_page() {
        let fonts = Fonts::load().unwrap();
        for (seed, supplier) in (0..).zip(supplier::ALL) {
            let long = Invoice::draw(supplier, Difficulty::TwoPages, &mut Chance::new(seed));
            let pages = pages(&long, &fonts);
            assert_eq!(pages.len(), 2, "{}", supplier.name);
            let total = format!("EUR {}", long.written(long.total));
            let has = |page: &Page| {
                let mut marks = page.marks.iter();
                marks.any(|m| matches!(m, Mark::Text { text, .. } if *text == total))
            };
            assert!(!has(&pages[0]) && has(&pages[1]));
            let short = Invoice::draw(supplier, Difficulty::Plain, &mut Chance::new(seed));
            assert_eq!(super::pages(&short, &fonts).len(), 1, "{}", supplier.name);
        }
    }
}
