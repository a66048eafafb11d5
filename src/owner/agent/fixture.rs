//! A report for tests: a busy agent on a metered line.

use serde_json::json;

use crate::edge_agent::report::AgentReport;

/// A busy agent.
pub fn report() -> AgentReport {
    serde_json::from_value(json!({
        "deviceId": "roof-01", "version": "0.1.0", "startedAt": "2026-03-01T06:00:00Z",
        "source": {"source": "replay of payerne_2016-06_1min.csv.gz at 60×", "hasSource": true, "measured": 12_000,
            "modelId": "anomaly-persistence-1"},
        "outbox": {"rows": 3_214, "bytes": 1_240_000, "maxRows": 518_400, "setAside": 2},
        "uplink": {"connected": true, "transport": "websocket", "sent": 9_100, "acknowledged": 9_000, "backlog": 3_201,
            "live": 13, "remainingS": 212.0, "connects": 3, "credentialEndsAt": "2026-03-14T00:00:00Z",
            "warning": "the certificate ends in 11 d; put a renewed one in its place",
            "quota": {"maxPerS": 100, "maxPerDay": 400_000, "sentToday": 123_400, "resetsAt": "2026-03-03T00:00:00Z"},
            "metered": {"budgetBytes": 52_428_800, "spentBytes": 31_457_280, "savedBytes": 120_000,
                "resetsAt": "2026-03-03T00:00:00Z", "holding": ["pictures"]}},
        "clock": {"bootId": "b7c1", "isSet": true, "restamped": 40, "lastStepS": 1.7},
        "twin": {"version": 7, "desired": {"measureEveryS": 60, "maxPerS": 0},
            "reported": {"settings": {"measureEveryS": {"value": 60, "version": 7, "status": "applied"},
                "maxPerS": {"value": null, "version": 7, "status": "refused", "error": "it takes 1 to 100000"}}},
            "verdicts": {"measureEveryS": {"value": 60, "version": 7, "status": "applied"},
                "maxPerS": {"value": 0, "version": 7, "status": "refused", "error": "it takes 1 to 100000"}}},
        "model": {"current": "anomaly-persistence", "previous": "persistence", "deployedAt": "2026-03-01T08:00:00Z"},
        "camera": {"taken": 41, "failed": 1, "lastTakenAt": "2026-03-02T13:00:00Z", "waiting": 6,
            "waitingBytes": 9_400_000, "uploaded": 35, "uploadState": "waits for tomorrow's budget"},
        "methods": {"diagnose": {"calls": 3, "lastAt": "2026-03-02T12:40:00Z", "lastStatus": 200},
            "capture": {"calls": 1, "lastAt": "2026-03-02T13:00:00Z", "lastStatus": 200}},
        "received": [{"command": "flush", "outcome": "200"}]
    }))
    .expect("a report")
}
