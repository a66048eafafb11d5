//! What the hub asks of the agent, in the order in which it comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::methods::{Answer, Methods};
use super::received;
use super::uplink::control::HubRequest;

/// Methods carried out side by side at most.
const SIDE_BY_SIDE: usize = 16;
/// How long the answer to `restart`, and an acknowledgement, have to get out before the link ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// Serves the hub for good. Twin changes are applied one after the other; methods run beside them, since one may take
/// a minute. `restart` is cancelled where the agent is to start anew.
pub(super) async fn serve(methods: Methods, mut requests: mpsc::Receiver<HubRequest>, restart: CancellationToken) {
    let shared = Arc::clone(&methods.shared);
    let mut running = JoinSet::new();
    let (deliveries, delivered) = mpsc::unbounded_channel();
    let goodbye = restart.clone();
    // The hub lets at most 50 messages wait for a device: the queue is bounded by that.
    let messages = received::serve(methods.clone(), delivered, move || begin_restart(&goodbye));
    running.spawn(messages);
    while let Some(request) = requests.recv().await {
        while running.try_join_next().is_some() {}
        match request {
            HubRequest::Twin(twin) => {
                shared.change_twin(|kept| kept.replace(twin.desired_version, &twin.desired)).await;
            }
            HubRequest::Desired { version, patch } => shared.change_twin(|kept| kept.patch(version, &patch)).await,
            HubRequest::Method { name, payload, reply } => {
                if running.len() > SIDE_BY_SIDE {
                    let words = format!("{SIDE_BY_SIDE} methods are being carried out; ask again when one is done");
                    drop(reply.send(Answer::new(429, words).into()));
                    continue;
                }
                let (methods, restart) = (methods.clone(), restart.clone());
                running.spawn(async move {
                    let answer = methods.call(&name, payload).await;
                    let restarts = answer.restarts;
                    // A link that is gone can't answer any more.
                    drop(reply.send(answer.into()));
                    if restarts {
                        begin_restart(&restart);
                    }
                });
            }
            // The receiver lives as long as this loop.
            HubRequest::DeviceBound { message, done } => drop(deliveries.send((message, done))),
        }
    }
    std::future::pending().await
}

fn begin_restart(restart: &CancellationToken) {
    let restart = restart.clone();
    tokio::spawn(async move {
        tokio::time::sleep(GOODBYE).await;
        restart.cancel();
    });
}
