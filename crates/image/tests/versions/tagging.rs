//! Tags stand for versions, stay where they are, and keep versions from being removed.

use image::{ImageError, Recipe};

use crate::workplace::{Workplace, name};

#[tokio::test]
async fn a_tag_does_not_move_unless_told_so() {
    let place = Workplace::new();
    let first = place.build(&place.recipe("vanilla")).await.unwrap().version;
    let other = place.shell("vanilla", "echo more >> greeting");
    let refused = place.build(&other).await.unwrap_err();
    assert!(
        matches!(&refused, ImageError::TagTaken { current, .. } if *current == first.digest),
        "{refused}"
    );
    assert_eq!(
        place
            .images
            .get(&name("crystal"), &name("vanilla"))
            .unwrap()
            .unwrap(),
        first
    );

    // The same content by another way is the same version.
    assert_eq!(
        place
            .build(&place.shell("vanilla", "true"))
            .await
            .unwrap()
            .version
            .digest,
        first.digest
    );

    let moved = place
        .build(&Recipe {
            retag: true,
            ..other
        })
        .await
        .unwrap();
    assert!(moved.reused, "what was built for the refused tag is kept");
    assert_ne!(moved.version.digest, first.digest);
    let back = place
        .images
        .retag(&name("crystal"), &name("vanilla"), &first)
        .unwrap();
    assert_eq!(back, first);
}

#[tokio::test]
async fn versions_without_a_tag_are_removed() {
    let place = Workplace::new();
    let kept = place.build(&place.recipe("vanilla")).await.unwrap().version;
    let dropped = place
        .build(&place.shell("epoch", "echo more >> greeting"))
        .await
        .unwrap()
        .version;
    assert_eq!(
        place.images.list().unwrap(),
        [dropped.clone(), kept.clone()]
    );
    assert_eq!(place.images.remove_unused().unwrap(), []);
    place.write("images/inputs/left-by-a-crash.json.draft", "{");

    assert!(
        place
            .images
            .untag(&name("crystal"), &name("epoch"))
            .unwrap()
    );
    assert!(
        !place
            .images
            .untag(&name("crystal"), &name("epoch"))
            .unwrap()
    );
    assert_eq!(place.images.remove_unused().unwrap(), [dropped.digest]);
    assert_eq!(place.images.list().unwrap(), std::slice::from_ref(&kept));
    assert_eq!(place.names("images/versions"), [kept.digest.hex()]);
    assert_eq!(place.names("images/inputs").len(), 1);
    assert_eq!(place.names("images/logs").len(), 1);
    assert!(matches!(
        place
            .images
            .retag(&name("crystal"), &name("epoch"), &dropped),
        Err(ImageError::NoVersion { .. })
    ));
    assert!(
        !place
            .build(&place.shell("epoch", "echo more >> greeting"))
            .await
            .unwrap()
            .reused
    );
}
