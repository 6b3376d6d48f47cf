//! What is inside of a line of Markdown, as roff: code, emphasis, links, and the characters that roff
//! takes for something else.

use std::collections::BTreeSet;

/// The names that have a page of their own in section 3: where a text names one in code, the section is
/// added.
pub(crate) type Known = BTreeSet<String>;

/// The words of a text as roff. A word may be put at the start of a line.
pub(crate) fn words(text: &str, known: &Known) -> Vec<String> {
    let roff = inline(text, known);
    roff.split_whitespace().map(protect).collect()
}

/// A word that begins with a control character would be a request at the start of a line.
fn protect(word: &str) -> String {
    if word.starts_with(['.', '\'']) {
        format!("\\&{word}")
    } else {
        word.to_owned()
    }
}

fn inline(text: &str, known: &Known) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let taken = match c {
            '`' => code(after, known),
            '*' if after.starts_with('*') => emphasis(after, "*", "**", 'B', known),
            '*' => emphasis(after, "", "*", 'I', known),
            '[' => link(after, known),
            '<' => tag(after),
            '\\' => escaped(after),
            _ => None,
        };
        if let Some((roff, after)) = taken {
            out.push_str(&roff);
            rest = after;
        } else {
            out.push_str(&character(c, false));
            rest = after;
        }
    }
    out
}

/// Behind a backquote.
fn code<'a>(after: &'a str, known: &Known) -> Option<(String, &'a str)> {
    let (inside, after) = after.split_once('`')?;
    // A reference is `SP_join(3)` in every manual.
    let section = if known.contains(inside) { "(3)" } else { "" };
    Some((format!("\\fB{}\\fR{section}", literal(inside)), after))
}

/// Behind the first star of `*text*` or `**text**`; no emphasis begins or ends with a blank.
fn emphasis<'a>(
    after: &'a str,
    opening: &str,
    closing: &str,
    font: char,
    known: &Known,
) -> Option<(String, &'a str)> {
    let after = after.strip_prefix(opening)?;
    let (inside, after) = after.split_once(closing)?;
    let is_text = !inside.is_empty() && inside.trim() == inside;
    is_text.then(|| (format!("\\f{font}{}\\fR", inline(inside, known)), after))
}

/// Behind the bracket of `[text](address)`. Files of the repository are not where the reader is, so that
/// only the text of such a link stays.
fn link<'a>(after: &'a str, known: &Known) -> Option<(String, &'a str)> {
    let (text, after) = after.split_once("](")?;
    let (address, after) = after.split_once(')')?;
    if text.contains('[') {
        return None;
    }
    // Some of them are pages as well.
    if let Some((name, section)) = crate::pages::of_document(address)
        && text.ends_with(".md")
    {
        return Some((format!("\\fB{}\\fR({section})", literal(name)), after));
    }
    let mut roff = inline(text, known);
    if address.starts_with("http") && address != text {
        roff = format!("{roff} <{}>", literal(address));
    }
    Some((roff, after))
}

/// Anchors of documents.
fn tag(after: &str) -> Option<(String, &str)> {
    let is_anchor = after.starts_with("a ") || after.starts_with("/a>");
    let (_, after) = after.split_once('>').filter(|_| is_anchor)?;
    Some((String::new(), after))
}

/// A backslash before punctuation is Markdown's own.
fn escaped(after: &str) -> Option<(String, &str)> {
    let c = after.chars().next().filter(char::is_ascii_punctuation)?;
    Some((character(c, false), &after[1..]))
}

/// A text to be copied: every character is the one that is on the keyboard.
pub(crate) fn literal(text: &str) -> String {
    text.chars().map(|c| character(c, true)).collect()
}

fn character(c: char, literal: bool) -> String {
    match c {
        '\\' => "\\e".into(),
        '-' if literal => "\\-".into(),
        '\'' if literal => "\\(aq".into(),
        '`' => "\\(ga".into(),
        '^' => "\\(ha".into(),
        '~' => "\\(ti".into(),
        c if c.is_ascii() => c.to_string(),
        c => format!("\\[u{:04X}]", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, words};

    fn roff(text: &str) -> String {
        words(text, &Known::from(["SP_join".to_owned()])).join(" ")
    }

    #[test]
    fn markup_becomes_fonts() {
        for (text, expected) in [
            ("plain, a-b", "plain, a-b"),
            ("`-x 'y'`", r"\fB\-x \(aqy\(aq\fR"),
            ("`SP_join` and `SP_x`", r"\fBSP_join\fR(3) and \fBSP_x\fR"),
            ("a *b c* **d** 2 * 3 * 4", r"a \fIb c\fR \fBd\fR 2 * 3 * 4"),
            (
                "[a `b`](c.md) [d](https://e.f/g-h)",
                r"a \fBb\fR d <https://e.f/g\-h>",
            ),
            ("[NAMES.md](../docs/NAMES.md)", r"\fBspread\-names\fR(7)"),
            ("[names](NAMES.md) [X.md](X.md)", "names X.md"),
            ("a[0] (b)", "a[0] (b)"),
            (r#"<a id="x"></a>`x` <dir>"#, r"\fBx\fR <dir>"),
            (r"\* \\ C:\n", r"* \e C:\en"),
            ("open ` and *open", r"open \(ga and *open"),
            (".start 'word", r"\&.start \&'word"),
            ("~^\u{d7}", r"\(ti\(ha\[u00D7]"),
        ] {
            assert_eq!(roff(text), expected, "{text}");
        }
    }
}
