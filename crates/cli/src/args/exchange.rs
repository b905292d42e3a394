//! The arguments of `serin import` and `serin export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct Import {
    /// CloudFormation templates, Kubernetes resources, JSON of `aws appmesh`, Terraform state or exports; a
    /// directory for all of them in it, - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub sources: Vec<PathBuf>,
    /// Only show the plan
    #[arg(long)]
    pub dry_run: bool,
    /// Take over the rest if something is refused; else nothing is changed then
    #[arg(long)]
    pub skip_refused: bool,
    /// Take over resources whose ARNs would change
    #[arg(long)]
    pub new_arns: bool,
    /// The region that the resources were in [default: the server's]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The account that owned them [default: the server's]
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// A parameter of a CloudFormation template
    #[arg(long = "parameter", value_parser = pair, value_name = "NAME=VALUE")]
    pub parameters: Vec<(String, String)>,
    /// What CloudFormation would have looked up: NAME is a resource, RESOURCE.ATTRIBUTE, or an export
    #[arg(long = "value", value_parser = pair, value_name = "NAME=VALUE")]
    pub values: Vec<(String, String)>,
    /// The name of the CloudFormation stack
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// The mesh of resources that name none
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
    /// The namespace of Kubernetes resources that name none
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub namespace: String,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The form to write
    #[arg(long, default_value = "cli-json")]
    pub format: ExportForm,
    /// Only this mesh
    #[arg(long, value_name = "NAME")]
    pub mesh: Option<String>,
    /// Write here [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// Inputs of `aws appmesh create-*`, with metadata
    CliJson,
    /// A template in JSON
    Cloudformation,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
