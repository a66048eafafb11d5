//! Runs made, approved, applied and ended. Those of the cloud are shared with other machines.

use jiff::{SignedDuration, Timestamp};

use super::{Provisioner, asker, blocking, shown};
use crate::owner::protocol::Answer;
use crate::owner::runner::Job;
use crate::provisioning::approval::make::{self, Wish};
use crate::provisioning::audit::entry::AuditEvent;
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::run::{Phase, RunRequest};
use crate::provisioning::runs::approve::{self, Approved};
use crate::provisioning::runs::ask;
use crate::provisioning::runs::store::Store;
use crate::provisioning::shared::layout::Purpose;
use crate::provisioning::shared::sync::Sharing;
use crate::settings::{EnvironmentName, ProvisioningSettings};

impl Provisioner {
    pub(super) async fn start(
        &self,
        environment: &EnvironmentName,
        request: RunRequest,
    ) -> Result<Answer, ProvisioningError> {
        self.find_terraform().await?;
        self.check_name(environment)?;
        let store = self.store(environment)?;
        let words = request.words();
        let asked_by = asker();
        let mut wish = ask::Wish::of(request);
        let sharing = self.sharing(&store, &self.settings_of(environment)?)?;
        if let Some(sharing) = &sharing {
            wish.number = Some(sharing.claim(&wish.id).await?);
        }
        let (number, ticket) = {
            let (store, asked_by) = (store.clone(), asked_by.clone());
            blocking(move || ask::start(&store, wish, &asked_by)).await?
        };
        tracing::info!(target: "audit", "run {number} of {}: {words}, asked for by {asked_by}", shown(environment));
        self.spawn(&store, number, Job::Plan, &ticket)?;
        tell(sharing.as_ref()).await;
        Ok(Answer::RunStarted { number })
    }

    pub(super) async fn apply(&self, environment: &EnvironmentName, number: u32) -> Result<Answer, ProvisioningError> {
        self.find_terraform().await?;
        let store = self.store(environment)?;
        let settings = self.settings_of(environment)?;
        let sharing = self.fetch(&store, &settings, number).await?;
        let asked_by = asker();
        let ticket = {
            let (store, asked_by) = (store.clone(), asked_by.clone());
            blocking(move || ask::apply(&store, number, &settings, &asked_by, Timestamp::now())).await
        };
        self.watching.ring();
        tell(sharing.as_ref()).await;
        let ticket = ticket?;
        tracing::info!(target: "audit", "run {number} of {}: apply asked for by {asked_by}", shown(environment));
        self.spawn(&store, number, Job::Apply, &ticket)?;
        Ok(Answer::Done { message: format!("run {number}: its apply was asked for") })
    }

    pub(super) async fn check_apply(
        &self,
        environment: &EnvironmentName,
        number: u32,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let settings = self.settings_of(environment)?;
        let sharing = self.update(&store, &settings, number).await?;
        let looked = {
            let store = store.clone();
            blocking(move || ask::may_apply(&store, number, &settings, &asker(), Timestamp::now())).await
        };
        self.watching.ring();
        tell(sharing.as_ref()).await;
        looked?;
        Ok(Answer::Done { message: format!("run {number}: it may be applied") })
    }

    pub(super) async fn cancel(&self, environment: &EnvironmentName, number: u32) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let sharing = self.update(&store, &self.settings_of(environment)?, number).await?;
        if let Some(sharing) = &sharing {
            let run = store.read(number)?.run;
            if let Some(home) = run.home.as_ref().filter(|_| run.phase.is_active()) {
                let words = format!(
                    "run {number}: is at work on {home}; end it there, or, where that machine is gone, with `skydeck --env {environment} discard {number} --gone`"
                );
                return Err(ProvisioningError::Refused(words));
            }
            if run.phase.waits() {
                sharing.use_once(number, Purpose::End, &[]).await?;
            }
        }
        let asked_by = asker();
        let message = {
            let (store, asked_by) = (store.clone(), asked_by.clone());
            blocking(move || ask::cancel(&store, number, &asked_by)).await?
        };
        tracing::info!(target: "audit", "{message}, in {}, asked for by {asked_by}", shown(environment));
        publish(sharing.as_ref(), number).await;
        Ok(Answer::Done { message })
    }

    /// Ends a run whose machine is gone.
    pub(super) async fn end_elsewhere(
        &self,
        environment: &EnvironmentName,
        number: u32,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let Some(sharing) = self.update(&store, &self.settings_of(environment)?, number).await? else {
            let words = format!("run {number}: runs of {environment} are carried out here; discard it without --gone");
            return Err(ProvisioningError::Refused(words));
        };
        sharing.end_instead(number, Phase::Failed).await?;
        let message = format!("run {number}: ended in the stead of a machine that is gone");
        super::tell(&store, AuditEvent::Ended, Some(number), &message)?;
        tracing::info!(target: "audit", "{message}, in {}, asked for by {}", shown(environment), asker());
        publish(Some(&sharing), number).await;
        self.watching.ring();
        Ok(Answer::Done { message })
    }

    pub(super) async fn approve(
        &self,
        environment: &EnvironmentName,
        number: u32,
        reason: Option<&str>,
        override_denials: bool,
    ) -> Result<Answer, ProvisioningError> {
        let reason = reason.map(str::to_owned);
        self.take_approval(environment, number, move |store, settings, now| {
            let wish = Wish {
                label: &asker(),
                reason: reason.as_deref(),
                override_denials,
                validity: SignedDuration::from_hours(i64::from(settings.approval_max_age_h)),
            };
            approve::approve(store, number, settings, &wish, now)
        })
        .await
    }

    pub(super) async fn import(
        &self,
        environment: &EnvironmentName,
        number: u32,
        approval: String,
    ) -> Result<Answer, ProvisioningError> {
        self.take_approval(environment, number, move |store, settings, now| {
            approve::import(store, number, settings, &approval, (&asker(), now))
        })
        .await
    }

    async fn take_approval(
        &self,
        environment: &EnvironmentName,
        number: u32,
        take: impl FnOnce(&Store, &ProvisioningSettings, Timestamp) -> Result<Approved, ProvisioningError> + Send + 'static,
    ) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let settings = self.settings_of(environment)?;
        let sharing = self.update(&store, &settings, number).await?;
        let approved = {
            let store = store.clone();
            blocking(move || take(&store, &settings, Timestamp::now())).await
        };
        if approved.is_err() {
            tell(sharing.as_ref()).await;
        }
        let approved = approved?;
        tracing::info!(target: "audit", "{}, in {}", approved.message, shown(environment));
        let mut message = approved.message;
        if let Some(sharing) = &sharing
            && let Some(words) = sharing.approve(number, &approved.signed).await?
        {
            message = format!("{message}; {words}");
        }
        tell(sharing.as_ref()).await;
        self.watching.ring();
        Ok(Answer::Approved { message, approval: make::to_file(&approved.signed)? })
    }

    /// Looks into the shared store; what is new there is here then.
    pub(super) async fn refresh(&self, environment: &EnvironmentName) -> Result<Answer, ProvisioningError> {
        let store = self.store(environment)?;
        let settings = self.settings_of(environment)?;
        let Some(sharing) = self.sharing(&store, &settings)? else {
            return Ok(Answer::Done { message: format!("environment {environment}: its runs are kept here alone") });
        };
        let refreshed = sharing.refresh().await?;
        let changed: Vec<u32> =
            [&refreshed.made, &refreshed.changed, &refreshed.approved].into_iter().flatten().copied().collect();
        let message = if refreshed.faults.is_empty() {
            format!("environment {environment}: {} runs are newer", changed.len())
        } else {
            format!("environment {environment}: {}", refreshed.faults.join("; "))
        };
        settle(&store, &settings, changed).await?;
        self.watching.ring();
        Ok(Answer::Done { message })
    }

    /// The sharing of an environment's runs; none of demo's and local's.
    pub(super) fn sharing(
        &self,
        store: &Store,
        settings: &ProvisioningSettings,
    ) -> Result<Option<Sharing>, ProvisioningError> {
        Ok(Sharing::open(store, settings, &asker())?)
    }

    /// Brings a run up to date from the shared store, where it is shared; its plan, which takes the environment's key,
    /// stays there.
    async fn update(
        &self,
        store: &Store,
        settings: &ProvisioningSettings,
        number: u32,
    ) -> Result<Option<Sharing>, ProvisioningError> {
        let Some(sharing) = self.sharing(store, settings)? else { return Ok(None) };
        sharing.update(number).await?;
        settle(store, settings, vec![number]).await?;
        Ok(Some(sharing))
    }

    /// The same, its plan too.
    async fn fetch(
        &self,
        store: &Store,
        settings: &ProvisioningSettings,
        number: u32,
    ) -> Result<Option<Sharing>, ProvisioningError> {
        let sharing = self.update(store, settings, number).await?;
        if let Some(sharing) = &sharing {
            sharing.fetch(number).await?;
        }
        Ok(sharing)
    }
}

/// Brings waiting runs in step with the approvals that came from elsewhere.
async fn settle(store: &Store, settings: &ProvisioningSettings, numbers: Vec<u32>) -> Result<(), ProvisioningError> {
    let (store, settings) = (store.clone(), settings.clone());
    blocking(move || {
        let lock = store.lock()?;
        for number in numbers {
            let mut stored = store.read(number)?;
            if stored.run.phase.waits() {
                // What is still missing is told to whoever wants to apply it.
                let _lacks = approve::settle(&store, &lock, &mut stored, &settings, Timestamp::now())?;
            }
        }
        Ok(())
    })
    .await
}

/// Publishes what is new of a run. What can't be sent now is sent by the next refresh.
async fn publish(sharing: Option<&Sharing>, number: u32) {
    if let Some(sharing) = sharing
        && let Err(error) = sharing.publish(number).await
    {
        tracing::warn!(target: "provisioning", "run {number}: {error}");
    }
}

/// Tells the shared trail what was done here. What can't be told now is told by the next refresh.
async fn tell(sharing: Option<&Sharing>) {
    if let Some(sharing) = sharing
        && let Err(error) = sharing.tell().await
    {
        tracing::warn!(target: "provisioning", "audit trail: {error}");
    }
}
