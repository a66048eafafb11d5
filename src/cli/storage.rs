//! `skydeck storage`: containers of batches, their lines, and the queue that announces them, over the owner.

use jiff::Timestamp;

use super::args::StorageCommand;
use super::context::Context;
use super::exit::{Exit, Failure, unexpected};
use super::table::{Align, table};
use super::words::seconds;
use super::{host, speed};
use crate::owner::{
    Answer, BatchView, ContainerView, OwnerClient, PoisonView, QueueWatch, Request, StorageAnswer, StorageAsk,
    StorageView,
};
use crate::station::text::printable;

use Align::{Left, Right};

/// Carries it out; without a command it lists.
pub async fn run(context: &Context, command: Option<StorageCommand>) -> Result<Exit, Failure> {
    let client = host::attached(context).await?;
    let ask = match command {
        None | Some(StorageCommand::List { container: None, .. }) => return list(context, &client),
        Some(StorageCommand::List { container: Some(container), limit }) => {
            StorageAsk::Batches { container, limit: usize::from(limit) }
        }
        Some(StorageCommand::Lines { container, file, from, count }) => {
            StorageAsk::Lines { container, file, from, count: usize::from(count) }
        }
        Some(StorageCommand::TakePoison { id }) => StorageAsk::TakePoison { id },
        Some(StorageCommand::Look) => StorageAsk::LookNow,
    };
    let beyond = match &ask {
        StorageAsk::Lines { file, from: from @ 2.., .. } => Some(format!("{}: has no line {from}", printable(file))),
        _ => None,
    };
    let answer = client.ask(Request::Storage(ask)).await?;
    match &answer {
        Answer::Storage(StorageAnswer::Lines { lines, .. }) if lines.is_empty() && beyond.is_some() => {
            Err(Failure::new(Exit::NotFound, beyond.unwrap_or_default()))
        }
        Answer::Done { .. } => speed::done(context, &answer),
        Answer::Storage(answer) => {
            written(context, answer)?;
            Ok(Exit::Done)
        }
        _ => Err(unexpected()),
    }
}

fn list(context: &Context, client: &OwnerClient) -> Result<Exit, Failure> {
    let snapshot = client.snapshots().borrow().clone();
    let words = "storage: not watched; set azure.storage_account and start the owner again";
    let view = snapshot.storage.as_ref().ok_or_else(|| Failure::new(Exit::NotFound, words))?;
    if context.output.json {
        context.output.json_page(view)?;
    } else {
        context.output.text(&text(view, snapshot.clock.now()))?;
    }
    Ok(Exit::Done)
}

fn written(context: &Context, answer: &StorageAnswer) -> Result<(), Failure> {
    let output = context.output;
    match answer {
        StorageAnswer::Batches { batches, .. } if output.json => {
            for batch in batches {
                output.json_line(batch)?;
            }
        }
        StorageAnswer::Batches { batches, .. } => output.text(&batches_text(batches))?,
        StorageAnswer::Lines { lines, .. } => {
            for line in lines {
                if output.json {
                    output.json_line(line)?;
                } else {
                    output.line(&printable(&line.text))?;
                }
            }
        }
    }
    Ok(())
}

fn batches_text(batches: &[BatchView]) -> String {
    let row = |batch: &BatchView| vec![minute(batch.written_at), batch.bytes.to_string(), printable(&batch.name)];
    table(&[("written", Left), ("bytes", Right), ("batch", Left)], &batches.iter().map(row).collect::<Vec<_>>())
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

fn dash() -> String {
    "-".to_owned()
}

fn age(now: Timestamp, at: Timestamp) -> String {
    seconds(now.duration_since(at).as_secs_f64().max(0.0))
}

/// The storage for people. Ends in a line break.
pub fn text(view: &StorageView, now: Timestamp) -> String {
    let mut text = String::new();
    if let (false, Some(at)) = (view.own, view.looked_at) {
        text.push_str(&format!("storage account, looked at {} ago\n", age(now, at)));
    } else if !view.own {
        text.push_str("storage account: not looked at yet\n");
    }
    text.push_str(&containers_text(&view.containers, now));
    if let Some(queue) = &view.queue {
        text.push_str(&queue_text(queue, now));
    }
    match &view.picture {
        Some(picture) if picture.trouble.is_some() => {
            text.push_str(&format!(
                "last picture: {}\n",
                picture.trouble.as_deref().map(printable).unwrap_or_default()
            ));
        }
        Some(picture) => match &picture.newest {
            Some(newest) => {
                text.push_str(&format!(
                    "last picture: {} ago, {}\n",
                    age(now, newest.written_at),
                    printable(&newest.name)
                ));
            }
            None => text.push_str("last picture: none in the last three days\n"),
        },
        None => {}
    }
    for expiry in &view.expiries {
        text.push_str(&format!("{}\n", printable(&expiry.words)));
    }
    text
}

fn containers_text(containers: &[ContainerView], now: Timestamp) -> String {
    let row = |container: &ContainerView| {
        let newest = container.newest.as_ref();
        let is_known = container.trouble.is_none() || newest.is_some();
        let known = |text: String| if is_known { text } else { dash() };
        let day: u32 = container.per_hour.iter().sum();
        vec![
            printable(&container.name),
            newest.map_or_else(dash, |batch| age(now, batch.written_at)),
            newest.map_or_else(dash, |batch| batch.bytes.to_string()),
            container.last_hour().map_or_else(dash, |batches| batches.to_string()),
            if container.per_hour.is_empty() { dash() } else { day.to_string() },
            known(container.bytes.to_string()),
            known(container.empty.to_string()),
            container
                .gaps
                .as_ref()
                .filter(|_| container.trouble.is_none())
                .map_or_else(dash, |gaps| gaps.len().to_string()),
        ]
    };
    let columns = [
        ("container", Left),
        ("newest", Right),
        ("bytes", Right),
        ("last h", Right),
        ("in 24 h", Right),
        ("bytes 24 h", Right),
        ("empty", Right),
        ("gaps", Right),
    ];
    let mut text = table(&columns, &containers.iter().map(row).collect::<Vec<_>>());
    for container in containers {
        if let Some(trouble) = &container.trouble {
            text.push_str(&format!("{}: {}\n", printable(&container.name), printable(trouble)));
        }
        for gap in container.gaps.iter().flatten() {
            let (from, to) = (minute(gap.from), minute(gap.to));
            let name = printable(&container.name);
            text.push_str(&format!("{name}: {from} to {to}: {} messages came, and no batch\n", gap.messages));
        }
    }
    text
}

fn queue_text(queue: &QueueWatch, now: Timestamp) -> String {
    let mut text = match &queue.trouble {
        Some(trouble) => format!("queue: {}\n", printable(trouble)),
        None => {
            let oldest = queue.oldest_at.map_or_else(dash, |at| age(now, at));
            let empty = queue.of_empty_batches.filter(|count| *count > 0);
            let empty = empty.map(|count| format!(", {count} of empty batches")).unwrap_or_default();
            format!(
                "queue: {} notice{}, oldest {oldest}{empty}, {} that no pipe takes\n",
                queue.depth,
                if queue.depth == 1 { "" } else { "s" },
                queue.poison.len()
            )
        }
    };
    let notice = |word: &str, notice: &PoisonView| {
        let at = notice.aside_at.or(notice.put_at).map_or_else(dash, minute);
        let (id, reason, content) = (printable(&notice.id), printable(&notice.reason), printable(&notice.content));
        format!("  {word} {id}, {at}: {reason}: {content}\n")
    };
    text.extend(queue.poison.iter().map(|found| notice("no pipe takes", found)));
    text.extend(queue.aside.iter().map(|found| notice("kept aside", found)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::{ExpiryView, GapView, Lamp, LastPicture};

    #[test]
    fn the_storage_is_told_with_what_is_wrong_and_what_ends() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a time");
        let ago = |minutes: i64| now - jiff::SignedDuration::from_mins(minutes);
        let batch = |name: &str, minutes| BatchView { name: name.into(), bytes: 8_294, written_at: ago(minutes) };
        let notice = PoisonView {
            id: "5974b586".into(),
            put_at: Some(ago(90)),
            aside_at: None,
            reason: "neither JSON nor base64".into(),
            content: "%%%".into(),
        };
        let mut per_hour = vec![12; 24];
        per_hour[23] = 11;
        let container = ContainerView {
            name: "json-blob-messages".into(),
            newest: Some(batch("hub/03/2026-06-01/11-55", 5)),
            per_hour,
            bytes: 2_300_000,
            empty: 1,
            gaps: Some(vec![GapView { from: ago(300), to: ago(280), messages: 1200 }]),
            ..ContainerView::default()
        };
        let shut = ContainerView {
            name: "json-blob-health".into(),
            trouble: Some("container json-blob-health of a: AuthorizationFailure: let this address in".into()),
            ..ContainerView::default()
        };
        let view = StorageView {
            own: false,
            looked_at: Some(ago(1)),
            containers: vec![container, shut],
            picture: Some(LastPicture { trouble: None, newest: Some(batch("roof-01/2026-06-01/a.jpg", 9)) }),
            queue: Some(QueueWatch {
                depth: 3,
                oldest_at: Some(ago(90)),
                of_empty_batches: Some(1),
                poison: vec![notice.clone()],
                aside: vec![PoisonView { aside_at: Some(ago(10)), ..notice }],
                ..QueueWatch::default()
            }),
            expiries: vec![ExpiryView {
                what: "azure.storage_sas".into(),
                ends_at: ago(-3000),
                words: "azure.storage_sas ends in 2 d".into(),
                lamp: Lamp::Warning,
            }],
        };
        insta::assert_snapshot!(text(&view, now));
    }
}
