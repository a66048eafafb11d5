//! Publishing a run: what is here and not in the store yet goes there.
//!
//! What was sent is remembered in the run's folder, file by file. Whatever a crash or a dead network left unsent
//! differs from that, and goes with the next call.

use std::path::Path;

use super::error::SharedError;
use super::layout::{self, PARTS, Part, RUN, SharedRun};
use super::link::{Link, Stamp};
use super::store::{approval_id, json};
use super::sync::Sharing;
use crate::provisioning::approval::record::Signed;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::files;

/// What publishing a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Objects that were written or removed.
    pub objects: u32,
    /// Why its plan stayed here, where it did; the rest was published.
    pub held_back: Option<String>,
    /// Who carries the run out by now, as `user@host`, where that isn't this home any more.
    pub taken_over: Option<String>,
}

impl Sharing {
    /// Sends what differs from what was sent. `link` is written whenever something has gone.
    pub(super) async fn send(&self, number: u32, link: &mut Link) -> Result<Published, SharedError> {
        let folder = self.store.run_folder(number);
        let mut published = Published::default();
        self.send_approvals(number, &folder, link, &mut published).await?;
        if link.home_id != self.home.id {
            return Ok(published);
        }
        let unsent = Stamp::of(&self.store.run_file(number)).is_some_and(|stamp| link.sent.get(RUN) != Some(&stamp));
        if unsent && let Some(taken) = self.successor(number).await? {
            published.taken_over = Some(taken.1.clone());
            (link.home_id, link.home_of) = taken;
            link.write(&folder)?;
            return Ok(published);
        }
        for part in PARTS {
            self.send_part(number, &folder, part, link, &mut published).await?;
        }
        if unsent {
            self.send_run(number, &folder, link, &mut published).await?;
        }
        Ok(published)
    }

    /// Whoever carries the run out by now, where that is another home: its id and label.
    async fn successor(&self, number: u32) -> Result<Option<(String, String)>, SharedError> {
        let used = match self.shared.ended(number).await? {
            Some(ended) => Some(ended),
            None => self.shared.used(number).await?,
        };
        Ok(used.filter(|used| used.home_id != self.home.id).map(|used| (used.home_id, used.who)))
    }

    async fn send_part(
        &self,
        number: u32,
        folder: &Path,
        part: &Part,
        link: &mut Link,
        published: &mut Published,
    ) -> Result<(), SharedError> {
        let path = folder.join(part.local);
        let object = layout::of_run(number, part.name);
        // Before it is read: what is written meanwhile makes another stamp, and goes the next time.
        let stamp = Stamp::of(&path);
        let sent = link.sent.get(part.name).copied();
        let Some(stamp) = stamp else {
            if part.sealed && sent.is_some() {
                // It holds secrets, and is of no more use.
                self.shared.objects.remove(&object).await?;
                link.sent.remove(part.name);
                link.seen.remove(part.name);
                link.write(folder)?;
                published.objects += 1;
            }
            return Ok(());
        };
        if sent == Some(stamp) {
            return Ok(());
        }
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ProvisioningError::file(&path, &error).into()),
        };
        let content = match part.sealed.then(|| self.keys.encrypt(&content)) {
            None => content,
            Some(Ok(sealed)) => sealed,
            Some(Err(error)) => {
                published.held_back = Some(format!("run {number}: {error}"));
                return Ok(());
            }
        };
        let version = self.shared.objects.put(&object, &content, None).await?;
        link.sent.insert(part.name.to_owned(), stamp);
        link.seen.insert(part.name.to_owned(), version.0);
        link.write(folder)?;
        published.objects += 1;
        Ok(())
    }

    /// The run itself, where nobody else has written it since.
    async fn send_run(
        &self,
        number: u32,
        folder: &Path,
        link: &mut Link,
        published: &mut Published,
    ) -> Result<(), SharedError> {
        let Some(stamp) = Stamp::of(&self.store.run_file(number)) else { return Ok(()) };
        let mut stored = self.store.read(number)?;
        stored.run.home = None;
        stored.run.runner_pid = None;
        let content = json(&SharedRun { home_id: self.home.id.clone(), home_of: self.home.label.clone(), stored })?;
        let object = layout::of_run(number, RUN);
        let known = link.seen.get(RUN).map(|version| super::objects::Version(version.clone()));
        let version = match self.shared.objects.put(&object, &content, known.as_ref()).await {
            Err(SharedError::Conflict(words)) => match self.shared.run(number).await? {
                // Written by us, and the process ended before it could note that.
                Some((there, version)) if there.home_id == self.home.id => {
                    self.shared.objects.put(&object, &content, Some(&version)).await?
                }
                _ => return Err(SharedError::Conflict(words)),
            },
            other => other?,
        };
        link.sent.insert(RUN.to_owned(), stamp);
        link.seen.insert(RUN.to_owned(), version.0);
        link.write(folder)?;
        published.objects += 1;
        Ok(())
    }

    /// Approvals that were given here, of whosever run it is.
    async fn send_approvals(
        &self,
        number: u32,
        folder: &Path,
        link: &mut Link,
        published: &mut Published,
    ) -> Result<(), SharedError> {
        for (id, approval) in approvals_in(number, folder)? {
            let Some(name) = layout::of_approval(&id).filter(|name| !link.seen.contains_key(name)) else { continue };
            self.shared.add_approval(number, &approval).await?;
            link.seen.insert(name, String::new());
            link.write(folder)?;
            published.objects += 1;
        }
        Ok(())
    }
}

/// The approvals in a run's folder, `approvals/ID.json`, by id.
pub fn approvals_in(number: u32, folder: &Path) -> Result<Vec<(String, Signed)>, SharedError> {
    let approvals = folder.join(layout::APPROVALS);
    let entries = match std::fs::read_dir(&approvals) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ProvisioningError::file(&approvals, &error).into()),
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = format!("{}/{}", layout::APPROVALS, entry.file_name().to_string_lossy());
        let Some(id) = layout::approval_id(&name) else { continue };
        let path = entry.path();
        let Some(text) = files::read(&path)? else { continue };
        let damaged = |reason: String| ProvisioningError::Damaged { path: path.clone(), reason };
        let signed: Signed =
            serde_json::from_str(&text).map_err(|error| damaged(format!("isn't a signed text: {error}")))?;
        if approval_id(number, &signed)? != id {
            return Err(damaged("is another approval than its name says".to_owned()).into());
        }
        found.push((id.to_owned(), signed));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}
