//! Files without a name, and giving their space back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::random::Random;

/// How many names are tried where a file cannot be made without one.
const NAMES: u32 = 16;

/// A new file in `folder` that has no name (any more), for this user only.
pub(crate) fn nameless(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    #[cfg(target_os = "linux")]
    {
        let opened = options.clone().custom_flags(libc::O_TMPFILE).open(folder);
        match opened {
            Ok(file) => return Ok(file),
            // Neither the file system nor the kernel need know it.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT | libc::EINVAL)
                ) => {}
            Err(error) => return Err(error),
        }
    }
    named(&mut options, folder)
}

/// The same by way of a name that nobody knows, which is taken away at once.
fn named(options: &mut OpenOptions, folder: &Path) -> io::Result<File> {
    let mut random = Random::new();
    let mut tries = 0;
    loop {
        let number = random.below(1 << 48);
        let path = folder.join(format!(".everspread-{}-{number:012x}", std::process::id()));
        match options.create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < NAMES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Moves a file to a high number, so that small ones stay free for mailboxes.
pub(crate) fn move_high(file: File) -> File {
    File::from(super::fd::move_high(OwnedFd::from(file)))
}

/// Gives the space of a part of the file back. What is read there afterwards is zero.
pub(crate) fn punch(file: &File, from: u64, to: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let (Ok(offset), Ok(length)) =
            (i64::try_from(from), i64::try_from(to.saturating_sub(from)))
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: takes numbers only and touches no memory of ours.
        let result = unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, length) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, from, to);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Has the system begin to read a part of the file, if it is not in memory. Does not wait.
pub(crate) fn will_need(file: &File, from: u64, to: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(length)) = (i64::try_from(from), i64::try_from(to.saturating_sub(from)))
        && length > 0
    {
        // SAFETY: takes numbers only and touches no memory of ours. It is advice: errors change nothing.
        unsafe {
            libc::posix_fadvise(file.as_raw_fd(), offset, length, libc::POSIX_FADV_WILLNEED);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, from, to);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    fn check(file: &File, folder: &Path) {
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.nlink(), 0);
        assert_eq!(metadata.mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
        file.write_all_at(b"hello", 3).unwrap();
        let mut back = [0; 8];
        file.read_exact_at(&mut back, 0).unwrap();
        assert_eq!(&back, b"\0\0\0hello");
    }

    #[test]
    fn files_have_no_name_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        check(&nameless(folder.path()).unwrap(), folder.path());
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        check(&named(&mut options, folder.path()).unwrap(), folder.path());
        assert!(nameless(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn a_hole_takes_no_space() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 1 << 20], 0).unwrap();
        file.sync_all().unwrap();
        let before = file.metadata().unwrap().blocks();
        if punch(&file, 0, 1 << 19).is_ok() {
            file.sync_all().unwrap();
            assert!(file.metadata().unwrap().blocks() < before);
            let mut back = [0; 1];
            file.read_exact_at(&mut back, 1 << 19).unwrap();
            assert_eq!(back, [7]);
        }
    }
}
