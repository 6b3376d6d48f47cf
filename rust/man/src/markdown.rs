//! Reads the Markdown that comments and documents are written in: headings, paragraphs, lists, tables,
//! code. What is inside of a line is left to [`inline`](crate::inline).

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// `## Text`, with its level.
    Heading(usize, String),
    /// Lines of text, joined.
    Paragraph(String),
    /// `- item` or `1. item`.
    List {
        /// Numbered.
        ordered: bool,
        /// Each has blocks of its own.
        items: Vec<Vec<Self>>,
    },
    /// Between fences.
    Code(Vec<String>),
    /// With its head.
    Table {
        /// The names of the columns, some of them empty.
        head: Vec<String>,
        /// As many cells in each.
        rows: Vec<Vec<String>>,
    },
}

/// The blocks of a text.
pub(crate) fn parse(text: &str) -> Vec<Block> {
    let text = without_comments(text);
    let lines: Vec<&str> = text.lines().collect();
    parse_lines(&lines)
}

/// `<!-- ... -->` is for whoever reads the source.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

fn parse_lines(lines: &[&str]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let rest = &lines[at..];
        let (block, used) = if line.trim().is_empty() {
            (None, 1)
        } else if let Some(heading) = heading(line) {
            (Some(heading), 1)
        } else if line.starts_with("```") {
            code(rest)
        } else if line.starts_with('|') {
            table(rest)
        } else if marker(line).is_some() {
            list(rest)
        } else {
            paragraph(rest)
        };
        blocks.extend(block);
        at += used;
    }
    blocks
}

fn heading(line: &str) -> Option<Block> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (level > 0 && text.starts_with(' ')).then(|| Block::Heading(level, text.trim().to_owned()))
}

fn code(lines: &[&str]) -> (Option<Block>, usize) {
    let inside: Vec<String> = lines[1..]
        .iter()
        .take_while(|line| !line.starts_with("```"))
        .map(|line| (*line).to_owned())
        .collect();
    let used = (inside.len() + 2).min(lines.len());
    (Some(Block::Code(inside)), used)
}

fn table(lines: &[&str]) -> (Option<Block>, usize) {
    let used = lines.iter().take_while(|l| l.starts_with('|')).count();
    let head = cells(lines[0]);
    let rows = lines[1..used]
        .iter()
        .filter(|line| !line.chars().all(|c| "|-: ".contains(c)))
        .map(|line| {
            let mut row = cells(line);
            row.resize(head.len(), String::new());
            row
        })
        .collect();
    (Some(Block::Table { head, rows }), used)
}

/// The cells of a row. A bar in code, or behind a backslash, ends none.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|');
    let line = line.strip_suffix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let (mut in_code, mut escaped) = (false, false);
    for c in line.chars() {
        let cell = cells.last_mut().expect("there is always one");
        match c {
            '|' if escaped => {
                cell.pop();
                cell.push('|');
            }
            '|' if !in_code => cells.push(String::new()),
            _ => {
                in_code ^= c == '`';
                cell.push(c);
            }
        }
        escaped = c == '\\';
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// `- ` or `12. ` at the start: how wide, and whether it is a number.
fn marker(line: &str) -> Option<(usize, bool)> {
    if line.starts_with("- ") || line.starts_with("* ") {
        return Some((2, false));
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    (digits > 0 && line[digits..].starts_with(". ")).then_some((digits + 2, true))
}

fn list(lines: &[&str]) -> (Option<Block>, usize) {
    let ordered = marker(lines[0]).is_some_and(|(_, ordered)| ordered);
    let mut items = Vec::new();
    let mut at = 0;
    while let Some((width, _)) = lines
        .get(at)
        .and_then(|line| marker(line))
        .filter(|(_, numbered)| *numbered == ordered)
    {
        let mut item = vec![&lines[at][width..]];
        at += 1;
        // What is indented belongs to the item, also behind an empty line.
        while let Some(line) = lines.get(at) {
            if let Some(inside) = line.strip_prefix("  ") {
                let indent = inside.len() - inside.trim_start().len();
                item.push(&inside[indent.min(width - 2)..]);
            } else if line.trim().is_empty()
                && lines.get(at + 1).is_some_and(|next| next.starts_with("  "))
            {
                item.push("");
            } else {
                break;
            }
            at += 1;
        }
        items.push(parse_lines(&item));
        // An empty line between two items.
        if lines.get(at).is_some_and(|line| line.trim().is_empty())
            && lines.get(at + 1).is_some_and(|line| marker(line).is_some())
        {
            at += 1;
        }
    }
    (Some(Block::List { ordered, items }), at)
}

fn paragraph(lines: &[&str]) -> (Option<Block>, usize) {
    let used = 1 + lines[1..]
        .iter()
        .take_while(|line| {
            !line.trim().is_empty()
                && !line.starts_with('|')
                && !line.starts_with("```")
                && heading(line).is_none()
                && marker(line).is_none()
        })
        .count();
    let words: Vec<&str> = lines[..used]
        .iter()
        .flat_map(|l| l.split_whitespace())
        .collect();
    (Some(Block::Paragraph(words.join(" "))), used)
}

#[cfg(test)]
mod tests {
    use super::Block::{Code, Heading, List, Paragraph, Table};
    use super::{Block, parse};

    fn p(text: &str) -> Block {
        Paragraph(text.to_owned())
    }

    #[test]
    fn blocks_are_told_apart() {
        let text = "# Title\n<!-- not\nthis -->\nA line\nand more.\n- one\n  two\n\n  apart\n- three\n\n1. first\n2. second\n\n```c\nint a;\n\n  b;\n```\n| a | b |\n| --- | --- |\n| 1 | `x|y` \\| z |\n| 2 |\n";
        assert_eq!(
            parse(text),
            [
                Heading(1, "Title".into()),
                p("A line and more."),
                List {
                    ordered: false,
                    items: vec![vec![p("one two"), p("apart")], vec![p("three")]],
                },
                List {
                    ordered: true,
                    items: vec![vec![p("first")], vec![p("second")]],
                },
                Code(vec!["int a;".into(), String::new(), "  b;".into()]),
                Table {
                    head: vec!["a".into(), "b".into()],
                    rows: vec![
                        vec!["1".into(), "`x|y` | z".into()],
                        vec!["2".into(), String::new()],
                    ],
                },
            ]
        );
    }

    #[test]
    fn what_has_no_end_ends_with_the_text() {
        assert_eq!(parse("```\ncode"), [Code(vec!["code".into()])]);
        assert_eq!(parse("text <!-- open"), [p("text")]);
        assert_eq!(
            parse("| a"),
            [Table {
                head: vec!["a".into()],
                rows: vec![]
            }]
        );
    }

    #[test]
    fn lists_lie_in_lists() {
        let inner = List {
            ordered: false,
            items: vec![vec![p("in")], vec![p("in 2")]],
        };
        assert_eq!(
            parse("- out\n  - in\n  - in 2\n- out 2"),
            [List {
                ordered: false,
                items: vec![vec![p("out"), inner], vec![p("out 2")]],
            }]
        );
    }
}
