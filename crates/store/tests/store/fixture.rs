//! Small resources, and temporary files to keep them in.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use model::spec::VirtualNodeSpec;
use model::{Metadata, Resource, ResourceId, Timestamp};
use store::{Embedded, Memory, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What should happen soon has failed if it has not happened by then.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn node_id(name: &str) -> ResourceId {
    ResourceId::virtual_node("shop", name)
}

pub(crate) fn node(name: &str, version: i64) -> Resource {
    let mut metadata = Metadata::new(format!("uid-{name}"), "123456789012", at_hour(0));
    metadata.version = version;
    Resource::new(node_id(name), VirtualNodeSpec::default(), metadata)
}

pub(crate) fn at_hour(hour: i64) -> Timestamp {
    const MILLIS_PER_HOUR: i64 = 3_600_000;
    Timestamp::from_millis(1_800_000_000_000 + hour * MILLIS_PER_HOUR)
}

pub(crate) fn version_of(store: &dyn Store, name: &str) -> Option<i64> {
    Some(store.snapshot().get(&node_id(name))?.metadata.version)
}

/// A directory of its own, and the path of a store in it.
pub(crate) fn empty_place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.redb");
    (directory, path)
}

pub(crate) fn open(path: &Path) -> Embedded {
    Embedded::open(path).unwrap()
}

/// One store of each kind, to run the same test on both.
pub(crate) fn one_of_each() -> (TempDir, [Arc<dyn Store>; 2]) {
    let (directory, path) = empty_place();
    (directory, [Arc::new(open(&path)), Arc::new(Memory::new())])
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(future)
}
