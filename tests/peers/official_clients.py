"""Drives a local hub with Microsoft's own clients: azure-iot-hub, azure-iot-device, azure-storage-blob.

Usage: official_clients.py SCENARIO. In the environment:
REQUESTS_CA_BUNDLE       the hub's certificate authority, PEM
SKYDECK_TEST_SERVICE     connection string of the policy iothubowner
SKYDECK_TEST_ADDRESS     where devices reach the hub; their client's ports are fixed at 8883 and 443
SKYDECK_TEST_HOST        the hub's own name
Fails with a traceback where the hub does anything but what Azure's does.
"""

import base64
import json
import os
import queue
import sys
import threading

import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.iot.device import IoTHubDeviceClient, Message, MethodResponse, X509
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, QuerySpecification, Twin, TwinProperties
from azure.iot.hub.sastoken import SasToken
from azure.storage.blob import BlobClient
from msrest.exceptions import HttpOperationError

CA = os.environ["REQUESTS_CA_BUNDLE"]
SERVICE = os.environ["SKYDECK_TEST_SERVICE"]
SOON = 30


def service():
    return IoTHubRegistryManager.from_connection_string(SERVICE)


def key(byte):
    return base64.b64encode(bytes([byte]) * 32).decode()


def refused(status, code, act, *arguments):
    """The act must fail with this status, and IoT Hub's name or number of the error in the body."""
    try:
        act(*arguments)
    except HttpOperationError as error:
        text = error.response.text
        assert error.response.status_code == status, (error.response.status_code, text)
        assert code in text, text
        assert "Message" in json.loads(text) and "ExceptionMessage" in json.loads(text), text
    else:
        raise AssertionError(f"{act.__name__} {arguments} wasn't refused")


def device_client(device_id, primary_key, **options):
    with open(CA, encoding="utf-8") as file:
        ca = file.read()
    host, gateway = os.environ["SKYDECK_TEST_HOST"], os.environ["SKYDECK_TEST_ADDRESS"]
    return IoTHubDeviceClient.create_from_connection_string(
        f"HostName={host};DeviceId={device_id};SharedAccessKey={primary_key};GatewayHostName={gateway}",
        server_verification_cert=ca,
        **options,
    )


def made_device(hub, device_id, **options):
    """A new device with its client, connected."""
    hub.create_device_with_sas(device_id, key(1), key(2), "enabled")
    client = device_client(device_id, key(1), **options)
    client.connect()
    return client


def registry():
    hub = service()
    made = hub.create_device_with_sas("roof-02", key(1), key(2), "enabled", status_reason="new")
    assert made.authentication.symmetric_key.primary_key == key(1), made
    assert (made.status, made.status_reason, made.connection_state) == ("enabled", "new", "Disconnected"), made
    refused(409, "DeviceAlreadyExists", hub.create_device_with_sas, "roof-02", key(1), key(2), "enabled")
    got = hub.get_device("roof-02")
    assert (got.etag, got.generation_id) == (made.etag, made.generation_id), got

    sha256 = "AB" * 32
    hub.create_device_with_x509("cert-01", sha256, None, "enabled")
    assert hub.get_device("cert-01").authentication.x509_thumbprint.primary_thumbprint == sha256
    hub.create_device_with_certificate_authority("ca-01", "enabled")
    assert hub.get_device("ca-01").authentication.type == "certificateAuthority"

    changed = hub.update_device_with_sas("roof-02", made.etag, key(3), key(4), "disabled", status_reason="spare")
    assert (changed.status, changed.status_reason) == ("disabled", "spare"), changed
    assert changed.authentication.symmetric_key.secondary_key == key(4) and changed.etag != made.etag, changed
    refused(
        412, "PreconditionFailed", hub.update_device_with_sas, "roof-02", made.etag, key(1), key(2), "enabled"
    )
    refused(404, "DeviceNotFound", hub.get_device, "roof-99")
    refused(400, "ArgumentInvalid", hub.create_device_with_sas, "no device", key(1), key(2), "enabled")

    assert [device.device_id for device in hub.get_devices(100)] == ["ca-01", "cert-01", "roof-02"]
    assert [device.device_id for device in hub.get_devices(1)] == ["ca-01"]
    counts = hub.get_device_registry_statistics()
    assert (counts.total_device_count, counts.enabled_device_count, counts.disabled_device_count) == (3, 2, 1), counts
    assert hub.get_service_statistics().connected_device_count == 0

    hub.update_twin("cert-01", Twin(tags={"place": {"city": "Jena", "floor": 3}}))
    def found(query, *page):
        return hub.query_iot_hub(QuerySpecification(query=query), *page)
    ids = lambda result: [twin.device_id for twin in result.items]
    assert ids(found("SELECT * FROM devices")) == ["ca-01", "cert-01", "roof-02"]
    assert ids(found("SELECT * FROM devices WHERE status = 'disabled'")) == ["roof-02"]
    where = "SELECT * FROM devices WHERE tags.place.city = 'Jena' AND tags.place.floor > 2"
    assert ids(found(where)) == ["cert-01"]
    assert ids(found("SELECT * FROM devices WHERE deviceId != 'ca-01'")) == ["cert-01", "roof-02"]
    first = found("SELECT * FROM devices", None, 2)
    assert ids(first) == ["ca-01", "cert-01"] and first.continuation_token, first
    rest = found("SELECT * FROM devices", first.continuation_token, 2)
    assert ids(rest) == ["roof-02"] and not rest.continuation_token, rest
    refused(400, "IotHubQueryNotSupported", found, "SELECT deviceId FROM devices")

    refused(412, "PreconditionFailed", hub.delete_device, "roof-02", made.etag)
    hub.delete_device("roof-02", changed.etag)
    refused(404, "DeviceNotFound", hub.delete_device, "roof-02")
    hub.delete_device("ca-01")
    assert [device.device_id for device in hub.get_devices(100)] == ["cert-01"]
    outsiders(hub)


def outsiders(hub):
    """Who isn't let in, and how; with plain requests, since the clients can't be so wrong."""
    parts = dict(part.split("=", 1) for part in SERVICE.split(";"))
    base, good = f"https://{parts['HostName']}", SasToken(
        parts["HostName"], parts["SharedAccessKey"], parts["SharedAccessKeyName"]
    )
    version = "?api-version=2021-04-12"
    wrong_key = SasToken(parts["HostName"], key(9), "iothubowner")
    elsewhere = SasToken("elsewhere.example", parts["SharedAccessKey"], "iothubowner")
    expired = SasToken(parts["HostName"], parts["SharedAccessKey"], "iothubowner", ttl=-10)
    nobody = SasToken(parts["HostName"], parts["SharedAccessKey"], "nobody")
    for token in [None, "Bearer abc", wrong_key, elsewhere, expired, nobody]:
        headers = {} if token is None else {"Authorization": str(token)}
        answer = requests.get(f"{base}/devices/cert-01{version}", headers=headers, timeout=SOON)
        assert answer.status_code == 401, (token, answer.status_code)
        assert answer.json()["Message"].startswith("ErrorCode:IotHubUnauthorizedAccess"), answer.text
        assert answer.headers["iothub-errorcode"] == "IotHubUnauthorizedAccess"
    headers = {"Authorization": str(good)}
    for query in ["", "?api-version=", "?api-version=latest"]:
        answer = requests.get(f"{base}/devices/cert-01{query}", headers=headers, timeout=SOON)
        assert answer.status_code == 400 and "InvalidProtocolVersion" in answer.text, answer.text
    answer = requests.get(f"{base}/devices/cert-01?api-version=2020-05-31-preview", headers=headers, timeout=SOON)
    assert answer.status_code == 200 and answer.headers["etag"] == f'"{answer.json()["etag"]}"', answer.headers
    answer = requests.put(f"{base}/devices/a{version}", headers=headers, data=b"x" * 300_000, timeout=SOON)
    assert answer.status_code == 413, answer.status_code
    answer = requests.put(f"{base}/devices/a{version}", headers=headers, data=b"{", timeout=SOON)
    assert answer.status_code == 400 and "ArgumentInvalid" in answer.text, answer.text
    answer = requests.get(f"{base}/pictures/cert-01/a", timeout=SOON)
    assert answer.status_code == 403 and "AuthenticationFailed" in answer.text, answer.text
    # The other policy reaches twins and not the registry.
    other = {"Authorization": str(SasToken(parts["HostName"], os.environ["SKYDECK_TEST_SERVICE_KEY"], "service"))}
    assert requests.get(f"{base}/twins/cert-01{version}", headers=other, timeout=SOON).status_code == 200
    assert requests.get(f"{base}/devices/cert-01{version}", headers=other, timeout=SOON).status_code == 401


def twins():
    hub = service()
    client = made_device(hub, "roof-02")
    desired = queue.Queue()
    client.on_twin_desired_properties_patch_received = desired.put
    twin = hub.update_twin(
        "roof-02", Twin(tags={"place": "Jena"}, properties=TwinProperties(desired={"measureEveryS": 5, "a": {"b": 1}}))
    )
    assert twin.tags == {"place": "Jena"} and twin.properties.desired["measureEveryS"] == 5, twin
    patch = desired.get(timeout=SOON)
    assert patch["measureEveryS"] == 5 and patch["$version"] == twin.properties.desired["$version"], patch
    whole = client.get_twin()
    assert whole["desired"]["a"] == {"b": 1} and whole["reported"]["$version"] >= 1, whole
    assert "tags" not in whole, "devices don't see tags"
    client.patch_twin_reported_properties({"agent": {"version": "0.1.0"}, "spare": 1})
    client.patch_twin_reported_properties({"spare": None})
    seen = hub.get_twin("roof-02")
    assert seen.properties.reported["agent"] == {"version": "0.1.0"} and "spare" not in seen.properties.reported, seen
    assert seen.connection_state == "Connected" and "$metadata" in seen.properties.reported, seen
    merged = hub.update_twin("roof-02", Twin(properties=TwinProperties(desired={"a": {"b": None, "c": 2}})), twin.etag)
    assert merged.properties.desired["a"] == {"c": 2}, merged
    assert merged.properties.desired["measureEveryS"] == 5, merged
    assert desired.get(timeout=SOON)["a"] == {"b": None, "c": 2}
    patch = Twin(properties=TwinProperties(desired={"a": 1}))
    refused(412, "PreconditionFailed", hub.update_twin, "roof-02", patch, twin.etag)
    replaced = hub.replace_twin(
        "roof-02", Twin(tags={"floor": 3}, properties=TwinProperties(desired={"d": True})), merged.etag
    )
    assert replaced.tags == {"floor": 3}, replaced
    assert {name for name in replaced.properties.desired if name[0] != "$"} == {"d"}, replaced
    assert replaced.properties.reported["agent"], "what the device reported stays"
    assert desired.get(timeout=SOON)["d"] is True
    refused(412, "PreconditionFailed", hub.replace_twin, "roof-02", Twin(tags={}), merged.etag)
    refused(404, "DeviceNotFound", hub.get_twin, "roof-99")
    refused(400, "ArgumentInvalid", hub.update_twin, "roof-02", Twin(tags={"x": "y" * 40_000}))
    assert client.get_twin()["desired"]["d"] is True
    client.shutdown()


def methods():
    hub = service()
    hub.create_device_with_sas("roof-03", key(1), key(2), "enabled")
    call = CloudToDeviceMethod(method_name="diagnose", payload={"lines": 3}, response_timeout_in_seconds=5)
    refused(404, "404103", hub.invoke_device_method, "roof-03", call)
    refused(404, "DeviceNotFound", hub.invoke_device_method, "roof-99", call)
    client = made_device(hub, "roof-02")
    release = threading.Event()

    def serve(request):
        if request.name == "sleep":
            release.wait(SOON)
        client.send_method_response(
            MethodResponse.create_from_method_request(request, 201, {"echo": request.payload, "name": request.name})
        )

    client.on_method_request_received = serve
    answer = hub.invoke_device_method("roof-02", call)
    assert answer.status == 201 and answer.payload == {"echo": {"lines": 3}, "name": "diagnose"}, answer
    answer = hub.invoke_device_method("roof-02", CloudToDeviceMethod(method_name="no-payload"))
    assert answer.status == 201 and answer.payload["name"] == "no-payload", answer
    late = CloudToDeviceMethod(method_name="sleep", payload=None, response_timeout_in_seconds=5)
    refused(504, "504101", hub.invoke_device_method, "roof-02", late)
    release.set()
    wrong = CloudToDeviceMethod(method_name="x", payload=None, response_timeout_in_seconds=4)
    refused(400, "ArgumentInvalid", hub.invoke_device_method, "roof-02", wrong)
    # A device that connects while it is waited for is called.
    waited = CloudToDeviceMethod(
        method_name="diagnose", payload=1, response_timeout_in_seconds=10, connect_timeout_in_seconds=30
    )
    outcome = queue.Queue()
    threading.Thread(target=lambda: outcome.put(hub.invoke_device_method("roof-03", waited)), daemon=True).start()
    second = device_client("roof-03", key(1))
    second.on_method_request_received = lambda request: second.send_method_response(
        MethodResponse.create_from_method_request(request, 200, "here")
    )
    second.connect()
    answer = outcome.get(timeout=SOON)
    assert (answer.status, answer.payload) == (200, "here"), answer
    assert hub.get_service_statistics().connected_device_count == 2
    second.shutdown()
    client.shutdown()


def send_telemetry(client, prefix):
    for number in range(3):
        message = Message(
            json.dumps({"type": "WeatherMeasurement", "number": number}),
            message_id=f"{prefix} #{number}",
            content_type="application/json",
            content_encoding="utf-8",
        )
        message.custom_properties["level & unit"] = "50 % + ä"
        # Answers once the hub has acknowledged it.
        client.send_message(message)


def telemetry():
    hub = service()
    for device_id, options in [("roof-02", {}), ("roof-03", {"websockets": True})]:
        client = made_device(hub, device_id, **options)
        send_telemetry(client, device_id)
        client.patch_twin_reported_properties({"by": device_id})
        assert client.get_twin()["reported"]["by"] == device_id
        client.shutdown()
    # A connection with a large message, both ways of a WebSocket's frames.
    client = device_client("roof-03", key(1), websockets=True)
    client.connect()
    client.send_message(Message("x" * 200_000, message_id="large"))
    client.shutdown()


def messages():
    """Cloud to device: sent through the hub's own REST, since azure-iot-hub sends by AMQP alone."""
    hub = service()
    parts = dict(part.split("=", 1) for part in SERVICE.split(";"))
    token = str(SasToken(parts["HostName"], parts["SharedAccessKey"], parts["SharedAccessKeyName"]))

    def send(device_id, body, **headers):
        return requests.post(
            f"https://{parts['HostName']}/devices/{device_id}/messages/devicebound?api-version=2021-04-12",
            data=body,
            headers={"Authorization": token, **{name.replace("_", "-"): value for name, value in headers.items()}},
            timeout=SOON,
        )

    hub.create_device_with_sas("roof-02", key(1), key(2), "enabled")
    assert send("roof-02", b"first", iothub_messageid="m1", iothub_correlationid="c1", iothub_app_level="3").ok
    assert hub.get_device("roof-02").cloud_to_device_message_count == 1
    client = device_client("roof-02", key(1))
    received = queue.Queue()
    client.on_message_received = received.put
    client.connect()
    message = received.get(timeout=SOON)
    assert (message.data, message.message_id, message.correlation_id) == (b"first", "m1", "c1"), vars(message)
    assert message.custom_properties == {"level": "3"}, vars(message)
    assert send("roof-02", b"second").ok
    assert received.get(timeout=SOON).data == b"second"
    client.shutdown()
    hub.create_device_with_sas("roof-03", key(1), key(2), "enabled")
    for _ in range(3):
        assert send("roof-03", b"waits").ok
    purged = hub.protocol.cloud_to_device_messages.purge_cloud_to_device_message_queue("roof-03")
    assert purged.total_messages_purged == 3, purged
    assert send("roof-99", b"x").status_code == 404
    assert send("roof-03", b"x" * 70_000).status_code == 413
    assert send("roof-03", b"x", iothub_expiry="yesterday").status_code == 400


def upload():
    hub = service()
    client = made_device(hub, "roof-02")
    small, large = b"\xff\xd8" + b"picture" * 1000, os.urandom(9 * 1024 * 1024)
    for name, content, options in [
        ("2026/05/a b.jpg", small, {}),
        # Put in blocks, as the client does with what is larger than it is told here.
        ("2026/05/large.jpg", large, {"max_single_put_size": 1024 * 1024, "max_block_size": 4 * 1024 * 1024}),
        ("empty", b"", {}),
    ]:
        info = client.get_storage_info_for_blob(name)
        assert info["blobName"] == f"roof-02/{name}" and info["containerName"] == "pictures", info
        url = f"https://{info['hostName']}/{info['containerName']}/{info['blobName']}{info['sasToken']}"
        with BlobClient.from_blob_url(url, retry_total=0, **options) as blob:
            blob.upload_blob(content)
            try:
                blob.upload_blob(b"another", overwrite=False)
            except ResourceExistsError:
                pass
            else:
                raise AssertionError("a blob was put over another")
            assert blob.get_blob_properties().size == len(content)
            assert blob.download_blob().readall() == content
        client.notify_blob_upload_status(info["correlationId"], True, 200, "done")
        try:
            client.notify_blob_upload_status(info["correlationId"], True, 200, "again")
        except Exception:  # The client wraps whatever the hub answers.
            pass
        else:
            raise AssertionError("an upload was ended twice")
    elsewhere = url.replace("/empty", "/another")
    with BlobClient.from_blob_url(elsewhere, retry_total=0) as blob:
        try:
            blob.upload_blob(b"x")
        except HttpResponseError as error:
            assert error.status_code == 403, error
        else:
            raise AssertionError("a token was good for another blob")
    infos = [client.get_storage_info_for_blob(f"n{number}") for number in range(10)]
    try:
        client.get_storage_info_for_blob("n11")
    except Exception:
        pass
    else:
        raise AssertionError("eleven uploads were open")
    client.notify_blob_upload_status(infos[0]["correlationId"], False, 500, "given up")
    client.get_storage_info_for_blob("n11")
    client.shutdown()


def x509():
    hub = service()
    hub.create_device_with_x509("cert-01", os.environ["SKYDECK_TEST_THUMBPRINT"], None, "enabled")
    certificate = X509(os.environ["SKYDECK_TEST_CERTIFICATE"], os.environ["SKYDECK_TEST_CERTIFICATE_KEY"])
    with open(CA, encoding="utf-8") as file:
        ca = file.read()

    def client(device_id, **options):
        return IoTHubDeviceClient.create_from_x509_certificate(
            certificate,
            os.environ["SKYDECK_TEST_HOST"],
            device_id,
            server_verification_cert=ca,
            gateway_hostname=os.environ["SKYDECK_TEST_ADDRESS"],
            **options,
        )

    for options in [{}, {"websockets": True}]:
        device = client("cert-01", **options)
        device.connect()
        send_telemetry(device, f"certificate {len(options)}")
        info = device.get_storage_info_for_blob("a")
        device.notify_blob_upload_status(info["correlationId"], True, 200, "done")
        device.shutdown()
    hub.create_device_with_x509("cert-02", "CD" * 32, None, "enabled")
    other = client("cert-02", connection_retry=False)
    try:
        other.connect()
    except Exception:
        pass
    else:
        raise AssertionError("another's certificate was taken")
    try:
        other.get_storage_info_for_blob("a")
    except Exception:
        pass
    else:
        raise AssertionError("another's certificate was taken for an upload")
    other.shutdown()


SCENARIOS = [registry, twins, methods, telemetry, messages, upload, x509]

{scenario.__name__: scenario for scenario in SCENARIOS}[sys.argv[1]]()
print("passed")
