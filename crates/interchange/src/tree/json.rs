//! JSON (RFC 8259), one value after the other, with line numbers.

use super::{DEEPEST, Malformed, Node, Scalar, Value};

pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Malformed> {
    let mut parser = Parser {
        rest: text,
        line: 1,
    };
    let mut documents = Vec::new();
    while parser.peek().is_some() {
        documents.push(parser.value(0)?);
    }
    Ok(documents)
}

struct Parser<'a> {
    rest: &'a str,
    line: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, reason: impl Into<String>) -> Result<T, Malformed> {
        Err(Malformed {
            line: self.line,
            reason: reason.into(),
        })
    }

    fn take(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        self.line += usize::from(character == '\n');
        Some(character)
    }

    /// The next character after white space.
    fn peek(&mut self) -> Option<char> {
        while let Some(character) = self.rest.chars().next() {
            if !matches!(character, ' ' | '\t' | '\n' | '\r') {
                return Some(character);
            }
            self.take();
        }
        None
    }

    /// Takes the next character after white space if it is this one.
    fn skip(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.take();
        }
        there
    }

    fn expect(&mut self, wanted: char) -> Result<(), Malformed> {
        if self.skip(wanted) {
            return Ok(());
        }
        match self.peek() {
            Some(found) => self.fail(format!("`{wanted}` is missing before `{found}`")),
            None => self.fail(format!("the text ends where `{wanted}` is missing")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Malformed> {
        if depth > DEEPEST {
            return self.fail(format!("is nested deeper than {DEEPEST} levels"));
        }
        let first = self.peek();
        let line = self.line;
        let value = match first {
            Some('{') => Value::Map(self.members(depth)?),
            Some('[') => Value::List(self.items(depth)?),
            Some('"') => Value::Scalar(Scalar {
                text: self.string()?,
                quoted: true,
            }),
            Some(_) => self.word()?,
            None => return self.fail("the text ends where a value is missing"),
        };
        Ok(Node { line, value })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<(String, Node)>, Malformed> {
        self.expect('{')?;
        let mut members = Vec::new();
        if self.skip('}') {
            return Ok(members);
        }
        loop {
            if self.peek() != Some('"') {
                return self.fail("a name in quotes is missing");
            }
            let name = self.string()?;
            self.expect(':')?;
            members.push((name, self.value(depth + 1)?));
            if !self.skip(',') {
                self.expect('}')?;
                return Ok(members);
            }
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Malformed> {
        self.expect('[')?;
        let mut items = Vec::new();
        if self.skip(']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.skip(',') {
                self.expect(']')?;
                return Ok(items);
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value, Malformed> {
        let ends =
            |character: char| !(character.is_ascii_alphanumeric() || "+-.".contains(character));
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        let is_number =
            || word.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        let value = match word {
            "null" => Value::Null,
            "true" | "false" => Value::Scalar(Scalar {
                text: word.to_owned(),
                quoted: false,
            }),
            _ if is_number() && word.parse::<f64>().is_ok() => Value::Scalar(Scalar {
                text: word.to_owned(),
                quoted: false,
            }),
            _ => return self.fail("is no JSON value"),
        };
        self.rest = rest;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.take();
        let mut text = String::new();
        loop {
            match self.take() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some(character) if character < ' ' => {
                    return self.fail("a control character stands in a string");
                }
                Some(character) => text.push(character),
                None => return self.fail("the text ends inside a string"),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Malformed> {
        Ok(match self.take() {
            Some(character @ ('"' | '\\' | '/')) => character,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.code_point(),
            _ => return self.fail("`\\` is followed by no escape of JSON"),
        })
    }

    fn code_point(&mut self) -> Result<char, Malformed> {
        let first = self.code_unit()?;
        let point = match first {
            0xD800..0xDC00 if self.rest.starts_with("\\u") => {
                self.rest = &self.rest[2..];
                let second = self.code_unit()?;
                match second {
                    0xDC00..0xE000 => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(point).map_or_else(|| self.fail("`\\u` names half a character"), Ok)
    }

    fn code_unit(&mut self) -> Result<u32, Malformed> {
        let unit = self.rest.split_at_checked(4).and_then(|(digits, rest)| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let unit = u32::from_str_radix(digits, 16)
                .ok()
                .filter(|_| all_digits)?;
            self.rest = rest;
            Some(unit)
        });
        unit.map_or_else(|| self.fail("`\\u` needs four hexadecimal digits"), Ok)
    }
}
