//! The suppliers of the example: each writes its invoices in its own way.

/// How a supplier arranges its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Labels on the left, values at the right edge of a block.
    Block,
    /// `Label: value` in one line.
    Lines,
    /// A grid with the value under its label.
    Grid,
}

/// Which typeface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// DejaVu Sans.
    Sans,
    /// DejaVu Serif.
    Serif,
    /// DejaVu Sans Mono.
    Mono,
}

/// How it writes 1234.5. The last two digits are cents in every form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amounts {
    /// `1234.50`.
    Plain,
    /// `1,234.50`.
    English,
    /// `1.234,50`.
    Continental,
}

/// How it writes a date. No form leaves open which is the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// `2026-11-03`.
    Iso,
    /// `3 November 2026`.
    Words,
    /// `03.11.2026`.
    Dotted,
}

/// How it numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// `INV-2026-00411`.
    Inv,
    /// `2026/1184`.
    Year,
    /// `RE-20260411`.
    Short,
    /// `44871203`.
    Digits,
}

/// The words of its labels.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Title of the page.
    pub title: &'static str,
    /// Before the number.
    pub number: &'static str,
    /// Before the date.
    pub date: &'static str,
    /// Before the amount without tax.
    pub net: &'static str,
    /// Before the tax; the rate follows.
    pub tax: &'static str,
    /// Before the total.
    pub total: &'static str,
    /// Column titles of the table.
    pub columns: [&'static str; 4],
    /// Before the recipient.
    pub to: &'static str,
}

const ENGLISH: Words = Words {
    title: "INVOICE",
    number: "Invoice number",
    date: "Invoice date",
    net: "Net amount",
    tax: "VAT",
    total: "Total due",
    columns: ["Description", "Qty", "Price", "Amount"],
    to: "Bill to",
};
const SHORT: Words = Words {
    title: "Invoice",
    number: "Invoice No.",
    date: "Date",
    net: "Subtotal",
    tax: "Tax",
    total: "Total",
    columns: ["Item", "Units", "Each", "Sum"],
    to: "Customer",
};
const FRENCH: Words = Words {
    title: "FACTURE",
    number: "Facture no",
    date: "Date",
    net: "Total HT",
    tax: "TVA",
    total: "Total TTC",
    columns: ["Désignation", "Qté", "Prix", "Montant"],
    to: "Client",
};

/// A supplier.
#[derive(Debug, Clone, Copy)]
pub struct Supplier {
    /// Its name, as its letterhead says.
    pub name: &'static str,
    /// Street and town.
    pub address: [&'static str; 2],
    /// Arrangement.
    pub style: Style,
    /// Typeface.
    pub face: Face,
    /// Amounts.
    pub amounts: Amounts,
    /// Dates.
    pub dates: Dates,
    /// Numbers.
    pub numbers: Numbers,
    /// Labels.
    pub words: Words,
    /// Tax rate in tenths of a percent.
    pub rate: u32,
}

const fn supplier(
    name: &'static str,
    address: [&'static str; 2],
    (style, face): (Style, Face),
    (amounts, dates, numbers): (Amounts, Dates, Numbers),
    words: Words,
    rate: u32,
) -> Supplier {
    Supplier {
        name,
        address,
        style,
        face,
        amounts,
        dates,
        numbers,
        words,
        rate,
    }
}

/// Every supplier; a set draws eight of them. The workflow's parameter
/// `suppliers` lists the same names.
pub const ALL: [Supplier; 12] = [
    supplier(
        "Brightwater Tools Ltd",
        ["14 Quay Street", "Bristol BS1 4DJ"],
        (Style::Block, Face::Sans),
        (Amounts::English, Dates::Words, Numbers::Inv),
        ENGLISH,
        200,
    ),
    supplier(
        "Kessler Papierwerk GmbH",
        ["Mühlenstraße 7", "28195 Bremen"],
        (Style::Lines, Face::Serif),
        (Amounts::Continental, Dates::Dotted, Numbers::Short),
        ENGLISH,
        190,
    ),
    supplier(
        "Ateliers Montclair",
        ["22 rue de l'Église", "69002 Lyon"],
        (Style::Block, Face::Serif),
        (Amounts::Continental, Dates::Iso, Numbers::Year),
        FRENCH,
        200,
    ),
    supplier(
        "Nordlys Fisk AS",
        ["Strandgaten 3", "5013 Bergen"],
        (Style::Grid, Face::Sans),
        (Amounts::English, Dates::Iso, Numbers::Digits),
        ENGLISH,
        250,
    ),
    supplier(
        "Harbour Print and Copy",
        ["8 Canal Row", "Leith EH6 6RA"],
        (Style::Lines, Face::Mono),
        (Amounts::Plain, Dates::Iso, Numbers::Inv),
        SHORT,
        200,
    ),
    supplier(
        "Tessin Elettronica SA",
        ["Via Cantonale 19", "6900 Lugano"],
        (Style::Block, Face::Sans),
        (Amounts::Plain, Dates::Dotted, Numbers::Year),
        SHORT,
        81,
    ),
    supplier(
        "Greenfield Catering",
        ["Unit 5, Mill Lane", "Oxford OX4 1EP"],
        (Style::Grid, Face::Serif),
        (Amounts::English, Dates::Words, Numbers::Short),
        SHORT,
        200,
    ),
    supplier(
        "Van der Meer Logistiek BV",
        ["Waalhaven 112", "3087 Rotterdam"],
        (Style::Lines, Face::Sans),
        (Amounts::Continental, Dates::Dotted, Numbers::Digits),
        ENGLISH,
        210,
    ),
    supplier(
        "Oakridge Office Supply",
        ["410 Cedar Avenue", "Portland OR 97205"],
        (Style::Block, Face::Mono),
        (Amounts::English, Dates::Iso, Numbers::Digits),
        ENGLISH,
        85,
    ),
    supplier(
        "Blanchard et Fils",
        ["5 quai Saint-Antoine", "13002 Marseille"],
        (Style::Lines, Face::Serif),
        (Amounts::Continental, Dates::Iso, Numbers::Inv),
        FRENCH,
        200,
    ),
    supplier(
        "Hollis Laboratory Services",
        ["77 Science Park Road", "Cambridge CB4 0FY"],
        (Style::Grid, Face::Sans),
        (Amounts::Plain, Dates::Words, Numbers::Year),
        SHORT,
        200,
    ),
    supplier(
        "Cobalt Cleaning Company",
        ["31 Foundry Street", "Dublin D08 V2N5"],
        (Style::Block, Face::Serif),
        (Amounts::English, Dates::Iso, Numbers::Short),
        SHORT,
        230,
    ),
];
