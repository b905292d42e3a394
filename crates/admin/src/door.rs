//! Who may come in: this machine's users, and not the web pages that its browsers show.
//!
//! A page can send requests to loopback, directly or by a name that it lets resolve there. Then the browser
//! adds the page's `Origin`, or the `Host` is the page's name.

use std::net::IpAddr;

use http::Request;
use http::header::{HOST, ORIGIN};

pub(crate) fn check_is_no_page<B>(request: &Request<B>) -> Result<(), &'static str> {
    let headers = request.headers();
    let host = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    if !host.is_some_and(is_this_machine) {
        return Err("the request is for another host: call this port as 127.0.0.1 or localhost\n");
    }
    if headers.contains_key(ORIGIN) {
        return Err("the request comes from a web page\n");
    }
    Ok(())
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::get("/ready").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        check_is_no_page(&request.body(()).unwrap()).is_ok()
    }

    #[test]
    fn only_this_machines_users_come_in() {
        for host in ["127.0.0.1:9901", "localhost", "[::1]:9901", "[::1]"] {
            assert!(check(host, None), "{host}");
            assert!(!check(host, Some("http://attacker.example")), "{host}");
            assert!(!check(host, Some("null")), "{host}");
        }
        for host in [
            "attacker.example",
            "10.0.0.1:9901",
            "127.0.0.1.attacker.example",
        ] {
            assert!(!check(host, None), "{host}");
        }
    }
}
