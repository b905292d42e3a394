//! Recipes become versions: patched, built once, and kept under the digest of their content.

use std::collections::BTreeMap;
use std::fs;

use crate::workplace::{Workplace, name};
use image::tree::Tree;
use image::{BuildCommand, Images, Recipe};

const PATCH: &str = "\
diff --git a/greeting b/greeting
--- a/greeting
+++ b/greeting
@@ -1 +1 @@
-hello
+good morning
";

#[tokio::test]
async fn a_build_keeps_its_artifacts_and_streams_its_log() {
    let place = Workplace::new();
    let recipe = Recipe {
        artifacts: vec!["out".to_owned(), "bin/*".to_owned()],
        environment: BTreeMap::from([("WHO".to_owned(), "world".to_owned())]),
        ..place.shell(
            "vanilla",
            "echo first; echo second >&2; mkdir out; echo $WHO > out/who; printf end",
        )
    };
    let mut lines = Vec::new();
    let built = place
        .images
        .build(&recipe, |line| lines.push(line.to_owned()))
        .await
        .unwrap();

    assert_eq!(lines, ["first", "second", "end"]);
    assert_eq!(
        fs::read_to_string(&built.log).unwrap(),
        "first\nsecond\nend\n"
    );
    let kept = Tree::read(&built.version.directory, &[]).unwrap();
    let paths: Vec<_> = kept
        .iter()
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    assert_eq!(paths, ["bin/run", "out/who"]);
    assert_eq!(
        fs::read_to_string(built.version.directory.join("out/who")).unwrap(),
        "world\n"
    );
    assert_eq!(
        place
            .images
            .get(&name("crystal"), &name("vanilla"))
            .unwrap(),
        Some(built.version)
    );
    assert!(!built.reused);
}

#[tokio::test]
async fn the_source_is_only_read() {
    let place = Workplace::new();
    let before = Tree::read(&place.path("source"), &[])
        .unwrap()
        .digest()
        .unwrap();
    place.write("change.patch", PATCH);
    let recipe = Recipe {
        patches: vec![place.path("change.patch")],
        ..place.shell("epoch", "rm bin/run; echo more >> greeting")
    };
    let built = place.build(&recipe).await.unwrap();
    assert_eq!(
        fs::read_to_string(built.version.directory.join("greeting")).unwrap(),
        "good morning\nmore\n"
    );
    assert_eq!(
        Tree::read(&place.path("source"), &[])
            .unwrap()
            .digest()
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn an_unchanged_build_is_reused_and_any_change_is_built() {
    let place = Workplace::new();
    let count = place.path("count");
    let command = format!("echo built >> {}", count.display());
    let builds = || fs::read_to_string(&count).unwrap().lines().count();
    let original = place.shell("a", &command);

    assert!(!place.build(&original).await.unwrap().reused);
    place.write("source/.git/HEAD", "ref");
    place.write("source/target/debug/x", "x");
    let again = place
        .build(&Recipe {
            tag: name("b"),
            ..original.clone()
        })
        .await
        .unwrap();
    assert!(
        again.reused,
        "what is ignored changes nothing, nor does the tag"
    );
    assert_eq!(builds(), 1);

    let mut changed = vec![
        Recipe {
            environment: BTreeMap::from([("X".to_owned(), "1".to_owned())]),
            ..original.clone()
        },
        Recipe {
            build: Some(BuildCommand::Shell(format!("{command}; true"))),
            ..original.clone()
        },
        Recipe {
            ignore: vec!["greeting".to_owned()],
            ..original.clone()
        },
        Recipe {
            artifacts: vec!["bin".to_owned()],
            ..original.clone()
        },
    ];
    place.write("change.patch", PATCH);
    changed.push(Recipe {
        patches: vec![place.path("change.patch")],
        ..original.clone()
    });
    for (number, recipe) in changed.into_iter().enumerate() {
        let built = place
            .build(&Recipe {
                retag: true,
                ..recipe
            })
            .await
            .unwrap();
        assert!(!built.reused, "change {number} was not seen");
    }
    place.write("source/target/../greeting", "bye\n");
    assert!(
        !place
            .build(&Recipe {
                retag: true,
                ..original
            })
            .await
            .unwrap()
            .reused
    );
    assert_eq!(builds(), 7);
}

#[tokio::test]
async fn a_version_without_a_build_is_its_source() {
    let place = Workplace::new();
    let built = place.build(&place.recipe("vanilla")).await.unwrap();
    let digest = Tree::read(&place.path("source"), &[])
        .unwrap()
        .digest()
        .unwrap();
    assert_eq!(built.version.digest, digest);
    assert_eq!(place.names("images/versions"), [digest.hex()]);
    assert_eq!(place.names("images/building"), [""; 0]);
}

#[tokio::test]
async fn a_plan_says_what_a_build_would_do_and_does_nothing() {
    let place = Workplace::new();
    place.write("change.patch", PATCH);
    let recipe = Recipe {
        patches: vec![place.path("change.patch")],
        ..place.shell("epoch", "true")
    };
    let before = Tree::read(&place.path(""), &[]).unwrap().digest().unwrap();
    let planned = place.images.plan(&recipe).unwrap();
    assert_eq!(
        Tree::read(&place.path(""), &[]).unwrap().digest().unwrap(),
        before
    );
    assert_eq!(
        (planned.diffstat.added(), planned.diffstat.deleted()),
        (1, 1)
    );
    assert_eq!((planned.reused, planned.tagged), (None, None));

    let built = place.build(&recipe).await.unwrap();
    let planned = place.images.plan(&recipe).unwrap();
    assert_eq!(planned.reused, Some(built.version.digest));
    assert_eq!(planned.tagged, Some(built.version.digest));
    assert_eq!(planned.diffstat, built.version.diffstat);
}

#[tokio::test]
async fn a_patch_that_does_not_apply_is_named_and_nothing_is_made() {
    let place = Workplace::new();
    place.write("change.patch", &PATCH.replace("-hello", "-hallo"));
    let recipe = Recipe {
        patches: vec![place.path("change.patch")],
        ..place.shell("epoch", "true")
    };
    let error = place.build(&recipe).await.unwrap_err().to_string();
    for part in [
        "change.patch",
        "greeting",
        "hunk 1",
        "@@ -1 +1 @@",
        "hello",
        "hallo",
    ] {
        assert!(error.contains(part), "{part:?} is missing in {error:?}");
    }
    assert_eq!(place.names("images/versions"), [""; 0]);
}

#[tokio::test]
async fn images_inside_the_source_are_not_part_of_it() {
    let place = Workplace::new();
    let images = Images::open(place.path("source/deep/images")).unwrap();
    let first = images.build(&place.recipe("a"), |_| {}).await.unwrap();
    let second = images.build(&place.recipe("b"), |_| {}).await.unwrap();
    assert!(second.reused);
    assert_eq!(first.version.digest, second.version.digest);
}
