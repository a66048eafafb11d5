//! The table of exit codes: those that the commands of this binary end with.

/// The table of exit codes, at the end of `--help` and in the reference.
#[cfg(feature = "local")]
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done, or nothing to do
    1  failed
    2  wrong usage
    3  changes are pending (plan, destroy, drift)
    4  denied by policy: the plan (plan, destroy, apply, approve, policy check)
    5  not approved, or the plan or its approval has expired
    6  stale: what the plan was made of has moved on since
    7  unhealthy (status, agent status, diag, alarms)
    8  locked: another process owns the environment or its agent, or holds the state lock
    9  not found: no owner, message, alarm, device, run, plan, policy or address of that name
  130  interrupted";

/// The table of exit codes, at the end of `--help` and in the reference.
#[cfg(all(feature = "cloud", not(feature = "local")))]
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done, or nothing to do
    1  failed
    2  wrong usage
    3  changes are pending (plan, destroy, drift)
    4  denied by policy: the plan (plan, destroy, apply, approve, policy check)
    5  not approved, or the plan or its approval has expired
    6  stale: what the plan was made of has moved on since
    7  unhealthy (agent status, diag)
    8  locked: another process owns the agent, or holds the state lock
    9  not found: no agent, run, plan, policy or address of that name
  130  interrupted";

/// The table of exit codes, at the end of `--help`.
#[cfg(not(feature = "_ground"))]
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed
    2  wrong usage
    7  unhealthy (agent status, diag)
    8  locked: another process owns the agent
    9  not found: nobody runs the agent
  130  interrupted";
