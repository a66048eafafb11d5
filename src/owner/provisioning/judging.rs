//! A run's plan, judged again by the policies as they are now.

use jiff::Timestamp;

use super::super::client::AskError;
use super::super::{policies, rehearsal::Rehearsal};
use super::{Provisioner, blocking};
use crate::provisioning::error::ProvisioningError;
use crate::provisioning::policy::finding::Finding;
use crate::provisioning::terraform::command::Providers;
use crate::settings::EnvironmentName;

impl Provisioner {
    /// What the policies say of the plan of a run that waits, the gravest first. Refused where its plan is kept no more.
    pub async fn judge(&self, environment: &EnvironmentName, number: u32) -> Result<Vec<Finding>, AskError> {
        self.judged(environment, number).await.map_err(AskError::from)
    }

    async fn judged(&self, environment: &EnvironmentName, number: u32) -> Result<Vec<Finding>, ProvisioningError> {
        let store = self.store(environment)?;
        let plan = store.plan(number);
        let phase = store.read(number)?.run.phase;
        if !phase.waits() || !plan.is_file() {
            let words = format!(
                "run {number}: it is {}, and its plan isn't kept here any more; plan again, or see what was found then with `skydeck show {number}`",
                phase.label()
            );
            return Err(ProvisioningError::NotFound(words));
        }
        let rehearsal = Rehearsal::of(environment, &self.folders(environment)?).await?;
        let providers = rehearsal.as_ref().map_or(Providers::Real, Rehearsal::providers);
        let caller = self.initialised(&store, providers).await?;
        let text = caller.ask(&["show", "-json", "-no-color", &plan.to_string_lossy()]).await?;
        let (environment, settings) = (environment.clone(), self.settings.clone());
        blocking(move || {
            policies::judge(text.as_bytes(), &environment, &settings, Timestamp::now())
                .map_err(|error| ProvisioningError::Refused(format!("run {number}: {error}")))
        })
        .await
    }
}
