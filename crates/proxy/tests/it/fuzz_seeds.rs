//! The fuzz targets on their seeds and on mutations of these: what a fuzzer would find at once is found here.

use std::path::Path;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 7] = [
    ("access_log_format", proxy::fuzzing::access_log_format),
    ("chunked_body", proxy::fuzzing::chunked_body),
    ("http2_request_head", proxy::fuzzing::http2_request_head),
    ("path_normalize", proxy::fuzzing::path_normalize),
    ("proxy_header", proxy::fuzzing::proxy_header),
    ("request_head", proxy::fuzzing::request_head),
    ("response_head", proxy::fuzzing::response_head),
];

const MUTATIONS: usize = 2000;

/// What parsers look for.
const PIECES: [&[u8]; 12] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"%",
    b"0",
    b"..",
    b"999999999",
    b"(",
    b"\xff",
];

fn mutate(bytes: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        let to = rng.usize(at..=bytes.len().min(at + 8));
        match rng.u8(..4) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..to, PIECES[rng.usize(..PIECES.len())].iter().copied())),
            2 => {
                let copied = bytes[at..to].to_vec();
                let again = rng.usize(..=bytes.len());
                drop(bytes.splice(again..again, copied));
            }
            _ => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = rng.u8(..)),
        }
    }
}

#[test]
fn every_target_holds_on_its_seeds_and_near_them() {
    let mut rng = fastrand::Rng::with_seed(7);
    for (name, target) in TARGETS {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(name);
        let mut count = 0;
        for seed in std::fs::read_dir(&seeds).unwrap() {
            let seed = std::fs::read(seed.unwrap().path()).unwrap();
            target(&seed);
            for _ in 0..MUTATIONS {
                let mut mutated = seed.clone();
                mutate(&mut mutated, &mut rng);
                target(&mutated);
            }
            count += 1;
        }
        assert!(count > 0, "{name} has no seeds");
    }
}

#[test]
fn every_target_of_the_fuzzer_is_tried() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut names: Vec<_> = std::fs::read_dir(targets)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}
