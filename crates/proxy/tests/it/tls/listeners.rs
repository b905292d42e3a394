//! Listeners: modes, client certificates, and what a client may do to a handshake.

use std::process::Command;

use testkit::Backend;
use view::*;

use super::authority::Authority;
use crate::mesh::{Proxy, gateway_to};

fn secured(view: &mut NodeView, mode: TlsMode, certificate: Certificate) -> &mut ListenerTls {
    view.listeners[0].tls.insert(ListenerTls {
        mode,
        certificate,
        client_trust: None,
        client_subject_names: vec![],
    })
}

/// What curl prints, or why it did not.
async fn curl(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[tokio::test]
async fn a_mode_lets_in_what_it_says() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    for (mode, plain_is_let_in) in [(TlsMode::Strict, false), (TlsMode::Permissive, true)] {
        let mut view = gateway_to(backend.address);
        let certificate = authority.certificate("server", &["crystal.local", "127.0.0.1"]);
        secured(&mut view, mode, certificate);
        let proxy = Proxy::running(&view).await;
        let url = format!("https://{}/", proxy.address);
        let ca = authority.path("ca.pem");
        for version in ["--tlsv1.2", "--tlsv1.3"] {
            let max = if version == "--tlsv1.2" { "1.2" } else { "1.3" };
            let arguments = [version, "--tls-max", max, "--cacert", &ca, &url];
            assert_eq!(curl(&arguments).await.as_deref(), Ok("hello"), "{mode:?}");
        }
        let plain = curl(&[&format!("http://{}/", proxy.address)]).await;
        assert_eq!(
            plain.as_deref() == Ok("hello"),
            plain_is_let_in,
            "{plain:?}"
        );
    }
}
