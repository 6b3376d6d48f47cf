//! Results as a table.

use std::collections::BTreeMap;

/// What one program has told, by name.
pub(crate) type Values = BTreeMap<String, f64>;

/// Rows of medians.
pub(crate) struct Table {
    title: &'static str,
    columns: &'static [&'static str],
    rows: Vec<String>,
}

/// The median of what the rounds have told for one name.
fn median(rounds: &[Values], column: &str) -> Option<f64> {
    let mut all: Vec<f64> = rounds
        .iter()
        .filter_map(|values| values.get(column).copied())
        .collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |v| {
            if v.abs() < 100.0 {
                format!("{v:.3}")
            } else {
                format!("{v:.0}")
            }
        },
    )
}

impl Table {
    pub(crate) fn new(title: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            title,
            columns,
            rows: Vec::new(),
        }
    }

    /// One row: per column ours, classic, and their ratio.
    pub(crate) fn row(&mut self, what: &str, ours: &[Values], classic: &[Values]) {
        let mut row = format!("| {what} |");
        for column in self.columns {
            let (a, b) = (median(ours, column), median(classic, column));
            let ratio = match (a, b) {
                (Some(a), Some(b)) if b > 0.0 => format!("{:.2}", a / b),
                _ => "-".to_owned(),
            };
            row += &format!(" {} | {} | {ratio} |", cell(a), cell(b));
        }
        self.rows.push(row);
    }

    #[expect(clippy::print_stdout, reason = "a benchmark's report")]
    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        println!("### {}\n", self.title);
        let mut head = "| |".to_owned();
        let mut line = "| --- |".to_owned();
        for column in self.columns {
            head += &format!(" {column} | classic | ratio |");
            line += " ---: | ---: | ---: |";
        }
        println!("{head}\n{line}\n{}\n", self.rows.join("\n"));
    }
}
