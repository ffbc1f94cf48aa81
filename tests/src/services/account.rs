//! The account under which services run.
//!
//! PostgreSQL and MariaDB refuse to run as root, and nothing else needs it: when the caller is
//! root, everything runs as a system account of its own. Any other caller runs them as itself.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

/// The system account made for the services; it owns nothing else and cannot log in.
pub(super) const NAME: &str = "waylog-services";

/// Whom the services run as, where that is not the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Whether the caller may install packages and has to step down to run services.
pub(super) fn caller_is_root() -> bool {
    geteuid().is_root()
}

impl Account {
    /// The account to step down to; none when the caller is not root.
    ///
    /// # Errors
    /// When the caller is root and the account was not made yet.
    pub(super) fn current() -> Result<Option<Self>> {
        if !caller_is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        match find(&passwd, NAME) {
            Some(account) => Ok(Some(account)),
            None => bail!("there is no account {NAME} yet; run: scripts/services install"),
        }
    }

    /// Whether the account can reach a directory: each of its parents must let it pass.
    pub(super) fn reaches(self, dir: &Path) -> bool {
        dir.ancestors().filter_map(|parent| fs::metadata(parent).ok()).all(|parent| {
            let mode = parent.permissions().mode();
            mode & 0o001 != 0
                || (parent.uid() == self.uid && mode & 0o100 != 0)
                || (parent.gid() == self.gid && mode & 0o010 != 0)
        })
    }
}

/// Others may pass through to the services' directories, which are closed themselves; a directory
/// for temporary files is made closed to all but its owner.
///
/// # Errors
/// When it cannot be made, or is somebody else's and closed.
pub(super) fn make_passable(dir: &Path) -> Result<()> {
    let open = || -> std::io::Result<()> {
        fs::create_dir_all(dir)?;
        let mut mode = fs::metadata(dir)?.permissions();
        if mode.mode() & 0o011 != 0o011 {
            mode.set_mode(mode.mode() | 0o011);
            fs::set_permissions(dir, mode)?;
        }
        Ok(())
    };
    open().with_context(|| format!("cannot make {}", dir.display()))
}

/// Makes a directory that the account owns and nobody else may enter.
///
/// # Errors
/// When it cannot be made.
pub(super) fn private_dir(dir: &Path, account: Option<Account>) -> Result<()> {
    let make = || -> std::io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        own(dir, account)
    };
    make().with_context(|| format!("cannot make {}", dir.display()))
}

/// Writes a file that only the account reads.
///
/// # Errors
/// When it cannot be written.
pub(super) fn private_file(
    file: &Path,
    content: impl AsRef<[u8]>,
    account: Option<Account>,
) -> Result<()> {
    let write = || -> std::io::Result<()> {
        // Made empty and closed to others before the secret is in it.
        fs::File::create(file)?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        fs::write(file, &content)?;
        own(file, account)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

fn own(path: &Path, account: Option<Account>) -> std::io::Result<()> {
    match account {
        Some(Account { uid, gid }) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Where a set keeps its data: in its own directory, unless the account cannot get there (a
/// checkout in root's home); then in a directory of `/var/lib` named after it.
pub(super) fn data_dir(home: &Path, account: Option<Account>) -> PathBuf {
    match account {
        Some(account) if !account.reaches(home) => {
            let flat = home.to_string_lossy().replace('%', "%25").replace('/', "%");
            Path::new("/var/lib").join(NAME).join(flat)
        }
        _ => home.join("data"),
    }
}

fn find(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Account { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/:/bin/sh\nwaylog-services-2:x:8:9:::\nwaylog-services:x:6:7:::";

        let found = find(passwd, NAME);

        assert_eq!(found, Some(Account { uid: 6, gid: 7 }));
        assert_eq!(find(passwd, "waylog"), None);
    }

    #[test]
    fn data_moves_out_of_a_directory_that_the_account_cannot_enter() {
        let dir = tempfile::tempdir().unwrap();
        let stranger = Account { uid: 64_321, gid: 64_321 };
        let home = dir.path().join("set");
        fs::create_dir(&home).unwrap();

        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let closed = data_dir(&home, Some(stranger));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let open = data_dir(&home, Some(stranger));

        assert!(closed.starts_with("/var/lib/waylog-services"));
        assert_eq!(open, home.join("data"));
        assert_eq!(data_dir(&home, None), home.join("data"));
    }

    #[test]
    fn a_secret_is_readable_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");

        private_file(&file, "hush", None).unwrap();

        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), "hush");
    }
}
