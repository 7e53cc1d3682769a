//! Owner, mode and times of an output: never more than its input has.
//!
//! All of it is done on open files, not on names, which may stand for others by then. An output is
//! its owner's alone until it is whole; then it gets the owner and group of its input where that is
//! allowed, then the permission bits, of which those that give a program its owner's rights are
//! left out, then the times.

use std::fs::{FileTimes, Metadata};
use std::io;

use std::fs::File;

/// Gives a new file the rights and times of an open one. Who could not read that one cannot read
/// the new one; where owner, group or lists cannot be taken over, fewer can.
pub fn take_over(from: &File, to: &File) -> io::Result<()> {
    let data = from.metadata()?;
    #[cfg(unix)]
    unix::take_over(from, &data, to)?;
    #[cfg(not(unix))]
    to.set_permissions(data.permissions())?;
    set_times(&data, to)
}

fn set_times(data: &Metadata, to: &File) -> io::Result<()> {
    let mut times = FileTimes::new().set_modified(data.modified()?);
    if let Ok(accessed) = data.accessed() {
        times = times.set_accessed(accessed);
    }
    to.set_times(times)
}

/// Gives a new file no more rights than an open device or pipe has, nor than new files have. They
/// are about other things than a file, so neither owner nor times are taken over.
pub fn at_most(from: &File, to: &File) -> io::Result<()> {
    #[cfg(unix)]
    return unix::at_most(&from.metadata()?, to);
    #[cfg(not(unix))]
    return from.metadata().and_then(|_| usual(to));
}

/// Gives a new file the rights that files have which take them from nothing else: those of the mask
/// for new files.
pub fn usual(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    unix::set_mode(file, super::startup::mode_of_new_files())?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::fs::{File, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
        lists::remove(file)?;
        file.set_permissions(Permissions::from_mode(mode))
    }

    pub fn at_most(data: &Metadata, to: &File) -> io::Result<()> {
        let same = to.metadata()?.gid() == data.gid();
        let mode = if same { data.mode() } else { narrowed(data.mode()) };
        set_mode(to, mode & crate::startup::mode_of_new_files())
    }

    pub fn take_over(from: &File, data: &Metadata, to: &File) -> io::Result<()> {
        let own = to.metadata()?;
        // The owner first: a change of it takes the set-user-ID bit away, and only a mode set later
        // is one for the right owner. Who is not allowed to give files away stays their owner.
        if own.uid() != data.uid() {
            let _ = fchown(to, Some(data.uid()), None);
        }
        let group = own.gid() == data.gid() || fchown(to, None, Some(data.gid())).is_ok();
        lists::remove(to)?;
        let list = lists::read(from)?;
        let mode = match list {
            None if group => data.mode() & 0o777,
            // Others are in its group: they get what both the group and all others had, and so do
            // all others, among whom the members of the group now are.
            None => narrowed(data.mode()),
            // The group's bits of a file with a list are those of the list's mask.
            Some(list) if group && lists::write(to, &list).is_ok() => data.mode() & 0o777,
            Some(_) => data.mode() & 0o700,
        };
        to.set_permissions(Permissions::from_mode(mode))
    }

    /// Permission bits for a file whose group is not the one that they were meant for.
    pub fn narrowed(mode: u32) -> u32 {
        let both = mode >> 3 & mode & 7;
        mode & 0o700 | both << 3 | both
    }

    /// Access control lists, which grant rights beside the permission bits. Only Linux has them
    /// where this program can see them; a folder may give them to new files.
    #[cfg(target_os = "linux")]
    mod lists {
        use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
        use rustix::io::Errno;
        use std::fs::File;
        use std::io;

        const NAME: &str = "system.posix_acl_access";
        /// The most bytes that Linux gives to an attribute.
        const LONGEST: usize = 64 << 10;

        /// A list, as the system writes it.
        pub fn read(file: &File) -> io::Result<Option<Vec<u8>>> {
            let mut list = vec![0; LONGEST];
            match fgetxattr(file, NAME, &mut list[..]) {
                Ok(length) => {
                    list.truncate(length);
                    Ok(Some(list))
                }
                Err(error) if has_none(error) => Ok(None),
                Err(error) => Err(error.into()),
            }
        }

        pub fn write(file: &File, list: &[u8]) -> io::Result<()> {
            Ok(fsetxattr(file, NAME, list, XattrFlags::empty())?)
        }

        pub fn remove(file: &File) -> io::Result<()> {
            match fremovexattr(file, NAME) {
                Err(error) if !has_none(error) => Err(error.into()),
                _ => Ok(()),
            }
        }

        /// Whether there is no list, or there are none on that file system.
        fn has_none(error: Errno) -> bool {
            [Errno::NODATA, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL].contains(&error)
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod lists {
        use std::fs::File;
        use std::io;

        pub fn read(_: &File) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        pub fn write(_: &File, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        pub fn remove(_: &File) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn bits_for_another_group() {
        for (mode, narrow) in
            [(0o640, 0o600), (0o644, 0o644), (0o664, 0o644), (0o606, 0o600), (0o6777, 0o777)]
        {
            assert_eq!(unix::narrowed(mode), narrow, "{mode:o}");
        }
    }

    #[test]
    fn mode_and_times_without_special_bits() {
        let folder = tempfile::TempDir::new().unwrap();
        let [from, to] = ["a", "b"].map(|name| File::create(folder.path().join(name)).unwrap());
        from.set_permissions(Permissions::from_mode(0o7651)).unwrap();
        let then =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        from.set_modified(then).unwrap();
        // Whatever the name stands for by now.
        fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        take_over(&from, &to).unwrap();
        let data = fs::metadata(folder.path().join("c")).unwrap();
        assert_eq!((data.mode() & 0o7777, data.modified().unwrap()), (0o651, then));
        assert_eq!(data.uid(), from.metadata().unwrap().uid());
    }
}
