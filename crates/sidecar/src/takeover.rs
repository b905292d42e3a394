//! One process of a node takes over from another without a connection lost: for a new version of the binary.
//!
//! The old process waits on a Unix socket in its state directory. The new one gets the listening sockets
//! there (`SCM_RIGHTS`), applies its view on them, and only when it serves says so; then the old one drains
//! and ends. Both accept meanwhile, from the same queues, so no connection waits in one that nobody looks
//! at. A new process that fails before is forgotten, and the old one goes on as if nothing had been.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proxy::DataPlane;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Sockets in one message; the kernel allows 253.
const BATCH: usize = 64;

/// How long one side waits for a word of the other, but for the word that the new process serves.
const WORD: Duration = Duration::from_secs(5);

/// How long the new process may take until it serves.
const READY: Duration = Duration::from_secs(120);

const SOCKETS: u8 = b'S';
const ALL_SENT: u8 = b'E';
const SERVES: u8 = b'R';
const DRAINS: u8 = b'D';

#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    #[error("no proxy of this node runs with this state: nobody listens on {}", path.display())]
    Nobody {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the proxy that runs did not hand its sockets over")]
    Refused(#[source] io::Error),
    #[error("this proxy does not serve after {0:?}: the one that runs goes on")]
    NotReady(Duration),
}

/// Where the process of a node waits for its successor. A Unix socket's path must be short, and a node's
/// may be long: so the name is a digest of it.
pub(crate) fn path_of(node: &str, state: &Path) -> PathBuf {
    // FNV-1a: the same in every version, and nobody gains by a collision.
    let digest = node
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    state.join(format!("takeover-{digest:016x}"))
}

/// The successor's side, from the sockets to the word that it serves.
#[derive(Debug)]
pub(crate) struct Predecessor(UnixStream);

impl Predecessor {
    /// Asks the process that runs for its sockets.
    pub(crate) fn ask(path: &Path) -> Result<(Self, Vec<TcpListener>), TakeoverError> {
        let stream = UnixStream::connect(path).map_err(|source| TakeoverError::Nobody {
            path: path.to_owned(),
            source,
        })?;
        let received = stream
            .set_read_timeout(Some(WORD))
            .and_then(|()| receive(&stream));
        let sockets = received.map_err(TakeoverError::Refused)?;
        Ok((Self(stream), sockets))
    }

    /// Tells it that this process serves. It drains from then on.
    pub(crate) fn dismiss(mut self) -> Result<(), TakeoverError> {
        let answered = self.0.write_all(&[SERVES]).and_then(|()| {
            let mut answer = [0];
            self.0.read_exact(&mut answer)
        });
        answered.map_err(TakeoverError::Refused)
    }
}

/// Waits for a successor.
#[derive(Debug)]
pub(crate) struct Heir {
    listener: Arc<UnixListener>,
    path: PathBuf,
}

impl Heir {
    /// Takes the place of a process that is gone, or was dismissed.
    pub(crate) fn wait_at(path: PathBuf) -> io::Result<Self> {
        // Renamed into place, so that there is always somebody to ask.
        let draft = path.with_extension(std::process::id().to_string());
        let listener = UnixListener::bind(&draft)?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
        fs::rename(&draft, &path)?;
        Ok(Self {
            listener: Arc::new(listener),
            path,
        })
    }

    /// Returns when a successor serves.
    pub(crate) async fn succeeded(&self, plane: &DataPlane) -> io::Result<()> {
        loop {
            let listener = Arc::clone(&self.listener);
            let accepted = tokio::task::spawn_blocking(move || listener.accept()).await;
            let (stream, _) = accepted.map_err(io::Error::other)??;
            let sockets = plane.sockets().await?;
            let handed = tokio::task::spawn_blocking(move || hand_over(stream, &sockets)).await;
            match handed.map_err(io::Error::other)? {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "a process that was to take over did not: going on");
                }
            }
        }
    }

    /// Nobody is to be asked here any more.
    pub(crate) fn leave(&self) {
        fs::remove_file(&self.path).ok();
    }
}

fn hand_over(mut stream: UnixStream, sockets: &[TcpListener]) -> io::Result<()> {
    let peer = socket_peercred(&stream)?;
    if peer.uid != rustix::process::geteuid() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(Some(READY))?;
    stream.set_write_timeout(Some(WORD))?;
    for batch in sockets.chunks(BATCH) {
        let descriptors: Vec<BorrowedFd<'_>> = batch.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let word = [IoSlice::new(&[SOCKETS])];
        sendmsg(&stream, &word, &mut ancillary, SendFlags::empty())?;
    }
    stream.write_all(&[ALL_SENT])?;
    let mut word = [0];
    stream.read_exact(&mut word)?;
    match word {
        [SERVES] => stream.write_all(&[DRAINS]),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    loop {
        let mut word = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let heard = recvmsg(
            stream,
            &mut [IoSliceMut::new(&mut word)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                sockets.extend(descriptors.map(TcpListener::from));
            }
        }
        match (heard.bytes, word) {
            (1, [SOCKETS]) => {}
            (1, [ALL_SENT]) => return Ok(sockets),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};

    fn listeners(count: usize) -> Vec<TcpListener> {
        let any = (Ipv4Addr::LOCALHOST, 0);
        (0..count)
            .map(|_| TcpListener::bind(any).unwrap())
            .collect()
    }

    #[test]
    fn sockets_pass_however_many_and_go_on_accepting() {
        for count in [0, 1, BATCH, BATCH + 3] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let sockets = listeners(count);
            let addresses: Vec<_> = sockets
                .iter()
                .map(|socket| socket.local_addr().unwrap())
                .collect();
            let old = std::thread::spawn(move || hand_over(theirs, &sockets));
            let received = receive(&ours).unwrap();
            let seen: Vec<_> = received
                .iter()
                .map(|socket| socket.local_addr().unwrap())
                .collect();
            assert_eq!(seen, addresses);
            Predecessor(ours).dismiss().unwrap();
            old.join().unwrap().unwrap();
            for (socket, address) in received.iter().zip(addresses) {
                let client = TcpStream::connect(address).unwrap();
                assert_eq!(socket.accept().unwrap().1, client.local_addr().unwrap());
            }
        }
    }

    #[test]
    fn a_successor_that_fails_before_it_serves_changes_nothing() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let old = std::thread::spawn(move || hand_over(theirs, &listeners(2)));
        drop(receive(&ours).unwrap());
        drop(ours);
        assert!(old.join().unwrap().is_err());
    }

    #[test]
    fn a_long_name_of_a_node_has_a_short_path() {
        let path = path_of(&"n".repeat(500), Path::new("/state"));
        assert!(path.as_os_str().len() < 40);
        assert_ne!(path, path_of(&"n".repeat(499), Path::new("/state")));
    }
}
