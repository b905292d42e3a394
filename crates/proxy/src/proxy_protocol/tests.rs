use proptest::prelude::*;

use super::*;
use crate::fuzzing;

fn ends(source: &str, destination: &str) -> Ends {
    Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn version2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n".as_slice(),
        &[command, family],
        &length,
        addresses,
    ]
    .concat()
}

#[test]
fn version_1_is_one_strict_line() {
    let four = ends("192.0.2.1:56324", "198.51.100.7:443");
    let six = ends("[2001:db8::1]:1", "[2001:db8::2]:65535");
    for (line, expected) in [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
            Some(Header::Relayed(four)),
        ),
        (
            "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
            Some(Header::Relayed(six)),
        ),
        ("PROXY UNKNOWN\r\n", Some(Header::Own)),
        ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Some(Header::Own)),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n", None),
        ("PROXY TCP4 192.0.2.1  198.51.100.7 56324 443\r\n", None),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n", None),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", None),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 056324 443\r\n", None),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 +56 443\r\n", None),
        ("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n", None),
        ("PROXY TCP4 192.0.2.01 198.51.100.7 1 443\r\n", None),
        ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", None),
        ("PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", None),
        ("PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", None),
        ("PROXY tcp4 192.0.2.1 198.51.100.7 1 2\r\n", None),
    ] {
        let expected = expected.map_or(Err(Malformed::Invalid), |header| {
            Ok(Some((header, line.len())))
        });
        assert_eq!(
            parse(format!("{line}GET / HTTP/1.1").as_bytes()),
            expected,
            "{line:?}"
        );
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(parse(endless.as_bytes()), Err(Malformed::Invalid));
}

#[test]
fn version_2_says_who_and_how_long_it_is() {
    let addresses = [192, 0, 2, 1, 198, 51, 100, 7, 0xdc, 0x04, 1, 0xbb];
    let with_fields = [addresses.as_slice(), &[4, 0, 1, 0]].concat();
    let relayed = Header::Relayed(ends("192.0.2.1:56324", "198.51.100.7:443"));
    for (bytes, expected) in [
        (version2(0x21, 0x11, &addresses), Some(relayed)),
        (version2(0x21, 0x11, &with_fields), Some(relayed)),
        (version2(0x20, 0x11, &addresses), Some(Header::Own)),
        (version2(0x20, 0x00, &[]), Some(Header::Own)),
        (version2(0x21, 0x00, &[1, 2, 3]), Some(Header::Own)),
        (version2(0x21, 0x31, &[0; 216]), Some(Header::Own)),
        (version2(0x21, 0x11, &addresses[..11]), None),
        (version2(0x21, 0x21, &with_fields), None),
        (version2(0x22, 0x11, &addresses), None),
        (version2(0x11, 0x11, &addresses), None),
        (version2(0x21, 0x41, &addresses), None),
    ] {
        let expected = expected.map_or(Err(Malformed::Invalid), |header| {
            Ok(Some((header, bytes.len())))
        });
        assert_eq!(
            parse(&[&bytes, b"GET".as_slice()].concat()),
            expected,
            "{bytes:x?}"
        );
    }
    let too_long = version2(0x21, 0x11, &[0; 4097]);
    assert_eq!(parse(&too_long), Err(Malformed::TooLong));
}

#[test]
fn what_is_no_header_is_known_at_its_first_byte() {
    for bytes in [
        "GET / HTTP/1.1",
        "POST /",
        "\u{16}\u{3}\u{1}",
        "\r\n\r\nGET",
        " PROXY ",
    ] {
        assert_eq!(
            parse(bytes.as_bytes()),
            Err(Malformed::Missing),
            "{bytes:?}"
        );
    }
}

#[test]
fn ends_of_two_families_are_told_as_ipv6() {
    let mixed = ends("192.0.2.1:1", "[2001:db8::2]:2");
    let told = ends("[::ffff:192.0.2.1]:1", "[2001:db8::2]:2");
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let header = header(version, Header::Relayed(mixed));
        assert_eq!(
            parse(&header),
            Ok(Some((Header::Relayed(told), header.len())))
        );
    }
}

#[test]
fn a_connection_of_ones_own_says_so() {
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let header = header(version, Header::Own);
        assert_eq!(parse(&header), Ok(Some((Header::Own, header.len()))));
    }
}

fn any_end() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<([u8; 4], u16)>().prop_map(SocketAddr::from);
    let v6 = any::<([u8; 16], u16)>().prop_map(SocketAddr::from);
    prop_oneof![v4, v6]
}

proptest! {
    /// What is written is read, at any cut, and not a byte after it is touched.
    #[test]
    fn what_is_written_is_read(
        source in any_end(),
        destination in any_end(),
        is_second in any::<bool>(),
        after in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let version = if is_second { ProxyVersion::V2 } else { ProxyVersion::V1 };
        let ends = Ends { source, destination };
        let header = header(version, Header::Relayed(ends));
        for cut in 0..header.len() {
            prop_assert_eq!(parse(&header[..cut]), Ok(None), "at {}", cut);
        }
        let whole = [header.as_slice(), &after].concat();
        prop_assert_eq!(parse(&whole), Ok(Some((Header::Relayed(ends.of_one_family()), header.len()))));
    }

    #[test]
    fn any_bytes_at_all(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::proxy_header(&bytes);
        fuzzing::proxy_header(&[b"PROXY TCP4 ".as_slice(), &bytes].concat());
        fuzzing::proxy_header(&[b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".as_slice(), &bytes].concat());
    }
}

/// A header in pieces is taken whole, and what follows it stays in the socket.
#[tokio::test]
async fn a_header_is_taken_from_a_socket_without_what_follows() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ends = ends("192.0.2.1:1", "192.0.2.2:2");
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let header = header(version, Header::Relayed(ends));
        let sending = async {
            for byte in &header {
                client.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.write_all(b"after").await.unwrap();
        };
        let (received, ()) = tokio::join!(receive(&mut server), sending);
        assert_eq!(received.unwrap(), Header::Relayed(ends));
        let mut after = [0; 5];
        server.read_exact(&mut after).await.unwrap();
        assert_eq!(&after, b"after");

        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let refused = receive(&mut server).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}
