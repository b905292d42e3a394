//! No patch makes the parser, the diffstat or the application panic, or takes long, whatever it is
//! applied to.
//!
//! The input is the content of a file, a zero byte, and a patch.

#![no_main]

use std::path::Path;

use image::patch::Patch;
use image::tree::{Entry, Kind, Tree};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let middle = input.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (content, patch) = input.split_at(middle);
    let mut tree = Tree::default();
    for (path, kind, bytes) in [
        ("a", Kind::File, content),
        ("d/b", Kind::Executable, content),
        ("link", Kind::Symlink, b"d"),
    ] {
        tree.insert(Path::new(path), Entry::new(kind, bytes))
            .expect("the paths are free");
    }
    let Ok(patch) = Patch::parse(patch.strip_prefix(&[0]).unwrap_or(patch)) else {
        return;
    };
    let stat = patch.stat();
    for file in &stat.files {
        let bar = stat.bar(file, 40);
        assert!(bar.plus + bar.minus <= 40);
    }
    if let Ok(applied) = patch.apply(&tree) {
        applied.digest().expect("nothing of it is on disk");
    }
});
