#![no_main]

use interchange::{Options, Source};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let source = Source {
        name: "text".to_owned(),
        text: text.to_owned(),
        found: false,
    };
    let options = Options {
        region: Some("eu-west-1".to_owned()),
        account: Some("111122223333".to_owned()),
        ..Options::default()
    };
    // Everything is read or refused; nothing panics or hangs.
    drop(interchange::read(&[source], &options));
});
