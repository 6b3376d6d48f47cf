//! Which pages there are, and what is on them.

use std::fs;
use std::path::Path;

use crate::date::date;
use crate::header::{Function, functions};
use crate::inline::Known;
use crate::markdown::{Block, parse};
use crate::roff::Page;

/// Headers that are included by another one.
const INCLUDED_BY_SP_H: [&str; 2] = ["sp_func.h", "sp_events.h"];

/// Documents that are pages as well: file, name and section of the page, summary.
pub(crate) const DOCUMENTS: [(&str, &str, &str, &str); 3] = [
    (
        "docs/GUARANTEES.md",
        "everspread",
        "7",
        "what Everspread guarantees to programs",
    ),
    (
        "docs/OPTIONS.md",
        "spread-options",
        "7",
        "options of Spread sessions",
    ),
    (
        "docs/NAMES.md",
        "spread-names",
        "7",
        "how Spread daemons are named",
    ),
];

/// The name and section of the page that a document is, by the file at the end of its path.
pub(crate) fn of_document(path: &str) -> Option<(&'static str, &'static str)> {
    let file = |path: &str| path.rsplit('/').next().map(str::to_owned);
    DOCUMENTS
        .iter()
        .find(|(document, ..)| file(document) == file(path))
        .map(|(_, name, section, _)| (*name, *section))
}

/// In a page of `man`: the functions of a header, each with its summary.
const FUNCTIONS_OF: &str = "{{functions ";

/// The functions of all headers that the page does not name, each header with a section of its own.
const OTHER_FUNCTIONS: &str = "{{other functions}}";

/// The headline of a comment's part about pointers and callbacks.
const GRANTS: &str = "What the caller grants:";

/// A header with functions.
struct Header {
    file: String,
    functions: Vec<Function>,
}

/// All that the pages are made of.
struct Sources {
    headers: Vec<Header>,
    known: Known,
    date: String,
    version: String,
}

/// Writes `man1`, `man3` and `man7` below `out`.
///
/// # Errors
/// A source cannot be read or understood, or a page not be written; the text says which.
pub(crate) fn write_all(root: &Path, out: &Path) -> Result<(), String> {
    let sources = Sources::read(root)?;
    for header in &sources.headers {
        for function in &header.functions {
            let page = sources.function_page(header, function);
            write(out, &function.name, "3", &page)?;
        }
    }
    for (file, name, section, summary) in DOCUMENTS {
        let path = root.join(file);
        let mut blocks = parse(&read(&path)?);
        // The name of the page stands in place of the document's title.
        blocks.retain(|block| !matches!(block, Block::Heading(1, _)));
        let blocks = with_options_together(blocks);
        let page = sources.document(name, section, summary, &blocks);
        write(out, name, section, &page)?;
    }
    let dir = root.join("man");
    for file in names(&dir)? {
        let Some((name, section)) = page_name(&file) else {
            return Err(format!("man/{file}: the name is not NAME.SECTION.md"));
        };
        let text = read(&dir.join(&file))?;
        let page = sources
            .manual(name, section, &text)
            .map_err(|e| format!("man/{file}: {e}"))?;
        write(out, name, section, &page)?;
    }
    Ok(())
}

impl Sources {
    fn read(root: &Path) -> Result<Self, String> {
        let mut headers = Vec::new();
        let dir = root.join("include");
        for file in names(&dir)? {
            let text = read(&dir.join(&file))?;
            let functions = functions(&text).map_err(|e| format!("include/{file}: {e}"))?;
            headers.push(Header { file, functions });
        }
        let known = headers
            .iter()
            .flat_map(|h| h.functions.iter().map(|f| f.name.clone()))
            .collect();
        Ok(Self {
            headers,
            known,
            date: date()?,
            version: concat!("Everspread ", env!("CARGO_PKG_VERSION")).to_owned(),
        })
    }

    fn page(&self, name: &str, section: &str) -> Page<'_> {
        let manual = match section {
            "1" => "Everspread commands",
            "3" => "Spread client library",
            _ => "Everspread",
        };
        Page::new(
            name,
            section,
            &self.date,
            &self.version,
            manual,
            &self.known,
        )
    }

    fn function_page(&self, header: &Header, function: &Function) -> String {
        let mut page = self.page(&function.name, "3");
        let (summary, _) = summary_and_rest(&function.comment);
        page.name(&function.name, &summary);
        let included = INCLUDED_BY_SP_H.contains(&header.file.as_str());
        let include = if included { "sp.h" } else { &header.file };
        page.synopsis(include, &function.prototype);
        for (title, blocks) in parts(&parse(&function.comment)) {
            page.section(title);
            page.blocks(&blocks);
        }
        let mut also: Vec<(String, String)> = self
            .known
            .iter()
            .filter(|name| **name != function.name && mentions(&function.comment, name))
            .map(|name| (name.clone(), "3".to_owned()))
            .collect();
        also.push(("libspread".to_owned(), "3".to_owned()));
        also.push(("everspread".to_owned(), "7".to_owned()));
        if function.name.contains("_connect") {
            also.push(("spread-names".to_owned(), "7".to_owned()));
        }
        also.push(("spread-options".to_owned(), "7".to_owned()));
        page.see_also(&also);
        page.finish()
    }

    fn document(&self, name: &str, section: &str, summary: &str, blocks: &[Block]) -> String {
        let mut page = self.page(name, section);
        page.name(name, summary);
        if !matches!(blocks.first(), Some(Block::Heading(..))) {
            page.section("description");
        }
        page.blocks(blocks);
        page.finish()
    }

    /// A page of `man`: its first line is `# NAME - SUMMARY`.
    fn manual(&self, name: &str, section: &str, text: &str) -> Result<String, String> {
        let mut blocks = parse(text);
        let title = match blocks.first() {
            Some(Block::Heading(1, title)) => title.clone(),
            _ => return Err("the first line is not a title".to_owned()),
        };
        blocks.remove(0);
        let summary = title
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(" - "))
            .ok_or_else(|| format!("the title is not \"# {name} - SUMMARY\""))?;
        let mut whole = Vec::new();
        for block in blocks {
            match &block {
                Block::Paragraph(text) if text == OTHER_FUNCTIONS => {
                    for header in &self.headers {
                        if !header.functions.is_empty() && !text.contains(header.file.as_str()) {
                            whole.push(Block::Heading(2, format!("Functions of {}", header.file)));
                            whole.push(list_of_functions(header));
                        }
                    }
                }
                Block::Paragraph(text) if text.starts_with(FUNCTIONS_OF) => {
                    whole.push(list_of_functions(self.named_header(text)?));
                }
                _ => whole.push(block),
            }
        }
        Ok(self.document(name, section, summary, &whole))
    }

    /// The header in a line of [`FUNCTIONS_OF`].
    fn named_header(&self, text: &str) -> Result<&Header, String> {
        let file = text[FUNCTIONS_OF.len()..].trim_end_matches('}').trim();
        self.headers
            .iter()
            .find(|header| header.file == file && !header.functions.is_empty())
            .ok_or_else(|| format!("{text}: no such header"))
    }
}

fn list_of_functions(header: &Header) -> Block {
    let items = header.functions.iter().map(|function| {
        let (summary, _) = summary_and_rest(&function.comment);
        vec![Block::Paragraph(format!("`{}`: {summary}", function.name))]
    });
    Block::List {
        ordered: false,
        items: items.collect(),
    }
}

/// Sections whose headings are names in code are put together in one, as they would stand in capitals.
fn with_options_together(blocks: Vec<Block>) -> Vec<Block> {
    let mut together = Vec::new();
    let mut inside = false;
    for block in blocks {
        match block {
            Block::Heading(2, text) if text.starts_with('`') => {
                if !inside {
                    together.push(Block::Heading(2, "Options".to_owned()));
                }
                inside = true;
                together.push(Block::Heading(3, text));
            }
            _ => {
                inside &= !matches!(block, Block::Heading(..));
                together.push(block);
            }
        }
    }
    together
}

/// The first sentence without its full stop, and what follows.
fn summary_and_rest(comment: &str) -> (String, String) {
    let words: Vec<&str> = comment
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let first = words.join(" ");
    let (sentence, rest) = first.split_once(". ").unwrap_or((&first, ""));
    let sentence = sentence.trim_end_matches(['.', ':']);
    // Summaries in a list are no sentences; names keep their case.
    let mut chars = sentence.chars();
    let sentence = match (chars.next(), chars.next()) {
        (Some(c), Some(next)) if c.is_uppercase() && !next.is_uppercase() => {
            c.to_lowercase().chain(sentence.chars().skip(1)).collect()
        }
        _ => sentence.to_owned(),
    };
    (sentence, rest.to_owned())
}

/// A comment under the headings of a manual page: what is said before "Returns" describes, what follows
/// belongs to the return value, unless it is about blocking; then what the caller grants.
fn parts(blocks: &[Block]) -> Vec<(&'static str, Vec<Block>)> {
    let (mut description, mut returns, mut notes, mut grants) = (vec![], vec![], vec![], vec![]);
    let mut current = &mut description;
    for (at, block) in blocks.iter().enumerate() {
        let mut block = block.clone();
        // The first paragraph says what the function is, in whatever words.
        if let (1.., Block::Paragraph(text)) = (at, &mut block) {
            if let Some(rest) = text.strip_prefix(GRANTS) {
                *text = rest.trim().to_owned();
                current = &mut grants;
                if text.is_empty() {
                    continue;
                }
            } else if text.starts_with("Returns ") {
                current = &mut returns;
            } else if ["Blocks", "Does not block", "Never blocks", "Any thread"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                current = &mut notes;
            }
        }
        current.push(block);
    }
    [
        ("description", description),
        ("return value", returns),
        ("notes", notes),
        ("what the caller grants", grants),
    ]
    .into_iter()
    .filter(|(_, blocks)| !blocks.is_empty())
    .collect()
}

/// Whether a text names a function, as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == name)
}

/// `everspread.1.md`
fn page_name(file: &str) -> Option<(&str, &str)> {
    let (name, section) = file.strip_suffix(".md")?.rsplit_once('.')?;
    ["1", "3", "7"]
        .contains(&section)
        .then_some((name, section))
}

fn names(dir: &Path) -> Result<Vec<String>, String> {
    let failed = |e| format!("{}: {e}", dir.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.push(
            entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(out: &Path, name: &str, section: &str, text: &str) -> Result<(), String> {
    let dir = out.join(format!("man{section}"));
    let path = dir.join(format!("{name}.{section}"));
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Block, mentions, parts, summary_and_rest, with_options_together};
    use crate::markdown::parse;

    #[test]
    fn summary_is_the_first_sentence() {
        let summary = |comment| summary_and_rest(comment).0;
        assert_eq!(summary("Joins a\ngroup.\n\nMore."), "joins a group");
        assert_eq!(summary("Tells it: 5. And more."), "tells it: 5");
        assert_eq!(summary("`SP_x` for a scatter."), "`SP_x` for a scatter");
        assert_eq!(summary("FIFO order."), "FIFO order");
        assert_eq!(summary(""), "");
    }

    #[test]
    fn comment_is_divided() {
        let comment = "Does.\n\nReturns 0, or\n\n- 1: no.\n\nAlso 2.\n\nBlocks. Any thread.\n\nWhat the caller grants:\n`x` lives.";
        let titles: Vec<_> = parts(&parse(comment))
            .into_iter()
            .map(|(title, blocks)| (title, blocks.len()))
            .collect();
        assert_eq!(
            titles,
            [
                ("description", 1),
                ("return value", 3),
                ("notes", 1),
                ("what the caller grants", 1)
            ]
        );
    }

    #[test]
    fn options_are_put_together() {
        let titles: Vec<_> =
            with_options_together(parse("text\n## `a`\nx\n## `b`\n## The log\n### c"))
                .into_iter()
                .filter_map(|block| match block {
                    Block::Heading(level, text) => Some((level, text)),
                    _ => None,
                })
                .collect();
        let expected = [
            (2, "Options"),
            (3, "`a`"),
            (3, "`b`"),
            (2, "The log"),
            (3, "c"),
        ];
        assert_eq!(
            titles,
            expected.map(|(level, text)| (level, text.to_owned()))
        );
    }

    #[test]
    fn names_are_whole_words() {
        assert!(mentions("as `SP_join`.", "SP_join"));
        assert!(!mentions("as `SP_join_all`.", "SP_join"));
    }
}
