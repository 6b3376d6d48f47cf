//! Reads a generated header: each function, with its comment.

/// A function that a header declares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Its declaration, with single blanks and without the semicolon.
    pub(crate) prototype: String,
    /// Its comment, as Markdown.
    pub(crate) comment: String,
}

/// The functions of a header, in its order. Types, macros and hand-written text are passed over.
///
/// # Errors
/// A function has no comment in the form `/** ... */`, or the text ends within one.
pub(crate) fn functions(text: &str) -> Result<Vec<Function>, String> {
    let mut functions = Vec::new();
    let mut comment: Option<String> = None;
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(functions);
        }
        if let Some(after) = rest.strip_prefix("/*") {
            let (inside, after) = after.split_once("*/").ok_or("a comment has no end")?;
            comment = inside.strip_prefix('*').map(comment_text);
            rest = after;
        } else if rest.starts_with('#') || rest.starts_with("extern \"C\"") || rest.starts_with('}')
        {
            // A directive, or the lines that only C++ sees.
            rest = after_logical_line(rest);
            comment = None;
        } else {
            let (statement, after) = statement(rest)?;
            let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(name) = function_name(&statement) {
                let comment = comment
                    .take()
                    .ok_or_else(|| format!("{name} has no comment"))?;
                functions.push(Function {
                    name: name.to_owned(),
                    prototype: statement,
                    comment,
                });
            }
            comment = None;
            rest = after;
        }
    }
}

/// Without the stars at the left.
fn comment_text(inside: &str) -> String {
    let lines: Vec<&str> = inside
        .lines()
        .map(|line| {
            let line = line.trim();
            let line = line.strip_prefix('*').unwrap_or(line);
            line.strip_prefix(' ').unwrap_or(line)
        })
        .collect();
    lines.join("\n").trim().to_owned()
}

/// What follows a line, and the lines that a backslash joins to it.
fn after_logical_line(text: &str) -> &str {
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if !line.ends_with('\\') {
            return after;
        }
        rest = after;
    }
}

/// Up to the next semicolon outside of braces.
fn statement(text: &str) -> Result<(&str, &str), String> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return Ok((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    let line = text.lines().next().unwrap_or_default();
    Err(format!("a declaration has no end: {line}"))
}

/// `int SP_join(mailbox mbox, ...)` declares `SP_join`; a structure or a type declares none.
fn function_name(statement: &str) -> Option<&str> {
    if statement.starts_with("typedef ") || statement.contains('{') {
        return None;
    }
    let (before, _) = statement.split_once('(')?;
    let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let name = &before[start + 1..];
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn functions_are_found_among_all_else() {
        let text = "\
/* A header. */
#ifndef X
#define X
#define LONG(a) \\
    f(a);
#ifdef __cplusplus
extern \"C\" {
#endif
/** A type. */
typedef struct s { int a; int (*f)(int); } t;
typedef int (*callback)(int);
struct open { int a; };

/**
 * Does a thing.
 *
 * - first
 *   more
 */
int F_do(int a,
         int (*f)(int, void*));

/** Tells. */
const char *F_tell(void);
#ifdef __cplusplus
}
#endif
#endif /* X */
";
        let found = functions(text).unwrap();
        let names: Vec<_> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["F_do", "F_tell"]);
        assert_eq!(found[0].comment, "Does a thing.\n\n- first\n  more");
        assert_eq!(found[0].prototype, "int F_do(int a, int (*f)(int, void*))");
        assert_eq!(found[1].comment, "Tells.");
    }

    #[test]
    fn function_without_a_comment_is_an_error() {
        let wrong = functions("/** Of the type. */\ntypedef int t;\nint F_do(void);\n");
        assert_eq!(wrong, Err("F_do has no comment".to_owned()));
        assert!(functions("/* plain */\nint F_do(void);\n").is_err());
        assert!(functions("/** never ends").is_err());
        assert!(functions("int x").is_err());
    }
}
