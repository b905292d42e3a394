//! No text makes the manifest reader panic or take long, and what it accepts holds its own rules.

#![no_main]

use libfuzzer_sys::fuzz_target;
use release::Manifest;

fuzz_target!(|text: &str| {
    let Ok(manifest) = Manifest::parse(text) else {
        return;
    };
    assert!(!manifest.services.is_empty());
    for (name, service) in &manifest.services {
        assert!(!service.run.words().is_empty());
        assert!(manifest.path(name.as_str()).starts_with('/'));
        assert_eq!(service.release.check(), Ok(()));
    }
});
