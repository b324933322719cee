//! What stands on an invoice, before it is put on a page.

use super::Difficulty;
use super::chance::Chance;
use super::supplier::{Amounts, Dates, Numbers, Supplier};

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Item {
    /// What was delivered.
    pub what: &'static str,
    /// How many.
    pub count: u32,
    /// Price of one, in cents.
    pub price: u64,
}

impl Item {
    /// In cents.
    pub fn amount(&self) -> u64 {
        u64::from(self.count) * self.price
    }
}

/// A day.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    year: u32,
    month: u32,
    day: u32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Day {
    /// `2026-11-03`.
    pub fn iso(self) -> String {
        format!("{}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// As a supplier writes it.
    pub fn written(self, dates: Dates) -> String {
        let name = usize::try_from(self.month)
            .ok()
            .and_then(|month| MONTHS.get(month.checked_sub(1)?))
            .copied()
            .unwrap_or_default();
        match dates {
            Dates::Iso => self.iso(),
            Dates::Words => format!("{} {name} {}", self.day, self.year),
            Dates::Dotted => format!("{:02}.{:02}.{}", self.day, self.month, self.year),
        }
    }
}

/// An invoice. Amounts are in cents.
#[derive(Debug, Clone)]
pub struct Invoice {
    /// Whose.
    pub supplier: Supplier,
    /// Its number.
    pub number: String,
    /// Its date.
    pub date: Day,
    /// What was delivered.
    pub items: Vec<Item>,
    /// Sum of the items.
    pub net: u64,
    /// Tax on it.
    pub tax: u64,
    /// What the page says is to be paid.
    pub total: u64,
}

const GOODS: [&str; 16] = [
    "Copper fitting 22 mm",
    "Archive box, grey",
    "Cutting oil, 5 litre",
    "Label roll 100 x 50",
    "Safety gloves, size 9",
    "Delivery and handling",
    "Packing tape, clear",
    "Service hour, on site",
    "LED panel 60 x 60",
    "Toner cartridge, black",
    "Cable tie 200 mm, bag",
    "Filter mat, fine",
    "Steel shelf, 5 boards",
    "Hand towel, case",
    "Bearing 6204",
    "Whiteboard marker, set",
];

impl Invoice {
    /// Draws one.
    pub fn draw(supplier: Supplier, difficulty: Difficulty, chance: &mut Chance) -> Self {
        let count = match difficulty {
            Difficulty::TwoPages => chance.within(30, 36),
            _ => chance.within(3, 7),
        };
        let mut goods = GOODS;
        chance.shuffle(&mut goods);
        let drawn = goods.into_iter().cycle().zip(0..count);
        let items: Vec<Item> = drawn
            .map(|(what, _)| Item {
                what,
                count: chance.within(1, 12),
                price: u64::from(chance.within(95, 24_999)),
            })
            .collect();
        let net: u64 = items.iter().map(Item::amount).sum();
        // A half cent is rounded up, as tax offices do.
        let tax = (net * u64::from(supplier.rate) + 500) / 1000;
        let total = net + tax;
        let total = match difficulty {
            Difficulty::WrongTotal => total + 100 * u64::from(chance.within(1, 9)),
            _ => total,
        };
        let date = Day {
            year: 2026,
            month: chance.within(8, 11),
            day: chance.within(1, 28),
        };
        Self {
            supplier,
            number: number(supplier.numbers, date, chance),
            date,
            items,
            net,
            tax,
            total,
        }
    }

    /// The same invoice with another number and other amounts: what the hidden
    /// text of a lying document says. It adds up, so arithmetic cannot tell.
    pub fn lie(&self, chance: &mut Chance) -> Self {
        let mut lie = self.clone();
        for item in &mut lie.items {
            item.price += u64::from(chance.within(1000, 9000));
        }
        lie.net = lie.items.iter().map(Item::amount).sum();
        lie.tax = (lie.net * u64::from(self.supplier.rate) + 500) / 1000;
        lie.total = lie.net + lie.tax;
        lie.number = number(self.supplier.numbers, self.date, chance);
        lie
    }

    /// An amount as this supplier writes it.
    pub fn written(&self, cents: u64) -> String {
        let (thousands, point) = match self.supplier.amounts {
            Amounts::Plain => ("", "."),
            Amounts::English => (",", "."),
            Amounts::Continental => (".", ","),
        };
        let whole = (cents / 100).to_string();
        let mut grouped = String::new();
        for (index, digit) in whole.chars().enumerate() {
            let left = whole.len().saturating_sub(index);
            if index > 0 && left.is_multiple_of(3) {
                grouped.push_str(thousands);
            }
            grouped.push(digit);
        }
        format!("{grouped}{point}{:02}", cents % 100)
    }

    /// The tax rate as it stands on the page, such as `19%` or `8.5%`.
    pub fn rate(&self) -> String {
        match (self.supplier.rate / 10, self.supplier.rate % 10) {
            (whole, 0) => format!("{whole}%"),
            (whole, tenth) => format!("{whole}.{tenth}%"),
        }
    }
}

/// `1234.50`: how the truth writes an amount.
pub fn decimal(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn number(numbers: Numbers, date: Day, chance: &mut Chance) -> String {
    match numbers {
        Numbers::Inv => format!("INV-{}-{:05}", date.year, chance.within(1, 99_999)),
        Numbers::Year => format!("{}/{:04}", date.year, chance.within(1, 9999)),
        Numbers::Short => format!("RE-{}{:04}", date.year, chance.within(1, 9999)),
        Numbers::Digits => chance.within(10_000_000, 99_999_999).to_string(),
    }
}
