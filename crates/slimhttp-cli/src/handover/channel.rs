//! Messages between a process and its successor: a JSON object a line, over a socket pair. One may
//! bring a descriptor (`SCM_RIGHTS`), which comes as ours, closed for whoever we start.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde_json::{Value, json};

/// How long a message may take to be sent: the other process reads, or is stuck.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a line may be, in bytes: what a successor says of its failure is the longest.
const MAX_LINE: usize = 1 << 20;

/// How many descriptors are taken at once.
const AT_ONCE: usize = 16;

/// A message.
#[derive(Debug)]
pub(super) enum Message {
    /// A socket that listens, and what it is for.
    Socket(String, OwnedFd),
    /// All sockets have come.
    Begin,
    /// The successor can open what it needs only when its predecessor has let go of it.
    Alone,
    /// The successor serves.
    Ready,
    /// The successor does not, and why.
    Failed(String),
    /// The successor is on its own from now on.
    Go,
}

/// One end.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    received: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Channel {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        Ok(Self { socket, received: Vec::new(), descriptors: VecDeque::new() })
    }

    /// The same end once more, to send by while another thread receives.
    pub(super) fn sender(&self) -> io::Result<Self> {
        Self::new(self.socket.try_clone()?)
    }

    /// Sends a message that brings no descriptor.
    ///
    /// # Errors
    /// The system's: the other process has ended, or is stuck.
    pub(super) fn send(&self, kind: &str, text: &str) -> io::Result<()> {
        self.send_all(kind, text, &[])
    }

    /// Sends a socket that listens, with its name.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) fn send_socket(&self, name: &str, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.send_all("socket", name, &[socket])
    }

    fn send_all(&self, kind: &str, text: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let line = format!("{}\n", json!({ "kind": kind, "text": text }));
        let mut rest = line.as_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        while !rest.is_empty() {
            // With the first bytes go the descriptors.
            match sendmsg(&self.socket, &[IoSlice::new(rest)], &mut ancillary, SendFlags::empty()) {
                Ok(sent) => {
                    rest = &rest[sent..];
                    ancillary.clear();
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Receives the next message, for as long as `timeout` (without one: for ever); `None` at the
    /// end of the other process.
    ///
    /// # Errors
    /// `WouldBlock` where none has come in time, the system's, and what is no message.
    pub(super) fn receive(&mut self, timeout: Option<Duration>) -> io::Result<Option<Message>> {
        self.socket.set_read_timeout(timeout)?;
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<_> = self.received.drain(..=end).collect();
                return self.parse(&line).map(Some);
            }
            if self.received.len() > MAX_LINE {
                return Err(garbled());
            }
            if !self.receive_more()? {
                return Ok(None);
            }
        }
    }

    /// Whether something has come.
    fn receive_more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let read = loop {
            let mut into = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.socket, &mut into, &mut ancillary, flags) {
                Err(rustix::io::Errno::INTR) => {}
                read => break read,
            }
        };
        // A process that is killed with messages unread resets what it leaves.
        let read = match read {
            Err(rustix::io::Errno::CONNRESET) => 0,
            read => read?.bytes,
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(sent) = message {
                self.descriptors.extend(sent);
            }
        }
        self.received.extend_from_slice(&bytes[..read]);
        Ok(read > 0)
    }

    fn parse(&mut self, line: &[u8]) -> io::Result<Message> {
        let message: Value = serde_json::from_slice(line).map_err(|_| garbled())?;
        let text = || message["text"].as_str().unwrap_or_default().to_owned();
        match message["kind"].as_str() {
            // A descriptor comes with the first byte of its message, so it is there by now.
            Some("socket") => match self.descriptors.pop_front() {
                Some(socket) => Ok(Message::Socket(text(), socket)),
                None => Err(io::Error::other("a socket was announced and did not come")),
            },
            Some("begin") => Ok(Message::Begin),
            Some("alone") => Ok(Message::Alone),
            Some("ready") => Ok(Message::Ready),
            Some("failed") => Ok(Message::Failed(text())),
            Some("go") => Ok(Message::Go),
            _ => Err(garbled()),
        }
    }
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came over the channel is no message")
}

#[cfg(test)]
mod tests;
