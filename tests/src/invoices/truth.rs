//! The truth about a set, for whoever checks what the workflow made of it.

use serde_json::json;

use super::invoice::decimal;
use super::{Difficulty, Document};

/// The columns of the sheet.
pub const COLUMNS: [&str; 6] = ["Supplier", "Number", "Date", "Net", "Tax", "Total"];

/// The row that a document gives in the sheet.
pub fn row(document: &Document) -> [String; 6] {
    let invoice = &document.invoice;
    [
        invoice.supplier.name.to_owned(),
        invoice.number.clone(),
        invoice.date.iso(),
        decimal(invoice.net),
        decimal(invoice.tax),
        decimal(invoice.total),
    ]
}

/// `truth.json`.
pub fn json(seed: u64, documents: &[Document]) -> String {
    let invoices: Vec<_> = documents
        .iter()
        .map(|document| {
            let [supplier, number, date, net, tax, total] = row(document);
            json!({
                "file": document.file,
                "difficulty": document.difficulty.word(),
                "supplier": supplier,
                "number": number,
                "date": date,
                "net": net,
                "tax": tax,
                "total": total,
                "finding": document.difficulty == Difficulty::WrongTotal,
            })
        })
        .collect();
    format!(
        "{:#}\n",
        json!({ "seed": seed, "columns": COLUMNS, "invoices": invoices })
    )
}

/// `expected.tsv`: the sheet's columns and rows, tabs between the cells.
pub fn tsv(documents: &[Document]) -> String {
    let mut lines = vec![COLUMNS.join("\t")];
    lines.extend(documents.iter().map(|document| row(document).join("\t")));
    lines.join("\n") + "\n"
}
