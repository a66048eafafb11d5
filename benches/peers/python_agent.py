"""The peer of skydeck's agent: the same with Microsoft's device client.

Follows a file of JSON readings, a line each, makes each durable in SQLite (synchronous=FULL) together with the place
in the file, sends what waits as telemetry (QoS 1) and forgets it once the hub has acknowledged it.

Usage: python_agent.py LINES OUTBOX CA_PEM, the connection string in SKYDECK_BENCH_CONNECTION.
"""

import datetime
import json
import os
import sqlite3
import sys
import threading
import time
import uuid

from azure.iot.device import IoTHubDeviceClient, Message


def open_outbox(path: str) -> sqlite3.Connection:
    outbox = sqlite3.connect(path, isolation_level=None)
    outbox.execute("PRAGMA journal_mode=WAL")
    outbox.execute("PRAGMA synchronous=FULL")
    outbox.execute("PRAGMA busy_timeout=10000")
    outbox.execute("CREATE TABLE IF NOT EXISTS message(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, body TEXT)")
    outbox.execute("CREATE TABLE IF NOT EXISTS state(position INTEGER)")
    return outbox


def read(lines: str, path: str, device: str, grown: threading.Event) -> None:
    outbox = open_outbox(path)
    row = outbox.execute("SELECT position FROM state").fetchone()
    position = row[0] if row else 0
    while not os.path.exists(lines):
        time.sleep(1)
    with open(lines, "rb") as file:
        file.seek(position)
        while True:
            rows = []
            while len(rows) < 1000:
                line = file.readline()
                if not line.endswith(b"\n"):
                    file.seek(position)
                    break
                position += len(line)
                now = datetime.datetime.now(datetime.timezone.utc).isoformat()
                reading = json.loads(line)
                identity = str(uuid.uuid4())
                message = {"type": "WeatherMeasurement", "deviceId": device, "messageId": identity, "schema": 1}
                message["measuredAt"] = reading.pop("measuredAt", now)
                rows.append((identity, json.dumps(message | reading)))
            if not rows:
                time.sleep(1)
                continue
            outbox.execute("BEGIN")
            outbox.executemany("INSERT INTO message(id, body) VALUES (?, ?)", rows)
            outbox.execute("DELETE FROM state")
            outbox.execute("INSERT INTO state VALUES (?)", (position,))
            outbox.execute("COMMIT")
            grown.set()


def main() -> None:
    lines, path, ca_pem = sys.argv[1:]
    connection = os.environ["SKYDECK_BENCH_CONNECTION"]
    device = dict(part.split("=", 1) for part in connection.split(";"))["DeviceId"]
    with open(ca_pem, encoding="utf-8") as file:
        client = IoTHubDeviceClient.create_from_connection_string(connection, server_verification_cert=file.read())
    client.connect()
    outbox = open_outbox(path)
    grown = threading.Event()
    threading.Thread(target=read, args=(lines, path, device, grown), daemon=True).start()
    while True:
        waiting = outbox.execute("SELECT seq, id, body FROM message ORDER BY seq LIMIT 100").fetchall()
        if not waiting:
            grown.wait()
            grown.clear()
            continue
        for seq, identity, body in waiting:
            message = Message(body, message_id=identity, content_type="application/json", content_encoding="utf-8")
            message.custom_properties["type"] = "WeatherMeasurement"
            # Answers once the hub has acknowledged it.
            client.send_message(message)
            outbox.execute("DELETE FROM message WHERE seq = ?", (seq,))


main()
