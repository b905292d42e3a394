//! rustls without buffers of its own: records are decrypted where they were received, and encrypted to
//! where they are sent from.
//!
//! `input` is always all that came and was not consumed: rustls remembers positions in it between calls.

use std::fmt;
use std::ops::Deref;

use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

pub(super) enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What was made of the input.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes of the input that are done with.
    pub(super) consumed: usize,
    /// The peer said that nothing more will come.
    pub(super) peer_closed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Again,
    PeerClosed,
    /// Nothing more to do without more input.
    Idle,
}

impl Session {
    /// Acts on whole records: plain text goes to `plain`, answers of the protocol's own to `outgoing`.
    pub(super) fn advance(
        &mut self,
        input: &mut [u8],
        outgoing: &mut Vec<u8>,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<Progress, rustls::Error> {
        let mut progress = Progress::default();
        loop {
            let rest = &mut input[progress.consumed..];
            match self.step(rest, outgoing, &mut plain, &mut progress.consumed) {
                Ok(Step::Again) => {}
                Ok(Step::PeerClosed) => progress.peer_closed = true,
                Ok(Step::Idle) => return Ok(progress),
                Err(error) => {
                    // The peer is told why, where rustls has an alert for it.
                    let rest = &mut input[progress.consumed..];
                    drop(self.step(rest, outgoing, &mut |_| (), &mut 0));
                    return Err(error);
                }
            }
        }
    }

    fn step(
        &mut self,
        input: &mut [u8],
        outgoing: &mut Vec<u8>,
        plain: &mut impl FnMut(&[u8]),
        consumed: &mut usize,
    ) -> Result<Step, rustls::Error> {
        match self {
            Self::Client(client) => {
                let status = client.process_tls_records(input);
                act(status, outgoing, plain, consumed)
            }
            Self::Server(server) => {
                let status = server.process_tls_records(input);
                act(status, outgoing, plain, consumed)
            }
        }
    }

    /// Encrypts all of `plain` to the start of `output`, after `advance` had nothing more to do.
    pub(super) fn encrypt(
        &mut self,
        input: &mut [u8],
        plain: &[u8],
        output: &mut [u8],
    ) -> Result<usize, rustls::Error> {
        match self {
            Self::Client(client) => match client.process_tls_records(input).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    traffic.encrypt(plain, output).map_err(cannot_encrypt)
                }
                _ => Err(rustls::Error::General("the TLS session has ended".into())),
            },
            Self::Server(server) => match server.process_tls_records(input).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    traffic.encrypt(plain, output).map_err(cannot_encrypt)
                }
                _ => Err(rustls::Error::General("the TLS session has ended".into())),
            },
        }
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn close(
        &mut self,
        input: &mut [u8],
        output: &mut [u8],
    ) -> Result<usize, rustls::Error> {
        match self {
            Self::Client(client) => match client.process_tls_records(input).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    traffic.queue_close_notify(output).map_err(cannot_encrypt)
                }
                _ => Ok(0),
            },
            Self::Server(server) => match server.process_tls_records(input).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    traffic.queue_close_notify(output).map_err(cannot_encrypt)
                }
                _ => Ok(0),
            },
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Session::Client(..)",
            Self::Server(_) => "Session::Server(..)",
        })
    }
}

impl Deref for Session {
    type Target = CommonState;

    fn deref(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }
}

fn act<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    plain: &mut impl FnMut(&[u8]),
    consumed: &mut usize,
) -> Result<Step, rustls::Error> {
    let UnbufferedStatus { discard, state } = status;
    *consumed += discard;
    match state? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                *consumed += record.discard;
                plain(record.payload);
            }
            Ok(Step::Again)
        }
        ConnectionState::EncodeTlsData(mut record) => {
            let start = outgoing.len();
            let written = match record.encode(&mut []) {
                Err(EncodeError::InsufficientSize(needs)) => {
                    outgoing.resize(start + needs.required_size, 0);
                    record.encode(&mut outgoing[start..])
                }
                written => written,
            };
            let written = written.map_err(|error| rustls::Error::General(error.to_string()))?;
            outgoing.truncate(start + written);
            Ok(Step::Again)
        }
        // What was encoded is sent before anything that is encrypted later.
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Ok(Step::Again)
        }
        ConnectionState::PeerClosed => Ok(Step::PeerClosed),
        ConnectionState::WriteTraffic(_)
        | ConnectionState::BlockedHandshake
        | ConnectionState::Closed => Ok(Step::Idle),
        _ => Err(rustls::Error::General(
            "early data was not asked for".into(),
        )),
    }
}

fn cannot_encrypt(error: EncryptError) -> rustls::Error {
    rustls::Error::General(error.to_string())
}
