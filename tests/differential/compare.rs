//! Comparing what two libraries printed, seed by seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// So many seeds are shown in full; the others only counted.
const SHOWN: usize = 8;
/// Lines shown before the first difference of a seed.
const BEFORE: usize = 6;

/// The lines of every seed.
#[derive(Debug, Default)]
pub(crate) struct Seeds {
    lines: BTreeMap<u64, Vec<String>>,
    numbers: Vec<u64>,
}

impl Seeds {
    /// Takes the output of `ops` apart.
    pub(crate) fn parse(text: &str) -> Self {
        let mut seeds = Self::default();
        seeds.add(text);
        seeds
    }

    pub(crate) fn parse_files(files: &[PathBuf]) -> Self {
        let mut seeds = Self::default();
        for file in files {
            let text = fs::read_to_string(file).expect("golden files are UTF-8");
            seeds.add(&text);
        }
        seeds
    }

    fn add(&mut self, text: &str) {
        let mut current: Option<&mut Vec<String>> = None;
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("# seed ") {
                let number = number.parse().expect("seeds are numbers");
                self.numbers.push(number);
                current = Some(self.lines.entry(number).or_default());
            } else if let Some(lines) = &mut current {
                lines.push(line.to_owned());
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.numbers.extend(other.numbers);
    }

    /// Does the other one have the same lines?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.lines == other.lines
    }

    /// No seed has crashed, hung, or missed a message.
    pub(crate) fn is_sound(&self) -> bool {
        !self.lines.values().flatten().any(|line| {
            line.starts_with('!') || line.contains("nothing comes") || line.contains(" fence ")
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn numbers(&self) -> &[u64] {
        &self.numbers
    }
}

/// Where two seeds part: the last common lines, then one line of each.
fn difference(left: (&str, &[String]), right: (&str, &[String])) -> Option<String> {
    let common = left
        .1
        .iter()
        .zip(right.1)
        .take_while(|(a, b)| a == b)
        .count();
    if common == left.1.len() && common == right.1.len() {
        return None;
    }
    let mut text = String::new();
    for line in &left.1[common.saturating_sub(BEFORE)..common] {
        let _ = writeln!(text, "    {line}");
    }
    for (name, lines) in [left, right] {
        let line = lines.get(common).map_or("(no more lines)", String::as_str);
        let _ = writeln!(text, "  {name:>10}: {line}");
    }
    Some(text)
}

/// Panics with the first differing line of every differing seed.
#[track_caller]
pub(crate) fn assert_same(left: &str, a: &Seeds, right: &str, b: &Seeds, hint: &str) {
    let empty = Vec::new();
    let mut report = String::new();
    let mut differing = 0;
    for (number, lines) in &a.lines {
        let others = b.lines.get(number).unwrap_or(&empty);
        if let Some(text) = difference((left, lines), (right, others)) {
            differing += 1;
            if differing <= SHOWN {
                let _ = write!(report, "seed {number}:\n{text}\n");
            }
        }
    }
    assert!(
        differing == 0,
        "{differing} of {} seeds differ.\n\n{report}{hint}",
        a.len()
    );
    assert!(a.len() > 0, "no seed was compared");
}
