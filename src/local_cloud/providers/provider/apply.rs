//! Making, changing and deleting resources in the emulated cloud.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Kind, Provider, Refusal, Settings};
use crate::local_cloud::cloud::{Fault, Resource};
use crate::local_cloud::providers::overlay::OnDelete;
use crate::local_cloud::providers::value::{Path, Value};

impl Provider {
    /// Carries out a plan: from `prior` (null: there is none) to `planned` (null: it goes). Answers the resource as
    /// it is then. What waits when it is `stopped` ends as interrupted.
    pub async fn apply(
        &self,
        kind: Kind<'_>,
        prior: &Value,
        planned: Value,
        config: &Value,
        settings: &Settings,
        stopped: &CancellationToken,
    ) -> Result<Value, Refusal> {
        let thing = if planned.is_null() { prior } else { &planned };
        self.fate(kind, thing, stopped).await?;
        let _gate = self.gate.lock().await;
        if planned.is_null() {
            self.delete(kind, prior, settings).await?;
            return Ok(Value::Null);
        }
        if let Some(breach) = kind.breaches(config).into_iter().next() {
            return Err(breach);
        }
        let there = self.cloud.resources().await?;
        kind.look_up(&planned, &there, settings)?;
        kind.hooked(&planned, &there)?;
        let made = kind.filled(planned, settings);
        let id = id(&made).ok_or_else(|| Refusal::cloud(format!("{}: has no id; an overlay lacks it", kind.name)))?;
        let before = self::id(prior);
        if before.as_ref() != Some(&id) {
            kind.free(&made, &id, before.as_deref(), &there)?;
        }
        if let Some(before) = &before
            && !there.iter().any(|other| other.kind == kind.name && other.id == *before)
        {
            let words = format!("{}: isn't there any more; run plan again to make it anew", kind.called(&made));
            return Err(Refusal::cloud(words));
        }
        if before.is_some() {
            kind.holds(prior, &made)?;
        }
        let resource = Resource { kind: kind.name.to_owned(), id, attributes: made.to_json() };
        match before.filter(|before| *before != resource.id) {
            // Renamed it stays the one that was made, with what it holds.
            Some(before) => self.cloud.rename(&before, resource).await?,
            None => self.cloud.put(resource).await?,
        }
        Ok(made)
    }

    async fn delete(&self, kind: Kind<'_>, prior: &Value, settings: &Settings) -> Result<(), Refusal> {
        let Some(id) = id(prior) else { return Ok(()) };
        // What is gone already needn't be deleted.
        let Some(gone) = self.cloud.get(kind.name, &id).await? else { return Ok(()) };
        let there = self.cloud.resources().await?;
        let mut going = vec![gone];
        let mut next = 0;
        while let Some(gone) = going.get(next).cloned() {
            next += 1;
            for standing in self.standing_on(&gone, &there, settings) {
                let other = standing.resource;
                if standing.then == OnDelete::Refuse && settings.keep_full_groups {
                    let words = format!(
                        "{}: {} {} still stands on it; delete that first",
                        kind.called(prior),
                        other.kind,
                        crate::station::text::printable(other.text("name"))
                    );
                    return Err(Refusal::cloud(words));
                }
                if !going.iter().any(|one| (&one.kind, &one.id) == (&other.kind, &other.id)) {
                    going.push(other);
                }
            }
        }
        // From the last that stands on something to the first, so that an end in between leaves nothing in the air.
        for gone in going.iter().rev() {
            self.cloud.delete(&gone.kind, &gone.id).await?;
        }
        Ok(())
    }

    /// What a test lets happen to a resource: it takes its time, it fails. Terraform's interrupt ends the wait.
    async fn fate(&self, kind: Kind<'_>, thing: &Value, stopped: &CancellationToken) -> Result<(), Refusal> {
        let name = thing.get("name").as_text().or_else(|| thing.get("id").as_text()).unwrap_or_default();
        let Some(Fault { delay_ms, message }) = self.cloud.fault(kind.name, name).await? else { return Ok(()) };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(u64::from(delay_ms))) => {}
            () = stopped.cancelled() => return Err(Refusal::Interrupted { thing: kind.called(thing) }),
        }
        message.map_or(Ok(()), |message| Err(Refusal::cloud(format!("{}: {message}", kind.called(thing)))))
    }
}

impl Kind<'_> {
    /// Fails where the cloud refuses a change that the provider plans.
    fn holds(&self, prior: &Value, made: &Value) -> Result<(), Refusal> {
        let changed = |path: &&String| prior.at(path) != made.at(path);
        let set = |path: &&String| prior.at(path).first().is_some_and(|value| **value == Value::Bool(true));
        let fixed = self.overlay.fixed.iter().find(changed);
        match fixed.or_else(|| self.overlay.lasting.iter().filter(set).find(changed)) {
            None => Ok(()),
            Some(path) => Err(Refusal::about(
                Path::of(path.split('.').next().unwrap_or(path)),
                format!(
                    "{}: {path} can't be changed once it is made; put it back, or make a new one (-replace)",
                    self.called(made)
                ),
            )),
        }
    }

    /// Fails where the id, or a name that must differ everywhere, is taken by another one than `before`.
    fn free(&self, made: &Value, id: &str, before: Option<&str>, there: &[Resource]) -> Result<(), Refusal> {
        for other in there.iter().filter(|other| other.kind == self.name && Some(other.id.as_str()) != before) {
            if other.id.eq_ignore_ascii_case(id) {
                return Err(Refusal::cloud(format!(
                    "{}: is there already, with the id {id}; import it (terraform import ADDRESS '{id}') or take \
                     another name",
                    self.called(made)
                )));
            }
            for path in &self.overlay.unique {
                let taken = made.get(path).as_text().filter(|name| name.eq_ignore_ascii_case(other.text(path)));
                if let Some(name) = taken {
                    return Err(Refusal::cloud(format!(
                        "{}: the name {name:?} is taken, and has to differ everywhere; take another one",
                        self.name
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The resource's id, where it has one.
fn id(value: &Value) -> Option<String> {
    value.get("id").as_text().filter(|id| !id.is_empty()).map(str::to_owned)
}
