//! The intrinsic functions that make a value of other values.

use super::evaluate::{Outcome, Problem, Template};
use super::substitute;
use crate::tree::{Node, Value};
use crate::typed;

/// The function that a map calls, if it does: its name and its argument.
pub(super) fn call(members: &[(String, Node)]) -> Option<(&str, &Node)> {
    match members {
        [(name, argument)] if name == "Ref" || name.starts_with("Fn::") => Some((name, argument)),
        _ => None,
    }
}

pub(super) fn evaluate(
    template: &Template<'_>,
    name: &str,
    argument: &Node,
    line: usize,
) -> Outcome<Option<Node>> {
    let function = Function {
        template,
        name,
        argument,
        line,
    };
    let text = |text: Outcome<String>| text.map(|text| Some(Node::text(line, text)));
    match name {
        "Ref" => template.reference(&template.text(argument)?, line),
        "Fn::GetAtt" => function.attribute().map(Some),
        "Fn::Sub" => text(substitute::evaluate(template, argument, line)),
        "Fn::Join" => text(function.join()),
        "Fn::If" => function.choose(),
        "Fn::Select" => function.select().map(Some),
        "Fn::Split" => function.split().map(Some),
        "Fn::FindInMap" => function.find_in_map(),
        "Fn::ImportValue" => template.import(&template.text(argument)?, line).map(Some),
        "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => function.refuse("belongs in Conditions"),
        _ => function.refuse("is not evaluated here: write its value into the template"),
    }
}

struct Function<'a> {
    template: &'a Template<'a>,
    name: &'a str,
    argument: &'a Node,
    line: usize,
}

impl<'a> Function<'a> {
    fn refuse<T>(&self, reason: &str) -> Outcome<T> {
        let name = typed::shortened(self.name);
        Err(Problem::new(self.line, format!("{name} {reason}")))
    }

    fn arguments<const N: usize>(&self) -> Outcome<&'a [Node; N]> {
        let arguments = self.argument.items();
        arguments
            .try_into()
            .or_else(|_| self.refuse(&format!("takes a list of {N}")))
    }

    /// A list, which may be made by a function.
    fn list(&self, node: &Node) -> Outcome<Vec<Node>> {
        match self.template.value(node)? {
            Some(Node {
                value: Value::List(items),
                ..
            }) => Ok(items),
            _ => self.refuse("takes a list here"),
        }
    }

    /// `[A, B]`, or `A.B` as the short form has it.
    fn attribute(&self) -> Outcome<Node> {
        let (resource, attribute) = match self.argument.items() {
            [resource, attribute] => (
                self.template.text(resource)?,
                self.template.text(attribute)?,
            ),
            _ => match self
                .argument
                .as_text()
                .and_then(|text| text.split_once('.'))
            {
                Some((resource, attribute)) => (resource.to_owned(), attribute.to_owned()),
                None => return self.refuse("takes a resource and an attribute"),
            },
        };
        self.template.attribute(&resource, &attribute, self.line)
    }

    fn join(&self) -> Outcome<String> {
        let [delimiter, items] = self.arguments()?;
        let delimiter = self.template.text(delimiter)?;
        let mut joined = String::new();
        for (index, item) in self.list(items)?.iter().enumerate() {
            let Some(text) = item.as_text() else {
                return self.refuse("joins texts only");
            };
            if index > 0 {
                joined += &delimiter;
            }
            joined += text;
            joined = self.template.bounded(joined, self.line)?;
        }
        Ok(joined)
    }

    fn choose(&self) -> Outcome<Option<Node>> {
        let [condition, yes, no] = self.arguments()?;
        let Some(condition) = condition.as_text() else {
            return self.refuse("takes the name of a condition");
        };
        match self.template.condition(condition, self.line)? {
            true => self.template.value(yes),
            false => self.template.value(no),
        }
    }

    fn select(&self) -> Outcome<Node> {
        let [index, items] = self.arguments()?;
        let index: Option<usize> = self.template.text(index)?.parse().ok();
        let items = self.list(items)?;
        let selected = index.and_then(|index| items.into_iter().nth(index));
        selected.map_or_else(|| self.refuse("selects what its list does not have"), Ok)
    }

    fn split(&self) -> Outcome<Node> {
        let [delimiter, text] = self.arguments()?;
        let (delimiter, text) = (self.template.text(delimiter)?, self.template.text(text)?);
        if delimiter.is_empty() {
            return self.refuse("needs a delimiter");
        }
        let parts = text.split(&*delimiter);
        let parts = parts.map(|part| Node::text(self.line, part)).collect();
        Ok(Node::list(self.line, parts))
    }

    fn find_in_map(&self) -> Outcome<Option<Node>> {
        let ([map, first, second], default) = match self.argument.items() {
            [map, first, second] => ([map, first, second], None),
            [map, first, second, rest] => ([map, first, second], rest.get("DefaultValue")),
            _ => return self.refuse("takes a map and two keys"),
        };
        let template = self.template;
        let path = [
            "Mappings",
            &template.text(map)?,
            &template.text(first)?,
            &template.text(second)?,
        ];
        match template.root.at(&path).or(default) {
            Some(found) => template.value(found),
            None => {
                let path = typed::shortened(&path[1..].join("."));
                self.refuse(&format!("finds no {path} in Mappings"))
            }
        }
    }
}
