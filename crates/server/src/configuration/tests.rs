use std::num::{NonZeroU64, NonZeroUsize};
use std::os::unix::fs::PermissionsExt;

use super::*;

/// What is wrong, on which line, and in which words.
const REFUSED: &[(&str, u32, &str)] = &[
    ("account: 12345", 1, "write its 12 digits"),
    ("account: \"11112222333x\"", 1, "write its 12 digits"),
    ("region: eu_central_1", 1, "no region"),
    ("region: \"\"", 1, "no region"),
    ("region: eu-central-1\nlisten: x", 2, "listen"),
    ("api: localhost", 1, "socket address"),
    ("api: 127.0.0.1:70000", 1, "socket address"),
    ("tls: { certificate: a.crt }", 1, "key"),
    ("tls:\n  certificate: a.crt\n  key: a.key\n  ca: b", 4, "ca"),
    ("clockSkew: 5", 1, "5m"),
    ("clockSkew: 5 minutes", 1, "5m"),
    ("quotas: { meshes: 3 }", 1, "meshesPerAccount"),
    ("quotas: { meshesPerAccount: -1 }", 1, "invalid u64"),
    ("throttle: {}", 1, "requestsPerSecond"),
    ("throttle:\n  requestsPerSecond: 0", 2, "nonzero"),
    ("throttle: { requestsPerSecond: 5, burst: 0 }", 1, "nonzero"),
    ("limits: { bodySize: 1 }", 1, "64KiB"),
    ("limits: { bodySize: 0B }", 1, "1024MiB"),
    ("limits: { bodySize: 2048MiB }", 1, "1024MiB"),
    ("limits: { connections: 0 }", 1, "nonzero"),
    (
        "proxyTokens:\n  mesh/m/virtualRouter/r: { variable: T }",
        2,
        "is no node: write mesh/M/virtualNode/N",
    ),
    (
        "proxy:\n  proxyProtocol:\n    ingress: {}",
        3,
        "is no node: write mesh/M/virtualNode/N",
    ),
    ("limits: { headTime: soon }", 1, "90s"),
    ("metrics: yes", 1, "loopback"),
    (
        "credentials:\n  - accessKeyId: AKIA1",
        2,
        "exactly one of secretAccessKey, secretAccessKeyFile and secretAccessKeyVariable",
    ),
    (
        "credentials:\n  - accessKeyId: AKIA1\n    secretAccessKey: s\n    secretAccessKeyFile: f",
        2,
        "exactly one of",
    ),
    (
        "credentials:\n  - accessKeyId: AKIA/1\n    secretAccessKey: s",
        2,
        "no accessKeyId",
    ),
    (
        "credentials:\n  - accessKeyId: AKIA1\n    secretAccessKey: s\n    access: admin",
        4,
        "readOnly",
    ),
];

#[test]
fn what_is_not_allowed_is_refused_with_its_line() {
    for (text, line, words) in REFUSED {
        let reason = Configuration::parse(text).unwrap_err();
        assert!(
            reason.contains(&format!("line {line},")) && reason.contains(words),
            "{text}\n{reason}"
        );
    }
}

#[test]
fn a_refusal_shows_no_line_of_the_file() {
    let text =
        "credentials:\n  - accessKeyId: AKIA1\n    secretAccessKey: hidden\n    acess: readOnly";
    let reason = Configuration::parse(text).unwrap_err();
    assert!(
        reason.contains("acess") && !reason.contains("hidden"),
        "{reason}"
    );
}

#[test]
fn nothing_at_all_is_the_default() {
    for text in ["", "---\n", "# nothing yet\n", "{}"] {
        let configuration = Configuration::parse(text).unwrap();
        assert_eq!(configuration.api.to_string(), DEFAULT_API);
        assert!(configuration.credentials().unwrap().is_empty());
    }
}

const WHOLE: &str = "
account: 012345678901
region: eu-central-1
api: 127.0.0.1:0
tls: { certificate: tls.crt, key: /etc/tls.key }
credentials:
  - { accessKeyId: AKIAREADER, secretAccessKeyFile: reader, access: readOnly }
  - { accessKeyId: AKIAWRITER, secretAccessKey: hidden, sessionToken: hidden }
clockSkew: 90s
quotas: { meshesPerAccount: 3 }
throttle: { requestsPerSecond: 20, burst: 40 }
limits: { bodySize: 64KiB, connections: 10, stopTime: 1s }
metrics: token
proxy:
  zone: eu-central-1a
  slowStart: 30s
  panicThreshold: 20
  nameServers: [127.0.0.1:5300]
  connections: 100
  ceilings: { connections: 1000, listenerConnections: 500, requests: 2000, bodySize: 8MiB }
  proxyProtocol:
    mesh/m/virtualGateway/g: { expectedOn: [8080], sentTo: { n: v2 } }
";

#[test]
fn every_key_is_read_and_files_are_found_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path().join("server.yaml"), WHOLE, 0o600);
    written(directory.path().join("reader"), "hidden\n", 0o640);
    let configuration = Configuration::load(&file).unwrap();
    assert_eq!(configuration.account.to_string(), "012345678901");
    assert_eq!(configuration.region.to_string(), "eu-central-1");
    let tls = configuration.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, directory.path().join("tls.crt"));
    assert_eq!(tls.key, Path::new("/etc/tls.key"));
    assert_eq!(configuration.clock_skew.0, Duration::from_secs(90));
    assert_eq!(configuration.quotas.meshes_per_account, 3);
    assert_eq!(configuration.limits.body_size.bytes(), 64 << 10);
    assert_eq!(configuration.limits.stop_time.0, Duration::from_secs(1));
    let options = configuration.proxy.options();
    assert_eq!(options.connections.map(|most| most.get()), Some(100));
    let ceilings = ::proxy::Ceilings {
        connections: NonZeroUsize::new(1000),
        listener_connections: NonZeroUsize::new(500),
        requests: NonZeroUsize::new(2000),
        body: NonZeroU64::new(8 << 20),
    };
    assert_eq!(options.ceilings, ceilings);
    assert_eq!(options.name_servers, ["127.0.0.1:5300".parse().unwrap()]);
    let expected = ::proxy::Balancing {
        panic_threshold: 20,
        slow_start: Some(Duration::from_secs(30)),
        zone: Some("eu-central-1a".to_owned()),
    };
    assert_eq!(options.balancing, expected);
    let spoken = &configuration.proxy.proxy_protocol["mesh/m/virtualGateway/g"];
    assert!(spoken.expected_on.contains(&8080));
    assert_eq!(spoken.sent_to["n"], view::ProxyVersion::V2);
    assert_eq!(
        configuration.limits.head_time.0,
        Limits::default().head_time.0,
        "a key that is left out has its default"
    );
    let credentials = configuration.credentials().unwrap();
    let access = |id| credentials.get(id).map(|known| known.access);
    assert_eq!(access("AKIAREADER"), Some(Access::ReadOnly));
    assert_eq!(access("AKIAWRITER"), Some(Access::ReadWrite));
    assert_eq!(access("AKIAOTHER"), None);
    let shown = format!("{configuration:?} {credentials:?}");
    assert!(!shown.contains("\"hidden\""), "{shown}");
}

#[test]
fn secrets_that_everybody_may_read_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("server.yaml");
    let inline = "credentials: [{ accessKeyId: A, secretAccessKey: s }]";
    let refused = Configuration::load(&written(file.clone(), inline, 0o604)).unwrap_err();
    let exposed = |error: &ConfigurationError| {
        matches!(
            error,
            ConfigurationError::Credentials(CredentialError::Exposed { .. })
        )
    };
    assert!(exposed(&refused), "{refused:?}");

    let elsewhere = "credentials: [{ accessKeyId: A, secretAccessKeyFile: secret }]";
    let configuration = Configuration::load(&written(file, elsewhere, 0o644)).unwrap();
    written(directory.path().join("secret"), "s", 0o644);
    let refused = configuration.credentials().unwrap_err();
    assert!(exposed(&refused), "{refused:?}");
    written(directory.path().join("secret"), "s", 0o440);
    assert!(configuration.credentials().is_ok());
    written(directory.path().join("secret"), " \n", 0o600);
    let refused = configuration.credentials().unwrap_err();
    let ConfigurationError::Credentials(CredentialError::Empty { .. }) = refused else {
        panic!("{refused:?}");
    };
}

#[test]
fn an_access_key_belongs_to_one_secret() {
    let text = "credentials:\n- { accessKeyId: A, secretAccessKey: s }\n- { accessKeyId: A, secretAccessKey: t }";
    let refused = Configuration::parse(text).unwrap().credentials();
    assert!(matches!(
        refused,
        Err(ConfigurationError::Credentials(
            CredentialError::Twice { .. }
        ))
    ));
}

#[test]
fn without_credentials_the_api_stays_on_loopback() {
    for (api, allowed) in [
        ("127.0.0.1:0", true),
        ("\"[::1]:0\"", true),
        ("0.0.0.0:0", false),
        ("\"[::]:0\"", false),
        ("192.168.1.2:7470", false),
    ] {
        let open = Configuration::parse(&format!("api: {api}")).unwrap();
        assert_eq!(open.credentials().is_ok(), allowed, "{api}");
        let key = "credentials: [{ accessKeyId: A, secretAccessKey: s }]";
        let guarded = Configuration::parse(&format!("api: {api}\n{key}")).unwrap();
        assert!(guarded.credentials().is_ok(), "{api}");
        let warned = guarded
            .warnings()
            .iter()
            .any(|words| words.contains("without TLS"));
        assert_eq!(warned, !allowed, "{api}");
    }
}

fn written(path: PathBuf, text: &str, mode: u32) -> PathBuf {
    if path.exists() {
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}
