//! The command line, as clap reads it; what each command does is under `commands`.

mod ceilings;
mod exchange;
mod proxy;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::Share;
use release::manifest::TextDuration;

use crate::commands::plan::{Percentage, Times};
use crate::exit::Exit;

pub use ceilings::Ceilings;
pub use exchange::{Export, ExportForm, Import};
pub use proxy::{PortPair, Proxy};

/// A service mesh whose releases decide for themselves.
#[derive(Debug, Parser)]
#[command(name = "serin", version, after_long_help = epilogue())]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What help says after the options.
fn epilogue() -> String {
    let variables = "\
Environment:
  SERIN_SERVER  as --server
  SERIN_CONFIG  as --config of `up` and `serve`
  SERIN_API     as --api of `up` and `serve`
  SERIN_TOKEN   the token of a server that --server names
  SERIN_NODE    as --node of `proxy`; App Mesh's APPMESH_RESOURCE_ARN and APPMESH_VIRTUAL_NODE_NAME too
  SERIN_LOG     what the server logs, as `debug` or `proxy=trace,info` [default: info]
  NO_COLOR      no colours";
    format!("{variables}\n\nExit codes:\n{}", Exit::table())
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The server's address, as `http://127.0.0.1:4000` [default: the one that runs here]
    #[arg(long, global = true, env = "SERIN_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// Where the server of this directory keeps its state
    #[arg(long, global = true, default_value = ".serin", value_name = "DIR")]
    pub state: PathBuf,
    /// Output for people, or for programs
    #[arg(
        short,
        long,
        global = true,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub output: Format,
    /// Say nothing but what was asked for, and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colours; NO_COLOR is heeded too
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Release an example as a canary, from source to 100 %, on this machine
    Demo(Demo),
    /// Run the mesh of a manifest: server, proxies and services, in the foreground
    Up(Up),
    /// Serve the App Mesh API alone, without services, in the foreground
    Serve(Serve),
    /// Run the proxy of one virtual node or virtual gateway, beside its application
    Proxy(Proxy),
    /// Release a new version of a service, and follow it
    Release(Release),
    /// Tell what a release would take: how soon a worse version is found, and what it costs
    Plan(Plan),
    /// Follow a release to its end
    Follow(Target),
    /// Show services, versions and releases
    Status(Status),
    /// Set the canary's share, and stay there
    Set(Set),
    /// Stay at the present share; the judge may still roll back
    Hold(Steer),
    /// Let the policy move the share again
    Resume(Steer),
    /// End a release now: the new version gets everything
    Promote(Steer),
    /// End a release now: the old version gets everything again
    Rollback(Steer),
    /// Tell why a release went as it did
    Why(Target),
    /// Compute a release's decisions again from its journal, and compare
    Replay(Target),
    /// Look at patches before anything is touched
    Patch(Patch),
    /// Show what a service's tasks wrote
    Logs(Logs),
    /// Take a mesh over from where it is written down, however often
    Import(Import),
    /// Write meshes down, for `serin import` and AWS's own tools
    Export(Export),
    /// Find out if this machine is able
    #[command(alias = "doctor")]
    Check(Check),
    /// Print the completions of a shell
    Completions { shell: clap_complete::Shell },
    /// Watch over a server, and stop its tasks if it is killed and none comes back
    #[command(hide = true)]
    Reaper(Reaper),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Release the version that fails instead, and watch it being rolled back
    #[arg(long)]
    pub bad: bool,
    /// Use the example in Crystal [default: where its compiler is found]
    #[arg(long, conflicts_with = "rust")]
    pub crystal: bool,
    /// Use its twin in Rust
    #[arg(long)]
    pub rust: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    /// The manifest
    #[arg(short, long, default_value = "serin.yaml")]
    pub file: PathBuf,
    #[command(flatten)]
    pub serving: Serving,
    /// Where the admin port of the data plane listens; port 0 takes a free one [default: none]
    #[arg(long, value_name = "ADDRESS", value_parser = values::address)]
    pub admin: Option<SocketAddr>,
    #[command(flatten)]
    pub ceilings: Ceilings,
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub serving: Serving,
    /// Only find out if a server would start with this configuration
    #[arg(long)]
    pub check: bool,
}

/// How a server is set up.
#[derive(Debug, Args)]
pub struct Serving {
    /// The server's configuration, in YAML
    #[arg(short, long, env = "SERIN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one [default: as configured, else 127.0.0.1:7470]
    #[arg(long, env = "SERIN_API", value_name = "ADDRESS", value_parser = values::address)]
    pub api: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct Release {
    /// As the manifest names it
    pub service: String,
    /// Apply this patch to the source; several in the order given
    #[arg(short, long = "patch", num_args = 1.., value_name = "FILE")]
    pub patches: Vec<PathBuf>,
    /// The new version's name [default: the first patch's]
    #[arg(short, long)]
    pub tag: Option<String>,
    /// Who moves the share [default: as the manifest says]
    #[arg(long)]
    pub policy: Option<PolicyName>,
    /// The shares of `--policy steps`, as `5,25,100`
    #[arg(long, value_delimiter = ',', value_name = "SHARES")]
    pub steps: Vec<Share>,
    /// The least time on each step, as `30s`
    #[arg(long, value_name = "DURATION")]
    pub step_time: Option<TextDuration>,
    /// The fewest canary requests on each step
    #[arg(long, value_name = "N", value_parser = values::count::<u64>, allow_negative_numbers = true)]
    pub step_requests: Option<u64>,
    /// Only say what would happen
    #[arg(long)]
    pub dry_run: bool,
    /// Do not follow the release
    #[arg(short, long)]
    pub detach: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    Auto,
    Steps,
    Manual,
}

impl PolicyName {
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Steps => "steps",
            Self::Manual => "manual",
        }
    }
}

#[derive(Debug, Args)]
pub struct Plan {
    /// As the manifest names it; its traffic of now is asked of the server
    pub service: Option<String>,
    /// Requests a second, where no server is to be asked
    #[arg(long, value_name = "N", value_parser = values::quantity, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// How often requests fail now, as `0.1%` [default: as measured, else 0.1%]
    #[arg(long, value_name = "PERCENT")]
    pub failing: Option<Percentage>,
    /// How many times as often the worse version fails
    #[arg(long, default_value = "5x", value_name = "TIMES")]
    pub worse: Times,
    /// How often the worse version's requests fail, as `2%`
    #[arg(long, value_name = "PERCENT", conflicts_with = "worse")]
    pub canary_failing: Option<Percentage>,
    /// Shares to compare, as `1,5,12.5%`
    #[arg(long = "share", value_delimiter = ',', value_name = "SHARES")]
    pub shares: Vec<Share>,
    /// Find the largest share that costs no more extra failures
    #[arg(long, value_name = "N", value_parser = values::quantity, allow_negative_numbers = true)]
    pub budget: Option<f64>,
    /// Find the smallest share that finds it in this time, as `2m`
    #[arg(long, value_name = "DURATION")]
    pub within: Option<TextDuration>,
    /// As the manifest's `false_rollback` [default: 0.01]
    #[arg(long, value_name = "RISK", value_parser = values::risk, allow_negative_numbers = true)]
    pub false_rollback: Option<f64>,
    /// As the manifest's `allowed_excess`, in percent [default: 0.5%]
    #[arg(long, value_name = "PERCENT")]
    pub allowed_excess: Option<Percentage>,
    /// As the manifest's `false_promotion` [default: 0.005]
    #[arg(long, value_name = "RISK", value_parser = values::risk, allow_negative_numbers = true)]
    pub false_promotion: Option<f64>,
}

#[derive(Debug, Args)]
pub struct Target {
    /// A release as `crystal-2`, or a service for its running, else last one
    #[arg(value_name = "RELEASE|SERVICE")]
    pub release: String,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Only this service
    pub service: Option<String>,
    /// Keep showing it
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    pub steer: Steer,
    /// The canary's share, as `12.5%`
    pub share: Share,
}

#[derive(Debug, Args)]
pub struct Steer {
    /// A release as `crystal-2`, or a service for its running one
    #[arg(value_name = "RELEASE|SERVICE")]
    pub release: String,
    /// Only say what would happen
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Patch {
    /// Show how many lines of which files the patches change
    #[arg(long, required = true)]
    pub stat: bool,
    /// Patch files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Find out too if they apply to the source in this directory, which stays as it is
    #[arg(long, value_name = "DIR")]
    pub check: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// As the manifest names it
    pub service: String,
    /// Only the tasks of this version
    #[arg(long, value_name = "TAG")]
    pub version: Option<String>,
    /// Only this task, counted from 0
    #[arg(long, value_name = "N", value_parser = values::count::<u32>, allow_negative_numbers = true)]
    pub task: Option<u32>,
    /// Keep showing what is written
    #[arg(short, long)]
    pub follow: bool,
    /// Begin with so many last lines of each task
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N", value_parser = values::count::<u64>, allow_negative_numbers = true)]
    pub lines: u64,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The manifest to check for [default: serin.yaml, where there is one]
    #[arg(short, long)]
    pub file: Option<PathBuf>,
}

/// As the driver calls it; the state directory is the global option.
#[derive(Debug, Args)]
pub struct Reaper {
    #[arg(long)]
    pub server_pid: u32,
    /// Seconds
    #[arg(long)]
    pub grace: f64,
}
