//! One direction through a pipe: bytes never enter the process.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

const SIZE: usize = 256 << 10;

pub(crate) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Bytes in the pipe.
    pub(crate) held: usize,
}

impl Pipe {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // Where the limit for pipes is lower, the default size does as well.
        let _enlarged = fcntl_setpipe_size(&write, SIZE);
        Ok(Self {
            read,
            write,
            held: 0,
        })
    }

    /// Whether the source has ended.
    pub(crate) fn forward(&mut self, source: &TcpStream, sink: &TcpStream) -> io::Result<bool> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        loop {
            while self.held > 0 {
                match splice(&self.read, None, sink, None, self.held, flags) {
                    Ok(moved) => self.held -= moved,
                    Err(Errno::AGAIN) => return Ok(false),
                    Err(error) => return Err(error.into()),
                }
            }
            match splice(source, None, &self.write, None, SIZE, flags) {
                Ok(0) => return Ok(true),
                Ok(moved) => self.held = moved,
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
