//! A report for tests: a busy agent on a metered line.

use serde_json::json;

use crate::edge_agent::report::AgentReport;
use crate::station::Machine;

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

/// A Jetson that is warm.
pub fn machine() -> Machine {
    let core =
        |load: f64| json!({"online": true, "loadPct": load, "mhz": 1224.0, "maxMhz": 1479.0, "governor": "schedutil"});
    let zone =
        |name: &str, celsius: f64| json!({"name": name, "celsius": celsius, "throttleC": 97.0, "criticalC": 102.5});
    let rail = |name: &str, mw: f64| json!({"name": name, "mw": mw, "mv": 5056.0, "ma": (mw / 5.056).round()});
    serde_json::from_value(json!({
        "readAt": "2016-06-09T14:05:04Z",
        "board": {"model": "NVIDIA Jetson Nano Developer Kit", "soc": "tegra210", "module": "p3448-0000", "l4t": "32.7.3",
            "jetpack": "4.6.3", "os": "Ubuntu 18.04.6 LTS", "kernel": "4.9.299-tegra", "powerMode": "MAXN",
            "resetReason": "watchdog (WATCHDOG)", "bootId": "3e1f8b0e-58d3-4e6e-8f7c-3c5a0c5d8f11"},
        "uptimeS": 86_412.5, "loadAverage": [0.52, 0.38, 0.31],
        "cores": [core(11.2), core(0.0), core(83.0), {"online": false}],
        "gpus": [{"name": "gpu", "online": true, "loadPct": 12.3, "mhz": [76.8], "maxMhz": 921.6}],
        "engines": [{"name": "EMC", "online": true, "mhz": [1600.0]}, {"name": "nvenc", "online": false}],
        "memory": {"totalMib": 3964.3, "usedMib": 1738.2, "largestFreeMib": 4.0},
        "swap": {"totalMib": 1982.2, "usedMib": 24.0},
        "disks": [{"mount": "/", "device": "mmcblk0p1", "totalMib": 59_890.0, "freeMib": 31_200.0, "readOnly": false,
            "wearPct": 20.0, "hasData": true}],
        "zones": [zone("AO-therm", 37.0), zone("CPU-therm", 98.5), zone("GPU-therm", 31.5), {"name": "CV0-therm"}],
        "rails": [rail("POM_5V_IN", 1997.0), rail("POM_5V_GPU", 40.0), rail("POM_5V_CPU", 203.0)],
        "totalMw": 1997.0,
        "fans": [{"name": "pwm-fan", "dutyPct": 20.0, "rpm": 1490.0}],
        "interfaces": [{"name": "eth0", "isUp": true, "mbitPerS": 1000.0, "receivedBytes": 123_456_789,
            "sentBytes": 98_765_432, "errors": 13}, {"name": "wlan0", "isUp": false}],
        "clock": {"synchronised": true},
        "unread": ["/sys/kernel/debug/bpmp/debug/clk/emc/rate: Permission denied"]
    }))
    .expect("a machine")
}
