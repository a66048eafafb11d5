"""Leads a running agent through its hub with Microsoft's service client, azure-iot-hub.

Usage: service_client.py SCENARIO. In the environment:
REQUESTS_CA_BUNDLE       the hub's certificate authority, PEM
SKYDECK_TEST_SERVICE     connection string of the policy iothubowner
SKYDECK_TEST_DEVICE      the agent's device
SKYDECK_TEST_WAY         by which way the agent's link is: mqtt or websocket
SKYDECK_TEST_READINGS    the file of lines that the agent reads
SKYDECK_TEST_PICTURE     the picture that its camera takes
Writes what the test is to look for as one line of JSON. Fails with a traceback where the agent does anything else than
it should.
"""

import json
import os
import sys
import time

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

DEVICE = os.environ["SKYDECK_TEST_DEVICE"]
SOON = 60
HUB = IoTHubRegistryManager.from_connection_string(os.environ["SKYDECK_TEST_SERVICE"])
METHODS = "capture set_interval diagnose tail_log restart flush deploy_model rollback_model".split()
MODELS = ["anomaly-persistence-1", "persistence-1"]


def until(what, look):
    """Looks again and again until there is something to see, and answers it."""
    deadline = time.monotonic() + SOON
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not seen: {what}: {reported()}"
        time.sleep(0.1)


def call(name, payload=None, status=200):
    """The payload of the answer, which must have this status."""
    method = CloudToDeviceMethod(
        method_name=name, payload=payload, response_timeout_in_seconds=60, connect_timeout_in_seconds=60
    )
    answer = HUB.invoke_device_method(DEVICE, method)
    assert answer.status == status, (name, payload, answer.status, answer.payload)
    return answer.payload


def refused(name, payload, status, *words):
    """The agent must say no, and all of these words."""
    error = call(name, payload, status)["error"]
    for word in words:
        assert word in error, (name, word, error)


def reported():
    return HUB.get_twin(DEVICE).properties.reported


def settings():
    return {key: value for key, value in reported().get("settings", {}).items() if not key.startswith("$")}


def desire(**properties):
    """Patches the desired properties and answers their version."""
    twin = HUB.update_twin(DEVICE, Twin(properties=TwinProperties(desired=properties)))
    return twin.properties.desired["$version"]


def measure(*temperatures):
    with open(os.environ["SKYDECK_TEST_READINGS"], "a", encoding="utf-8") as file:
        for temperature in temperatures:
            file.write(json.dumps({"temperatureC": temperature}) + "\n")


def measured():
    return call("diagnose")["report"]["source"]["measured"]


def diagnose():
    told = call("diagnose")
    report, health = told["report"], told["health"]
    assert (report["deviceId"], report["uplink"]["connected"]) == (DEVICE, True), report
    assert report["uplink"]["transport"] == os.environ["SKYDECK_TEST_WAY"], report["uplink"]
    assert os.environ["SKYDECK_TEST_READINGS"] in report["source"]["source"], report["source"]
    assert (health["type"], health["deviceId"]) == ("DeviceHealth", DEVICE), health
    assert 0 < health["processMemoryMib"] < 4096 and health["agentVersion"] == report["version"], health
    refused("diagnose", {"all": True}, 400, "unknown field `all`")
    return report


def flush(*temperatures):
    """What has been measured is at the hub once `flush` answers."""
    before = measured()
    measure(*temperatures)
    until("the readings", lambda: measured() == before + len(temperatures))
    assert call("flush", {"timeoutS": 30}) == {"left": 0, "held": 0}
    waiting = call("diagnose")["report"]["uplink"]
    assert (waiting["live"], waiting["backlog"]) == (0, 0), waiting
    refused("flush", {"timeoutS": 0}, 400, "timeoutS: 0", "1 to 299")


def capture():
    size = os.path.getsize(os.environ["SKYDECK_TEST_PICTURE"])
    picture = call("capture")
    # With the time and the place that it came without.
    assert picture["sizeBytes"] > size and set(picture) == {"blobName", "sizeBytes"}, picture
    assert picture["blobName"].startswith(f"{DEVICE}/20") and picture["blobName"].endswith(".jpg"), picture
    refused("capture", "now", 400, "now")
    until("the upload", lambda: call("diagnose")["report"]["camera"]["uploaded"] == 1)
    camera = call("diagnose")["report"]["camera"]
    assert (camera["taken"], camera["failed"], camera["waiting"]) == (1, 0, 0), camera
    return picture["blobName"]


def interval():
    """The method overrules the twin until the twin speaks again."""
    version = desire(measureEveryS=60)
    until("applied", lambda: settings().get("measureEveryS") == dict(value=60, version=version, status="applied"))
    assert call("set_interval", {"seconds": 1}) == {"seconds": 1}
    verdict = until("overruled", lambda: settings()["measureEveryS"]["status"] == "overruled" and settings())
    assert "set_interval asked for 1 s" in verdict["measureEveryS"]["error"], verdict
    refused("set_interval", {"seconds": 0}, 400, "seconds", "1 to 3600")
    refused("set_interval", {"seconds": "often"}, 400, "seconds", "1 to 3600")
    refused("set_interval", {"minutes": 1}, 400, "minutes")
    refused("set_interval", None, 400, "seconds")
    version = desire(measureEveryS=None)
    until("its own again", lambda: "measureEveryS" not in settings())


def tail():
    lines = call("tail_log", {"lines": 20, "level": "info"})["lines"]
    assert 0 < len(lines) <= 20 and all(set(line) == {"at", "level", "target", "message"} for line in lines), lines
    assert lines[-1]["message"] == "method tail_log is called" and lines[-1]["level"] == "INFO", lines
    assert sorted(line["at"] for line in lines) == [line["at"] for line in lines], lines
    assert len(call("tail_log", {"lines": 1})["lines"]) == 1
    assert all(line["level"] == "WARN" for line in call("tail_log", {"level": "warn"})["lines"])
    refused("tail_log", {"lines": 0}, 400, "lines: 0", "1 to 200")
    refused("tail_log", {"level": "loud"}, 400, "level", "LOUD", "ERROR")


def models():
    refused("rollback_model", None, 409, "no model")
    refused("deploy_model", {"model": "crystal-ball"}, 404, "crystal-ball", *MODELS)
    refused("deploy_model", {}, 400, "model")
    slot = call("deploy_model", {"model": "persistence"})
    assert (slot["current"], slot["previous"]) == (MODELS[1], MODELS[0]) and slot["deployedAt"], slot
    until("its report", lambda: reported()["agent"]["model"] == MODELS[1])
    slot = call("rollback_model")
    assert (slot["current"], slot["previous"]) == (MODELS[0], MODELS[1]), slot
    call("deploy_model", {"model": MODELS[1]})


def twin():
    version = desire(healthEveryMin=5, maxPerS=0, colour="blue")
    told = until("a verdict on each", lambda: len(settings()) == 3 and settings())
    assert told["healthEveryMin"] == {"value": 5, "version": version, "status": "applied"}, told
    for key, words in [("maxPerS", "1 to 100000"), ("colour", "no such setting; there are measureEveryS")]:
        assert (told[key]["status"], told[key]["version"]) == ("refused", version), told
        assert words in told[key]["error"], told
    desire(maxPerS=None, colour=None)
    left = until("the refused are gone", lambda: len(settings()) == 1 and settings())
    assert left == {"healthEveryMin": {"value": 5, "version": version, "status": "applied"}}, left
    return version


def restart(version):
    """It comes back as it was led: with its twin and its model."""
    before = reported()["agent"]
    assert call("restart") == {"restarts": True}
    agent = until("a new start", lambda: reported()["agent"]["startedAt"] != before["startedAt"] and reported()["agent"])
    assert (agent["bootId"], agent["model"]) == (before["bootId"], MODELS[1]), agent
    assert settings() == {"healthEveryMin": {"value": 5, "version": version, "status": "applied"}}, settings()
    report = call("diagnose")["report"]
    assert report["methods"] == {}, "counted since the start"
    assert report["twin"]["desired"] == {"healthEveryMin": 5}, report["twin"]


def every_method():
    assert diagnose()["camera"]["taken"] == 0
    flush(14.1, 14.2, 14.3)
    blob_name = capture()
    interval()
    tail()
    models()
    refused("dance", {"with": "me"}, 501, "dance", *METHODS)
    restart(twin())
    flush(14.4)
    counts = call("diagnose")["report"]["methods"]
    assert (counts["flush"]["calls"], counts["flush"]["lastStatus"]) == (2, 400), counts
    return {"blobName": blob_name}


def certificate():
    report = diagnose()
    assert report["camera"] is None and report["uplink"]["credentialEndsAt"], report
    refused("capture", None, 404, "camera.command")
    flush(3.5, 3.6)
    version = desire(maxPerS=50, captureEveryMin=5)
    told = until("a verdict on each", lambda: len(settings()) == 2 and settings())
    assert told["maxPerS"] == {"value": 50, "version": version, "status": "applied"}, told
    assert told["captureEveryMin"]["status"] == "refused", told
    device = HUB.get_device(DEVICE)
    assert (device.connection_state, device.authentication.type) == ("Connected", "selfSigned"), device
    assert device.authentication.symmetric_key.primary_key is None, device
    return {}


SCENARIOS = [every_method, certificate]

print(json.dumps({scenario.__name__: scenario for scenario in SCENARIOS}[sys.argv[1]]()))
