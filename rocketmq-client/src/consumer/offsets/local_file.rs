//! The offsets of a broadcast consumer, in Java's file format (`LocalFileOffsetStore`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rocketmq_remoting::protocol::body::{self, ResetOffsetBody};

use crate::model::MessageQueue;

/// Offsets by queue.
pub(crate) type Offsets = BTreeMap<MessageQueue, i64>;

/// A file with the offsets of one group of one client: `DIR/CLIENT_ID/GROUP/offsets.json`, and the state before it in
/// `offsets.json.bak`.
///
/// Java's clients read it, and theirs is read here. A state is written to a third file, synced, and renamed: a crash or a
/// full disk leaves a complete state at each moment, and a file that was cut all the same is read from its backup.
///
/// Files are read and written on tokio's blocking threads, one call at a time.
#[derive(Debug, Clone)]
pub(crate) struct LocalFile {
    path: Arc<Path>,
    /// A store whose future was dropped goes on: the next waits for it.
    turn: Arc<Mutex<()>>,
}

impl LocalFile {
    /// The file of a group of a client below the directory of all offsets.
    pub(crate) fn new(dir: &Path, client_id: &str, group: &str) -> Self {
        // An instance name of the user's may hold separators; Java's ids hold none.
        let folder = |name: &str| name.replace(['/', '\\'], "_");
        let path = dir.join(folder(client_id)).join(folder(group)).join("offsets.json");
        Self { path: path.into(), turn: Arc::default() }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The offsets as they were last stored; none if they never were.
    ///
    /// # Errors
    /// When the file and its backup cannot be read, or are damaged. To go on without them would be to start anew: the
    /// user has to decide.
    pub(crate) async fn load(&self) -> io::Result<Offsets> {
        let file = self.clone();
        off_the_workers(move || file.read()).await
    }

    /// Stores offsets. What the file has of other queues stays.
    ///
    /// When the future is dropped the file is written all the same.
    ///
    /// # Errors
    /// When the disk is full or refuses. The file then has the older offsets.
    pub(crate) async fn store(&self, offsets: Offsets) -> io::Result<()> {
        let file = self.clone();
        off_the_workers(move || file.write(offsets)).await
    }

    fn read(&self) -> io::Result<Offsets> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_state()
    }

    fn read_state(&self) -> io::Result<Offsets> {
        let damage = match read_table(&self.path) {
            Ok(Some(offsets)) => return Ok(offsets),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match (read_table(&self.backup()), damage) {
            (Ok(Some(offsets)), damage) => {
                let path = self.path.display();
                let reason = damage.map_or_else(|| "it is missing".to_owned(), |error| error.to_string());
                tracing::warn!(%path, reason, "offsets are read from the backup");
                Ok(offsets)
            }
            (Ok(None), None) => Ok(Offsets::new()),
            (Ok(None), Some(error)) | (Err(error), _) => Err(error),
        }
    }

    fn write(&self, offsets: Offsets) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.read_state()?;
        table.extend(offsets);
        let text = body::encode_body(&ResetOffsetBody { offset_table: table }).map_err(io::Error::other)?;
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        // Two processes with one client id are a mistake, and must not write into one file.
        let temporary = self.with_suffix(&format!("{}.tmp", std::process::id()));
        let written = write_and_sync(&temporary, &text).and_then(|()| self.replace(dir, &temporary, &text));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Makes the written file the current state, and the current state the backup, unless it is damaged: then the backup is
    /// better. At each moment one of the two is complete.
    fn replace(&self, dir: &Path, written: &Path, text: &[u8]) -> io::Result<()> {
        match read_table(&self.path) {
            Ok(Some(_)) => fs::rename(&self.path, self.backup())?,
            // The first state has no state before it: its backup is a copy of itself.
            Ok(None) if !self.backup().exists() => {
                fs::rename(written, self.backup())?;
                write_and_sync(written, text)?;
            }
            Ok(None) | Err(_) => {}
        }
        fs::rename(written, &self.path)?;
        sync_dir(dir)
    }

    fn backup(&self) -> PathBuf {
        self.with_suffix("bak")
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".");
        path.push(suffix);
        path.into()
    }
}

/// The offsets of a file; none if there is no file.
fn read_table(path: &Path) -> io::Result<Option<Offsets>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path, &error)),
    };
    match body::decode_body::<ResetOffsetBody>(&text) {
        Ok(table) => Ok(Some(table.offset_table.into_iter().filter(|(_, offset)| *offset >= 0).collect())),
        Err(error) => {
            let error = io::Error::new(ErrorKind::InvalidData, crate::error::with_causes(&error));
            Err(named(path, &error))
        }
    }
}

fn write_and_sync(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Without it, a power failure may undo the renames.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory of its own, gone at the end.
    struct Dir(PathBuf);

    impl Dir {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name =
                format!("rocketmq-offsets-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let dir = std::env::temp_dir().join(name);
            fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        fn file(&self) -> LocalFile {
            LocalFile::new(&self.0, "10.0.0.1@DEFAULT", "g")
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn offsets(first: i64) -> Offsets {
        let queue = |id| MessageQueue::new("Orders", "broker-a", id);
        Offsets::from([(queue(0), first), (queue(1), first + 1)])
    }

    #[tokio::test]
    async fn what_is_stored_is_loaded_in_java_s_place_and_form() {
        let dir = Dir::new();
        let file = dir.file();
        assert_eq!(file.load().await.unwrap(), Offsets::new(), "a new consumer has no offsets");
        file.store(offsets(7)).await.unwrap();
        assert_eq!(file.load().await.unwrap(), offsets(7));
        assert_eq!(file.path(), dir.0.join("10.0.0.1@DEFAULT/g/offsets.json"));
        assert_eq!(
            fs::read_to_string(file.path()).unwrap(),
            r#"{"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"Orders"}:7,{"brokerName":"broker-a","queueId":1,"topic":"Orders"}:8}}"#
        );
    }

    #[tokio::test]
    async fn java_s_pretty_print_is_read_and_its_other_queues_are_kept() {
        let dir = Dir::new();
        let file = dir.file();
        fs::create_dir_all(file.path().parent().unwrap()).unwrap();
        let pretty = "{\n\t\"offsetTable\":{{\n\t\t\t\"brokerName\":\"broker-a\",\n\t\t\t\"queueId\":0,\n\t\t\t\"topic\":\"Orders\"\n\t\t}:5,{\n\t\t\t\"brokerName\":\"broker-b\",\n\t\t\t\"queueId\":3,\n\t\t\t\"topic\":\"Other\"\n\t\t}:12\n\t}\n}";
        fs::write(file.path(), pretty).unwrap();
        let other = MessageQueue::new("Other", "broker-b", 3);
        assert_eq!(file.load().await.unwrap()[&other], 12);
        file.store(offsets(7)).await.unwrap();
        let mut expected = offsets(7);
        expected.insert(other, 12);
        assert_eq!(file.load().await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_cut_at_any_byte_leaves_the_older_state() {
        let dir = Dir::new();
        let file = dir.file();
        for (state, older) in [(100, 100), (200, 100)] {
            file.store(offsets(state)).await.unwrap();
            let whole = fs::read(file.path()).unwrap();
            for length in 0..whole.len() {
                fs::write(file.path(), &whole[..length]).unwrap();
                assert_eq!(file.load().await.unwrap(), offsets(older), "cut at {length}");
            }
            fs::write(file.path(), &whole).unwrap();
        }
        fs::remove_file(file.path()).unwrap();
        assert_eq!(file.load().await.unwrap(), offsets(100), "a crash between the renames");
    }

    #[tokio::test]
    async fn a_damaged_file_never_becomes_the_backup() {
        let dir = Dir::new();
        let file = dir.file();
        file.store(offsets(100)).await.unwrap();
        file.store(offsets(200)).await.unwrap();
        fs::write(file.path(), "{\"offsetTable\":{").unwrap();
        file.store(offsets(300)).await.unwrap();
        fs::write(file.path(), "").unwrap();
        assert_eq!(file.load().await.unwrap(), offsets(100));
    }

    #[tokio::test]
    async fn two_damaged_files_are_an_error_and_no_start_from_zero() {
        let dir = Dir::new();
        let file = dir.file();
        file.store(offsets(100)).await.unwrap();
        fs::write(file.path(), "{\"offsetTable\":").unwrap();
        fs::write(file.backup(), "").unwrap();
        let error = file.load().await.unwrap_err();
        assert!(error.to_string().contains("offsets.json.bak"), "{error}");
        assert!(file.store(offsets(1)).await.is_err(), "what is there is not overwritten");
        fs::remove_file(file.backup()).unwrap();
        assert_eq!(
            file.load().await.unwrap_err().kind(),
            ErrorKind::InvalidData,
            "no backup makes it no better"
        );
    }

    /// `/dev/full` takes no byte.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_leaves_the_older_offsets() {
        let dir = Dir::new();
        let file = dir.file();
        file.store(offsets(100)).await.unwrap();
        let temporary = file.with_suffix(&format!("{}.tmp", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", &temporary).unwrap();
        let error = file.store(offsets(200)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(file.load().await.unwrap(), offsets(100));
        file.store(offsets(300)).await.unwrap();
        assert_eq!(file.load().await.unwrap(), offsets(300), "the next store succeeds");
    }

    #[test]
    fn names_do_not_lead_out_of_the_directory() {
        let file = LocalFile::new(Path::new("/offsets"), "10.0.0.1@../../etc", "g");
        assert_eq!(file.path(), Path::new("/offsets/10.0.0.1@.._.._etc/g/offsets.json"));
    }
}
