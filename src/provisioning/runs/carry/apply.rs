//! The look before an apply, and the apply.

impl Carrier {
    async fn apply_step(&mut self, turn: &Turn, providers: Providers) -> Result<Phase, Stop> {
        if !self.store.workspace().is_initialised() {
            let words = "the configuration it was planned with isn't laid out any more; plan again";
            return Err(ProvisioningError::Refused(words.to_owned()).into());
        }
        let caller = self.caller(providers).await?;
        let plan = self.store.plan(self.recorder.run().number);
        self.read_plan(&caller, &plan.to_string_lossy()).await?;
        let mut call = words(&["apply", "-json", "-input=false"]);
        call.push(format!("-lock-timeout={}s", self.settings.lock_timeout_s));
        call.push(plan.to_string_lossy().into_owned());
        self.step(turn, &caller, call, &[0]).await?;
        settle(self.recorder.run_mut(), true, "");
        self.recorder.end(true);
        Ok(Phase::Applied)
    }
}
