//! As much of HCL as tells which variables are secret, and what they are set to: blocks, attributes, and the literals in
//! an attribute's expression. What it doesn't understand it passes over.

use std::iter::Peekable;
use std::str::Chars;

/// Blocks within blocks that are looked into; what is deeper is passed over.
const DEEPEST: usize = 16;

/// What stands between braces, or in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// In order.
    pub attributes: Vec<Attribute>,
    /// In order.
    pub blocks: Vec<Block>,
}

/// `name = expression`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// The texts in its expression, without quotes and escapes.
    pub texts: Vec<String>,
    /// The bare words and numbers in it: `true`, `4711`, `var`.
    pub words: Vec<String>,
}

/// `variable "name" { … }`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The words before the brace, without quotes.
    pub head: Vec<String>,
    /// What is in it.
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
    Line,
}

/// Reads a file.
#[must_use]
pub fn read(text: &str) -> Body {
    let tokens = tokens(text);
    body(&mut tokens.into_iter().peekable(), 0)
}

fn body(tokens: &mut Peekable<impl Iterator<Item = Token>>, depth: usize) -> Body {
    let mut found = Body::default();
    let mut head = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) | Token::Text(word) => head.push(word),
            Token::Sign('=') if head.len() == 1 => {
                found.attributes.push(attribute(head.pop().unwrap_or_default(), tokens));
            }
            Token::Sign('{') if depth < DEEPEST => {
                let body = body(tokens, depth + 1);
                found.blocks.push(Block { head: std::mem::take(&mut head), body });
            }
            Token::Sign('}') => break,
            Token::Sign(_) | Token::Line => head.clear(),
        }
    }
    found
}

/// Up to the end of the line, or of what is open there.
fn attribute(name: String, tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Attribute {
    let mut found = Attribute { name, ..Attribute::default() };
    let mut open = 0_usize;
    while let Some(token) = tokens.peek() {
        match token {
            Token::Line if open == 0 => break,
            Token::Sign('}' | ']' | ')') if open == 0 => break,
            Token::Sign('{' | '[' | '(') => open += 1,
            Token::Sign('}' | ']' | ')') => open -= 1,
            Token::Text(text) => found.texts.push(text.clone()),
            Token::Word(word) => found.words.push(word.clone()),
            Token::Sign(_) | Token::Line => {}
        }
        tokens.next();
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => found.push(Token::Line),
            '#' => pass_line(&mut chars),
            '/' if chars.peek() == Some(&'/') => pass_line(&mut chars),
            '/' if chars.peek() == Some(&'*') => pass_comment(&mut chars),
            '"' => found.push(Token::Text(quoted(&mut chars))),
            '<' if chars.peek() == Some(&'<') => {
                chars.next();
                if let Some(text) = heredoc(&mut chars) {
                    found.extend([Token::Text(text), Token::Line]);
                }
            }
            c if of_word(c) => {
                let mut word = String::from(c);
                // A number may have a point.
                while let Some(c) = chars.next_if(|c| of_word(*c) || *c == '.' || *c == '-') {
                    word.push(c);
                }
                found.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => found.push(Token::Sign(c)),
        }
    }
    found
}

fn of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn pass_line(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| *c != '\n').is_some() {}
}

fn pass_comment(chars: &mut Peekable<Chars<'_>>) {
    let mut before = ' ';
    for c in chars.by_ref().skip(1) {
        if before == '*' && c == '/' {
            break;
        }
        before = c;
    }
}

/// A text up to its closing quote. What stands in `${…}` is kept as it is written.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    let mut within = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '"' if within == 0 => break,
            '"' => {
                // A text in a template; its quotes aren't ours.
                while let Some(c) = chars.next_if(|c| *c != '"') {
                    text.push(c);
                    if c == '\\'
                        && let Some(c) = chars.next()
                    {
                        text.push(c);
                    }
                }
                chars.next();
            }
            '\\' => text.extend(escaped(chars)),
            '$' | '%' if chars.peek() == Some(&c) => {
                // `$${` is `${` that begins no template.
                chars.next();
                text.push(c);
                if chars.next_if_eq(&'{').is_some() {
                    text.push('{');
                } else {
                    text.push(c);
                }
            }
            '$' | '%' if chars.peek() == Some(&'{') => {
                chars.next();
                text.extend([c, '{']);
                within += 1;
            }
            '{' if within > 0 => {
                text.push(c);
                within += 1;
            }
            '}' if within > 0 => {
                text.push(c);
                within -= 1;
            }
            c => text.push(c),
        }
    }
    text
}

fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => code(chars, 4),
        'U' => code(chars, 8),
        other => Some(other),
    }
}

fn code(chars: &mut Peekable<Chars<'_>>, digits: usize) -> Option<char> {
    let code: String = chars.by_ref().take(digits).collect();
    u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)
}

/// `<<EOT` or `<<-EOT` up to the line that ends it.
fn heredoc(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut line = || {
        let mut line = String::new();
        let mut any = false;
        for c in chars.by_ref() {
            any = true;
            if c == '\n' {
                break;
            }
            line.push(c);
        }
        any.then_some(line)
    };
    let end = line()?.trim_start_matches('-').trim().to_owned();
    let mut text = Vec::new();
    while let Some(line) = line() {
        if line.trim() == end {
            break;
        }
        text.push(line);
    }
    Some(text.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_what_they_are_set_to_are_found() {
        let text = r#"
# variable "not" { sensitive = true }
/* nor "this */ locals { a = "${var.b["x"]} {" } // "
variable "one" {}
variable "key" {
  type = object({ a = string })
  sensitive   =   true
  default = { a = "hun\"ter\u0032$${x}", "b" = [4711, <<-EOT
    first
    second
  EOT
  ] }
  validation {
    condition = length(var.key.a) > 3 && true
    error_message = "too short: ${nonsensitive("a")}"
  }
}
"#;
        let read = read(text);
        let heads: Vec<_> = read.blocks.iter().map(|block| block.head.join(" ")).collect();
        assert_eq!(heads, ["locals", "variable one", "variable key"]);
        let key = &read.blocks[2].body;
        let names: Vec<_> = key.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(names, ["type", "sensitive", "default"]);
        assert_eq!(key.attributes[1].words, ["true"]);
        assert_eq!(key.attributes[2].texts, ["hun\"ter2${x}", "b", "    first\n    second"]);
        assert_eq!(key.attributes[2].words, ["a", "4711"]);
        assert_eq!(key.blocks[0].head, ["validation"]);
    }

    #[test]
    fn a_file_of_values_is_read_and_a_broken_one_ends() {
        let read = read("a = \"x\"\nb={c=\"y\"}\nd = [\n \"z\" ]\ne = -7.5\n");
        let texts: Vec<_> = read.attributes.iter().map(|one| (one.name.as_str(), one.texts.join(","))).collect();
        assert_eq!(texts, [("a", "x".into()), ("b", "y".into()), ("d", "z".into()), ("e", String::new())]);
        assert_eq!(read.attributes[3].words, ["7.5"]);
        for broken in ["a = \"", "a = <<EOT\nx", "a = {", "/*", "}}}", "a { b { \"${\"", "\\", "a = \"\\u00\""] {
            drop(super::read(broken));
        }
        drop(super::read(&"a {\n".repeat(100_000)));
        drop(super::read(&"a = {".repeat(100_000)));
    }
}
