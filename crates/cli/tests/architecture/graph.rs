//! The dependency graph of the workspace, as cargo resolved it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Packages by name; several versions of one are one node.
pub(crate) struct Graph {
    pub(crate) root: PathBuf,
    pub(crate) members: BTreeSet<String>,
    pub(crate) packages: BTreeMap<String, Package>,
}

#[derive(Default)]
pub(crate) struct Package {
    pub(crate) versions: BTreeSet<String>,
    pub(crate) licences: BTreeSet<String>,
    pub(crate) dependencies: BTreeSet<Dependency>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `normal`, `build` or `dev`.
    pub(crate) kind: String,
}

impl Graph {
    pub(crate) fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");

        let mut names = BTreeMap::new();
        let mut packages: BTreeMap<String, Package> = BTreeMap::new();
        for package in items(&metadata["packages"]) {
            let name = text(&package["name"]);
            names.insert(text(&package["id"]), name);
            let entry = packages.entry(name.to_owned()).or_default();
            entry.versions.insert(text(&package["version"]).to_owned());
            let licence = package["license"].as_str().unwrap_or_default();
            entry.licences.insert(licence.to_owned());
        }
        // The resolved graph rather than what the manifests ask for: an optional
        // dependency that no feature turns on is not built.
        for node in items(&metadata["resolve"]["nodes"]) {
            for dependency in items(&node["deps"]) {
                for kind in items(&dependency["dep_kinds"]) {
                    let dependency = Dependency {
                        name: names[text(&dependency["pkg"])].to_owned(),
                        kind: kind["kind"].as_str().unwrap_or("normal").to_owned(),
                    };
                    let package = packages
                        .get_mut(names[text(&node["id"])])
                        .expect("a package");
                    package.dependencies.insert(dependency);
                }
            }
        }
        let members = items(&metadata["workspace_members"]).iter();
        Self {
            root: text(&metadata["workspace_root"]).into(),
            members: members.map(|id| names[text(id)].to_owned()).collect(),
            packages,
        }
    }

    /// All that is built for a crate but not for its tests, each with a path to it.
    pub(crate) fn everything_below(&self, name: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut ahead = vec![(name.to_owned(), name.to_owned())];
        while let Some((name, path)) = ahead.pop() {
            for dependency in &self.packages[&name].dependencies {
                if dependency.kind == "normal" && !found.contains_key(&dependency.name) {
                    let path = format!("{path} -> {}", dependency.name);
                    found.insert(dependency.name.clone(), path.clone());
                    ahead.push((dependency.name.clone(), path));
                }
            }
        }
        found
    }

    pub(crate) fn users(&self, name: &str) -> Vec<&str> {
        let uses = |package: &Package| package.dependencies.iter().any(|each| each.name == name);
        self.packages
            .iter()
            .filter(|(_, package)| uses(package))
            .map(|(user, _)| user.as_str())
            .collect()
    }
}

/// The names of all packages that are built for some target, tests among them.
///
/// The resolved graph holds more: an optional package that a feature only mentions (`ring?/alloc`).
pub(crate) fn built() -> BTreeSet<String> {
    let arguments = "tree --workspace --locked --target all --edges normal,build,dev --prefix none";
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let listed = String::from_utf8(output.stdout).expect("names in UTF-8");
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
