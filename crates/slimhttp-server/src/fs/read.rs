//! The one place that reads files. What the system has in memory is read on the thread that
//! asks; what a disk has to be waited for is read on the blocking pool. Every read goes on
//! after a signal (EINTR), and every read says from where, so that one open file serves many.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// So many bytes are read at once, if the system has them: an HTTP/2 client may ask
/// for as much on each of its streams, and read none of it.
const SMALL: usize = 16 * 1024;

/// How far apart the bytes are that show whether a piece of a file is in memory: what
/// the system reads ahead, unless it is set otherwise.
const STRIDE: u64 = 128 * 1024;

/// Reads what the system has in memory, without waiting for a disk.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where a disk would have to be waited for, or the
/// system does not say; others as reading.
pub(crate) fn read_ready(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};

        let slices = &mut [io::IoSliceMut::new(bytes)];
        match rustix::io::retry_on_intr(|| preadv2(file, slices, offset, ReadWriteFlags::NOWAIT)) {
            // Some file systems do not know the flag: then the pool reads.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            outcome => Ok(outcome?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes, offset);
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Reads what one read gives, waiting for the disk: 0 bytes at the end of the file. For the
/// blocking pool.
///
/// # Errors
/// As reading.
pub(crate) fn read_some(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Reads `length` bytes from `start` where they are few and the system has them
/// in memory; else `None`.
pub(crate) fn read_at_once(file: &File, start: u64, length: u64) -> Option<Bytes> {
    let length = usize::try_from(length).ok().filter(|&length| length <= SMALL)?;
    let mut bytes = BytesMut::zeroed(length);
    match read_ready(file, &mut bytes, start) {
        Ok(count) if count == length => Some(bytes.freeze()),
        _ => None,
    }
}

/// Reads a file whole: on this thread as far as the system has it in memory, the
/// rest on the blocking pool. It is as long as it is now, at most `length`.
///
/// # Errors
/// As reading.
pub(crate) async fn read_whole(file: &Arc<File>, length: usize) -> io::Result<Bytes> {
    let mut bytes = BytesMut::zeroed(length);
    let mut count = match read_ready(file, &mut bytes, 0) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if count == length {
        return Ok(bytes.freeze());
    }
    let file = file.clone();
    tokio::task::spawn_blocking(move || {
        while count < length {
            match read_some(&file, &mut bytes[count..], count as u64)? {
                0 => break,
                more => count += more,
            }
        }
        bytes.truncate(count);
        Ok(bytes.freeze())
    })
    .await?
}

/// Whether the system has the bytes from `offset` on in memory, as far as a look
/// here and there can show.
///
/// # Errors
/// As reading.
pub(crate) fn is_in_memory(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    let mut byte = [0];
    let last = offset + length - 1;
    let mut at = offset;
    loop {
        match read_ready(file, &mut byte, at) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if at == last {
            return Ok(true);
        }
        at = (at + STRIDE).min(last);
    }
}

/// Makes the system read these bytes into memory. For the blocking pool.
///
/// # Errors
/// As reading.
pub(crate) fn load(file: &File, mut offset: u64, length: u64) -> io::Result<()> {
    let end = offset + length;
    let mut bytes = vec![0; STRIDE as usize];
    while offset < end {
        let count = usize::try_from(end - offset).unwrap_or(usize::MAX).min(bytes.len());
        match read_some(file, &mut bytes[..count], offset)? {
            0 => return Ok(()),
            read => offset += read as u64,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
