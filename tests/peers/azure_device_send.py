"""Sends messages to a local hub with Microsoft's device client.

Usage: azure_device_send.py CA_PEM COUNT, the connection string in SKYDECK_TEST_CONNECTION.
The client's port is fixed at 8883; the connection string's GatewayHostName says where.
"""

import json
import os
import sys

from azure.iot.device import IoTHubDeviceClient, Message


def main() -> None:
    ca_pem, count = sys.argv[1], int(sys.argv[2])
    with open(ca_pem, encoding="utf-8") as file:
        ca = file.read()
    client = IoTHubDeviceClient.create_from_connection_string(
        os.environ["SKYDECK_TEST_CONNECTION"], server_verification_cert=ca
    )
    client.connect()
    for number in range(count):
        message = Message(
            json.dumps({"type": "WeatherMeasurement", "number": number}),
            message_id=f"python #{number}",
            content_type="application/json",
            content_encoding="utf-8",
        )
        message.correlation_id = "a/b"
        message.custom_properties["level & unit"] = "50 % + ä"
        # Answers once the hub has acknowledged it.
        client.send_message(message)
    client.shutdown()
    print(f"sent {count}")


main()
