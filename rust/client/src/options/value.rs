//! How the values of options are written: the kinds that rows of the table choose from.

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// A kind of value: reads it, writes it, and says what it takes.
pub(super) trait Kind {
    /// What the option holds.
    type Value;
    /// The kind's name in documentation.
    const NAME: &'static str;
    /// `None`: the text is not such a value, or out of range.
    fn parse(&self, text: &str) -> Option<Self::Value>;
    /// The value as text that [`parse`](Self::parse) reads back.
    fn show(&self, value: &Self::Value) -> String;
    /// The values that are taken, for messages and documentation.
    fn takes(&self) -> String;
}

/// A whole number.
pub(super) struct Number(pub(super) RangeInclusive<u32>);

impl Kind for Number {
    type Value = u32;
    const NAME: &'static str = "number";

    fn parse(&self, text: &str) -> Option<u32> {
        let value = text.parse().ok()?;
        self.0.contains(&value).then_some(value)
    }

    fn show(&self, value: &u32) -> String {
        value.to_string()
    }

    fn takes(&self) -> String {
        format!("{} to {}", self.0.start(), self.0.end())
    }
}

/// A number of bytes, with K, M, G or T behind it as a factor of 1024 and so on.
pub(super) struct Bytes(pub(super) RangeInclusive<usize>);

const FACTORS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

impl Kind for Bytes {
    type Value = usize;
    const NAME: &'static str = "bytes";

    fn parse(&self, text: &str) -> Option<usize> {
        let last = text.chars().next_back()?.to_ascii_uppercase();
        let factor = FACTORS.iter().find(|(letter, _)| *letter == last);
        let (digits, shift) = match factor {
            Some((_, shift)) => (&text[..text.len() - 1], *shift),
            None => (text, 0),
        };
        let value: usize = digits.parse().ok()?;
        let value = value.checked_mul(1_usize.checked_shl(shift)?)?;
        self.0.contains(&value).then_some(value)
    }

    fn show(&self, value: &usize) -> String {
        show_bytes(*value)
    }

    fn takes(&self) -> String {
        let (least, most) = (show_bytes(*self.0.start()), show_bytes(*self.0.end()));
        format!("{least} to {most}, with K, M, G or T behind it as a factor")
    }
}

fn show_bytes(value: usize) -> String {
    let whole = FACTORS
        .iter()
        .find(|(_, shift)| value > 0 && value.trailing_zeros() >= *shift);
    match whole {
        Some((letter, shift)) => format!("{}{letter}", value >> shift),
        None => value.to_string(),
    }
}

/// One of some words.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;
    const NAME: &'static str = "word";

    fn parse(&self, text: &str) -> Option<T> {
        let found = self.0.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value)
    }

    fn show(&self, value: &T) -> String {
        let found = self.0.iter().find(|(_, known)| known == value);
        found.map_or("", |(word, _)| word).to_owned()
    }

    fn takes(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        words.join(", ")
    }
}

/// A folder of the file system; empty stands for one that the library chooses.
pub(super) struct Folder;

impl Kind for Folder {
    type Value = PathBuf;
    const NAME: &'static str = "path";

    fn parse(&self, text: &str) -> Option<PathBuf> {
        (!text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn takes(&self) -> String {
        "the path of a folder".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_factors() {
        let kind = Bytes(65_536..=1 << 40);
        for (text, value) in [("65536", 65_536), ("64K", 65_536), ("2g", 2 << 30)] {
            assert_eq!(kind.parse(text), Some(value), "{text}");
        }
        for text in ["", "K", "-1", "99999999T", "1.5M", "65535", "é", "1é"] {
            assert_eq!(kind.parse(text), None, "{text}");
        }
        assert_eq!(
            kind.takes(),
            "64K to 1T, with K, M, G or T behind it as a factor"
        );
    }

    #[test]
    fn what_is_shown_is_read_back() {
        let kind = Bytes(0..=usize::MAX);
        for value in [0, 1, 1023, 1024, 1536, 143_152, 1 << 20, 3 << 30, 1 << 40] {
            assert_eq!(kind.parse(&kind.show(&value)), Some(value), "{value}");
        }
        let words = Choice(&[("one", 1), ("two", 2)]);
        assert_eq!(words.parse(&words.show(&2)), Some(2));
        assert_eq!(words.parse("three"), None);
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let kind = Number(1..=10);
        assert_eq!(kind.parse("10"), Some(10));
        for text in ["0", "11", "", "-1", "1 ", "99999999999"] {
            assert_eq!(kind.parse(text), None, "{text:?}");
        }
    }
}
