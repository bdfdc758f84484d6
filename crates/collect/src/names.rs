//! Names for people: of this machine and of its users.

use std::path::Path;

/// The name of this machine; a label, not its identity. `localhost` where it has none. Foreign text.
pub fn host_name() -> String {
    sysinfo::System::host_name().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// The name of the user with this numeric id in `/etc/passwd`, which is read on each call. Foreign text.
///
/// `None` where nobody is called so. Users that only a directory server knows have no name here: asking one could take
/// long, and the watch asks no server that its configuration does not name.
pub fn user_name(uid: u32) -> Option<String> {
    user_name_in(Path::new("/etc/passwd"), uid)
}

/// The same from another user database. The first line with the id wins, as everywhere.
fn user_name_in(database: &Path, uid: u32) -> Option<String> {
    let database = std::fs::read(database).ok()?;
    let line = database.split(|byte| *byte == b'\n').find(|line| {
        // name:password:uid:...
        let id = line.split(|byte| *byte == b':').nth(2).and_then(|id| std::str::from_utf8(id).ok());
        id.and_then(|id| id.parse().ok()) == Some(uid)
    })?;
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    // Lines that begin with + or - belong to a directory service and name nobody.
    let names_somebody = !matches!(name.first(), None | Some(b'+' | b'-' | b'#'));
    names_somebody.then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn database(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        file
    }

    #[test]
    fn this_machine_has_a_name() {
        assert!(!host_name().is_empty());
    }

    #[test]
    fn users_are_found_by_their_number() {
        let file = database(
            b"root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n\nbroken\nodd:x:12a:0\n+::5:::\n#old:x:6:6\n:x:7:7\nj\xf6rg:x:1000:1000\nada:x:1001:1001:A:/:",
        );
        for (uid, name) in [
            (0, Some("root")),
            (12, None),
            (5, None),
            (6, None),
            (7, None),
            (1_000, Some("j\u{fffd}rg")),
            (1_001, Some("ada")),
            (u32::MAX, None),
        ] {
            assert_eq!(user_name_in(file.path(), uid).as_deref(), name, "{uid}");
        }
        assert_eq!(user_name_in(Path::new("/nonexistent"), 0), None);
    }

    #[cfg(unix)]
    #[test]
    fn root_is_called_root_and_a_stranger_has_no_name() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_name(4_111_222_333), None);
    }

    proptest! {
        #[test]
        fn any_database_is_answered(bytes: Vec<u8>) {
            let _ = user_name_in(database(&bytes).path(), 0);
        }
    }
}
