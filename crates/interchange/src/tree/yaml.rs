//! YAML documents, with line numbers.
//!
//! CloudFormation's short tags become their long forms (`!Ref X` is `{"Ref": "X"}`, `!Sub` is `Fn::Sub`),
//! so that templates in YAML and JSON are the same trees. Aliases are copied and counted, merge keys (`<<`)
//! are merged.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput, Tag};

use super::{DEEPEST, MOST_COPIES, Malformed, Node, Scalar, Value};

pub(crate) fn parse(text: &str) -> (Vec<Node>, Vec<Malformed>) {
    match stream(text, 0) {
        Ok(documents) => (documents, Vec::new()),
        Err(_) => one_by_one(text),
    }
}

/// The documents of a text in which some are malformed.
fn one_by_one(text: &str) -> (Vec<Node>, Vec<Malformed>) {
    let (mut documents, mut malformed) = (Vec::new(), Vec::new());
    let mut add = |part: &str, lines_before: usize| match stream(part, lines_before) {
        Ok(found) => documents.extend(found),
        Err(error) => malformed.push(error),
    };
    let (mut start, mut first_line, mut position) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            add(&text[start..position], first_line);
            (start, first_line) = (position, number);
        }
        position += line.len();
    }
    add(&text[start..], first_line);
    (documents, malformed)
}

fn stream(text: &str, lines_before: usize) -> Result<Vec<Node>, Malformed> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(text, options),
        lines_before,
        anchors: HashMap::new(),
        nodes: 0,
        copies: 0,
    };
    let mut documents = Vec::new();
    while let Some((event, line)) = builder.next()? {
        match event {
            Event::DocumentStart(..) => builder.anchors.clear(),
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            event => documents.push(builder.node(event, line, 0)?),
        }
    }
    Ok(documents)
}

struct Builder<'a> {
    events: Parser<'a, StrInput<'a>>,
    lines_before: usize,
    /// Finished nodes by their anchors, each with its number of nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    copies: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, Malformed> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.lines_before + span.start.line()))),
            Some(Err(error)) => Err(Malformed {
                line: self.lines_before + error.marker().line(),
                reason: format!("is no YAML: {}", error.info()),
            }),
        }
    }

    /// The next event inside a list or a map, which the parser ends before the text ends.
    fn inside(&mut self, line: usize) -> Result<(Event<'a>, usize), Malformed> {
        self.next()?.ok_or_else(|| Malformed {
            line,
            reason: "is not ended".to_owned(),
        })
    }

    fn count_copies(&mut self, nodes: usize, line: usize) -> Result<(), Malformed> {
        self.copies += nodes;
        if self.copies > MOST_COPIES {
            let reason = format!("has aliases for more than {MOST_COPIES} values");
            return Err(Malformed { line, reason });
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, Malformed> {
        if depth > DEEPEST {
            let reason = format!("is nested deeper than {DEEPEST} levels");
            return Err(Malformed { line, reason });
        }
        let before = self.nodes;
        self.nodes += 1;
        let (value, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line, depth),
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref()), anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (self.list(line, depth)?, anchor, tag),
            Event::MappingStart(_, anchor, tag) => (self.map(line, depth)?, anchor, tag),
            _ => {
                let reason = "stands where a value is missing".to_owned();
                return Err(Malformed { line, reason });
            }
        };
        let node = long_form(tag.as_deref(), Node { line, value });
        if anchor != 0 {
            let size = self.nodes - before;
            self.count_copies(size, line)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// A copy of the anchored node; it keeps its own lines, where its text stands.
    fn alias(&mut self, anchor: usize, line: usize, depth: usize) -> Result<Node, Malformed> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let reason = "is an alias inside what it names".to_owned();
            return Err(Malformed { line, reason });
        };
        let (node, size) = (node.clone(), *size);
        self.count_copies(size, line)?;
        self.nodes += size;
        if depth + levels(&node) > DEEPEST {
            let reason = format!("is nested deeper than {DEEPEST} levels");
            return Err(Malformed { line, reason });
        }
        Ok(node)
    }

    fn list(&mut self, line: usize, depth: usize) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.inside(line)?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, line: usize, depth: usize) -> Result<Value, Malformed> {
        let mut members = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.inside(line)?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, at, depth + 1)?;
            let Some(name) = key.as_text() else {
                let reason = "a name in a map is no text".to_owned();
                return Err(Malformed { line: at, reason });
            };
            let (event, at) = self.inside(line)?;
            let node = self.node(event, at, depth + 1)?;
            match (name, node.value) {
                ("<<", Value::Map(others)) => merged.extend(others),
                ("<<", Value::List(maps)) => {
                    merged.extend(maps.iter().flat_map(Node::members).cloned());
                }
                (name, value) => members.push((
                    name.to_owned(),
                    Node {
                        line: at.max(1),
                        value,
                    },
                )),
            }
        }
        for (name, node) in merged {
            if members.iter().all(|(present, _)| *present != name) {
                members.push((name, node));
            }
        }
        Ok(Value::Map(members))
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let core = tag.and_then(Tag::core_suffix);
    let quoted = match core {
        Some("str") => true,
        Some(_) => false,
        // What a function takes is text: a short tag never makes a number.
        None => style != ScalarStyle::Plain || tag.is_some(),
    };
    let is_null = core == Some("null") || matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if !quoted && is_null {
        return Value::Null;
    }
    let text = text.to_owned();
    Value::Scalar(Scalar { text, quoted })
}

/// `!Ref X` as `{"Ref": "X"}`.
fn long_form(tag: Option<&Tag>, node: Node) -> Node {
    let name = match tag {
        Some(tag) if tag.core_suffix().is_none() && tag.handle() == "!" => tag.suffix(),
        _ => return node,
    };
    let name = match name {
        "" => return node,
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    Node::map(node.line, vec![(name, node)])
}

fn levels(node: &Node) -> usize {
    let inner = match &node.value {
        Value::List(items) => items.iter().map(levels).max(),
        Value::Map(members) => members.iter().map(|(_, node)| levels(node)).max(),
        _ => None,
    };
    1 + inner.unwrap_or(0)
}
