//! What `Ref`, `Fn::GetAtt` and `Fn::ImportValue` stand for.

use super::evaluate::{Outcome, Problem, Template};
use super::resource;
use crate::tree::Node;
use crate::typed::shortened;

impl Template<'_> {
    /// A pseudo parameter, a parameter or a resource; none for `AWS::NoValue`.
    pub(super) fn reference(&self, name: &str, line: usize) -> Outcome<Option<Node>> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo_parameter(pseudo, line);
        }
        if let Some(parameter) = self.root.at(&["Parameters", name]) {
            return self.parameter(name, parameter, line).map(Some);
        }
        if let Some(value) = self.world.options.values.get(name) {
            return Ok(Some(Node::text(line, value)));
        }
        let is_app_mesh = self.resource(name).is_some_and(resource::is_app_mesh);
        match self.resource(name) {
            // App Mesh's resources refer to themselves by their ARNs.
            Some(_) if is_app_mesh => self.attribute(name, "Arn", line).map(Some),
            Some(node) => {
                let kind = node.text_at("Type").unwrap_or("resource");
                let reason = format!("the reference of {name}, an {kind}, is not known");
                Err(Problem::new(line, reason).hint(format!("give it with --value {name}=VALUE")))
            }
            None => {
                let reason = format!("{} is neither parameter nor resource", shortened(name));
                Err(Problem::new(line, reason))
            }
        }
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&Node> {
        self.root.at(&["Resources", logical_id])
    }

    fn pseudo_parameter(&self, name: &str, line: usize) -> Outcome<Option<Node>> {
        let options = self.world.options;
        let given = |value: &Option<String>, flag: &str| match value {
            Some(value) => Ok(Some(Node::text(line, value))),
            None => {
                let reason = format!("AWS::{name} is not known");
                Err(Problem::new(line, reason).hint(format!("give it with {flag}")))
            }
        };
        let fixed = |value: &str| Ok(Some(Node::text(line, value)));
        match name {
            "NoValue" => Ok(None),
            "Region" => given(&options.region, "--region"),
            "AccountId" => given(&options.account, "--account"),
            "StackName" => given(&options.stack_name, "--stack-name"),
            "Partition" => fixed("aws"),
            "URLSuffix" => fixed("amazonaws.com"),
            _ => {
                let reason = format!("AWS::{} is not known here", shortened(name));
                Err(Problem::new(line, reason))
            }
        }
    }

    /// What the options give, else the default.
    fn parameter(&self, name: &str, parameter: &Node, line: usize) -> Outcome<Node> {
        let kind = parameter.text_at("Type").unwrap_or("String");
        let given = self.world.options.parameters.get(name).map(String::as_str);
        // The default of such a parameter is the name of what Systems Manager held.
        let looked_up = kind.starts_with("AWS::SSM::");
        let default = || {
            parameter
                .text_at("Default")
                .or_else(|| default_of_null(parameter))
        };
        let value = given.or_else(|| default().filter(|_| !looked_up));
        let Some(value) = value else {
            let reason = match looked_up {
                true => format!("the parameter {name} was looked up in Systems Manager"),
                false => format!("the parameter {name} has no default"),
            };
            let hint = format!("give it with --parameter {name}=VALUE");
            return Err(Problem::new(line, reason).hint(hint));
        };
        let is_list =
            kind == "CommaDelimitedList" || kind.starts_with("List<") || kind.contains("<List<");
        let items: Vec<&str> = match is_list {
            true => value.split(',').map(str::trim).collect(),
            false => vec![value],
        };
        // Of a parameter that is looked up, the name was to be allowed, not what is found there.
        if !looked_up {
            only_allowed(name, parameter, &items, line)?;
        }
        Ok(match is_list {
            true => {
                let items = items.into_iter().map(|item| Node::text(line, item));
                Node::list(line, items.collect())
            }
            false => Node::text(line, value),
        })
    }

    pub(super) fn attribute(&self, name: &str, attribute: &str, line: usize) -> Outcome<Node> {
        let key = format!("{name}.{attribute}");
        if let Some(value) = self.world.options.values.get(&key) {
            return Ok(Node::text(line, value));
        }
        let Some(node) = self.resource(name) else {
            let reason = format!("no resource is called {}", shortened(name));
            return Err(Problem::new(line, reason));
        };
        if resource::is_app_mesh(node)
            && let Some(text) = self.inside(line, || resource::attribute(self, name, attribute))?
        {
            return Ok(Node::text(line, text));
        }
        // What a template says itself about a resource is true of it, as its name.
        if let Some(property) = node.at(&["Properties", attribute])
            && let Some(value) = self.value(property)?
        {
            return Ok(value);
        }
        let kind = node.text_at("Type").unwrap_or("resource");
        let reason = format!(
            "{key}, an attribute of an {kind}, is not known",
            key = shortened(&key)
        );
        Err(Problem::new(line, reason).hint(format!("give it with --value {key}=VALUE")))
    }

    /// An export of one of the templates, or what the options say.
    pub(super) fn import(&self, name: &str, line: usize) -> Outcome<Node> {
        if let Some(value) = self.world.options.values.get(name) {
            return Ok(Node::text(line, value));
        }
        for tree in self.world.trees {
            let template = self.world.template(tree);
            let outputs = tree.root.get("Outputs").map_or(&[][..], Node::members);
            for (_, output) in outputs {
                let (Some(export), Some(value)) =
                    (output.at(&["Export", "Name"]), output.get("Value"))
                else {
                    continue;
                };
                // An export whose name cannot be told is another one.
                if self
                    .inside(line, || template.text(export))
                    .is_ok_and(|found| found == name)
                {
                    let text = template.text(value);
                    // The line of the other template would be a wrong one in this.
                    return text
                        .map(|text| Node::text(line, text))
                        .map_err(|problem| Problem { line, ..problem });
                }
            }
        }
        let reason = format!("nothing that is read exports {}", shortened(name));
        Err(Problem::new(line, reason).hint(format!("give it with --value '{name}=VALUE'")))
    }
}

/// Refuses an item that is none of the parameter's `AllowedValues`, if it has some.
fn only_allowed(name: &str, parameter: &Node, items: &[&str], line: usize) -> Outcome<()> {
    let Some(allowed) = parameter.get("AllowedValues") else {
        return Ok(());
    };
    let allowed = allowed.items().iter();
    let allowed: Vec<&str> = allowed
        .map(|node| node.as_text().unwrap_or_default())
        .collect();
    match items.iter().find(|item| !allowed.contains(item)) {
        Some(item) => {
            let (item, allowed) = (shortened(item), allowed.join(", "));
            let reason = format!("the parameter {name} is `{item}`, allowed are {allowed}");
            Err(Problem::new(line, reason))
        }
        None => Ok(()),
    }
}

/// `Default:` with nothing after it is an empty text in YAML.
fn default_of_null(parameter: &Node) -> Option<&'static str> {
    let mut members = parameter.members().iter();
    members
        .any(|(name, node)| name == "Default" && node.is_null())
        .then_some("")
}
