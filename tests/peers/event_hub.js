// IoT Hub's built-in endpoint as far as a reader sees it, on rhea: rights ($cbs), management, partitions, the redirect from
// the hub's own address. Told what to do by lines of JSON on standard input; each is answered by a line on standard output.
//
// usage: event_hub.js CERTIFICATE KEY POLICY_KEY
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const https = require("https");
const path = require("path");
const readline = require("readline");

const modules = path.join(__dirname, "../../target/peers/node_modules");
const rhea = require(path.join(modules, "rhea"));
const { WebSocketServer } = require(path.join(modules, "ws"));

const [certificate, key, policyKey] = process.argv.slice(2);
const ENTITY = "hub-events";
const FILTER = "apache.org:selector-filter:string";
const tls = { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) };

// An error's fields are named by symbols; rhea writes them as strings, which other implementations refuse.
const wrapMap = rhea.types.wrap_map;
rhea.types.wrap_map = (map, wrap) => wrapMap(map, map.hostname ? rhea.types.wrap_symbol : wrap);

const container = rhea.create_container({ id: "event-hub" });
const partitions = new Map([["0", []], ["1", []]]);
const next = new Map();
const readers = new Set();
const sockets = new Set();
const counts = { connections: 0, tokens: 0, refused: 0, attached: 0, redirected: 0, refusedBusy: 0, mostCredit: 0, kinds: [], filters: [] };
let busy = 0;
let refuse = false;
let turn = 0;
let ports = {};

container.sasl_server_mechanisms.enable_anonymous();
container.sasl_server_mechanisms.enable_plain((username, password) => {
  counts.user = username;
  return password.startsWith("SharedAccessSignature ");
});

/** What is wrong with a token, and until when it holds. */
function judge(token, kind, name) {
  counts.kinds.push(kind);
  if (refuse) return { wrong: "Unauthorized: the policy has no Listen" };
  if (kind === "jwt") return token === "a token of Entra's" ? { until: Infinity } : { wrong: "InvalidToken" };
  const parts = new Map(token.replace("SharedAccessSignature ", "").split("&").map((part) => part.split(/=(.*)/s).slice(0, 2)));
  const signed = crypto.createHmac("sha256", policyKey).update(`${parts.get("sr")}\n${parts.get("se")}`).digest("base64");
  if (decodeURIComponent(parts.get("sig") || "") !== signed) return { wrong: "InvalidSignature" };
  if (decodeURIComponent(parts.get("sr")) !== name) return { wrong: "the token is for something else" };
  const until = Number(parts.get("se")) * 1000;
  return until > Date.now() ? { until } : { wrong: "ExpiredToken" };
}

function answer(connection, message, properties, body) {
  const sender = [...connection.replies].find((link) => link.target.address === message.reply_to);
  if (sender) sender.send({ correlation_id: message.message_id, application_properties: properties, body });
}

container.on("connection_open", (context) => {
  counts.connections += 1;
  context.connection.replies = new Set();
  context.connection.until = 0;
});

container.on("receiver_open", (context) => context.receiver.set_target({ address: context.receiver.target.address }));

container.on("sender_open", (context) => {
  const sender = context.sender;
  const address = sender.source.address;
  sender.set_source(sender.source);
  sender.set_target(sender.target);
  if (address === "$cbs" || address === "$management") {
    context.connection.replies.add(sender);
    return;
  }
  if (address.endsWith("/messages/events/$management")) {
    counts.redirected += 1;
    const info = { hostname: "127.0.0.1", address: `amqps://127.0.0.1:${ports.amqps}/${ENTITY}/$management` };
    sender.close({ condition: "amqp:link:redirect", description: "read there", info });
    return;
  }
  const found = new RegExp(`^${ENTITY}/ConsumerGroups/([^/]+)/Partitions/([^/]+)$`).exec(address);
  if (!found || !partitions.has(found[2]) || found[1] !== "skydeck") {
    sender.close({ condition: "amqp:not-found", description: `no ${address}` });
  } else if (context.connection.until <= Date.now()) {
    sender.close({ condition: "amqp:unauthorized-access", description: "no right to Listen" });
  } else if (busy > 0) {
    busy -= 1;
    counts.refusedBusy += 1;
    sender.close({ condition: "com.microsoft:server-busy", description: "over the throughput limit" });
  } else {
    counts.attached += 1;
    const described = sender.source.filter && sender.source.filter[FILTER];
    const selector = String(described && described.value !== undefined ? described.value : described);
    counts.filters.push(selector);
    const [, what, number] = /annotation\.x-opt-(\S+) > '(-?\d+)'/.exec(selector);
    readers.add({ sender, partition: found[2], what, above: Number(number), at: 0 });
    pump();
  }
});

container.on("sender_close", (context) => {
  for (const reader of readers) if (reader.sender === context.sender) readers.delete(reader);
});
container.on("sendable", pump);

container.on("message", (context) => {
  const { message, connection } = context;
  const said = message.application_properties || {};
  if (context.receiver.target.address === "$cbs") {
    const { wrong, until } = judge(String(message.body), said.type, said.name);
    counts[wrong ? "refused" : "tokens"] += 1;
    answer(connection, message, { "status-code": wrong ? 401 : 202, "status-description": wrong || "Accepted" }, "");
    if (!wrong) {
      connection.until = until;
      clearTimeout(connection.ending);
      if (until !== Infinity) connection.ending = setTimeout(() => expire(connection), until - Date.now());
    }
  } else if (said.name !== ENTITY) {
    answer(connection, message, { statusCode: 404, statusDescription: "no such event hub" }, null);
  } else if (said.type === "com.microsoft:partition") {
    const kept = partitions.get(said.partition) || [];
    const last = (next.get(said.partition) || 0) - 1;
    answer(connection, message, { statusCode: 200, statusDescription: "OK" },
      { partition: said.partition, last_enqueued_sequence_number: rhea.types.wrap_long(last), is_partition_empty: kept.length === 0 });
  } else {
    const names = rhea.types.wrap_array([...partitions.keys()], 0xa1);
    answer(connection, message, { statusCode: 200, statusDescription: "OK" }, { name: ENTITY, partition_ids: names });
  }
});

function expire(connection) {
  for (const reader of readers) {
    if (reader.sender.connection !== connection) continue;
    readers.delete(reader);
    reader.sender.close({ condition: "amqp:unauthorized-access", description: "ExpiredToken: the token has expired" });
  }
}
for (const end of ["connection_close", "connection_error", "disconnected", "session_error", "sender_error", "receiver_error", "error"]) {
  container.on(end, (context) => {
    const connection = context && context.connection;
    if (!connection || end.startsWith("sender") || end.startsWith("receiver")) return;
    clearTimeout(connection.ending);
    for (const reader of readers) if (reader.sender.connection === connection) readers.delete(reader);
  });
}

function pump() {
  for (const reader of readers) {
    const kept = partitions.get(reader.partition);
    counts.mostCredit = Math.max(counts.mostCredit, reader.sender.credit || 0);
    while (reader.at < kept.length && reader.sender.sendable()) {
      const event = kept[reader.at];
      reader.at += 1;
      const number = reader.what === "sequence-number" ? event.sequence : event.enqueued;
      if (number > reader.above) reader.sender.send(delivery(event));
    }
  }
}

function delivery(event) {
  const annotations = {
    "x-opt-sequence-number": rhea.types.wrap_long(event.sequence),
    "x-opt-offset": String(event.sequence * 100),
    "x-opt-enqueued-time": rhea.types.wrap_timestamp(event.enqueued),
  };
  if (event.device) {
    annotations["iothub-connection-device-id"] = event.device;
    annotations["iothub-connection-auth-method"] = '{"scope":"device","type":"sas","issuer":"iothub"}';
    annotations["iothub-message-source"] = "Telemetry";
    annotations["iothub-enqueuedtime"] = rhea.types.wrap_timestamp(event.enqueued);
  }
  return {
    message_id: event.id,
    content_type: event.json ? "application/json" : undefined,
    content_encoding: event.json ? "utf-8" : undefined,
    application_properties: { level: "normal" },
    message_annotations: annotations,
    body: rhea.message.data_section(Buffer.from(event.body)),
  };
}

function publish(partition, event) {
  const sequence = next.get(partition) || 0;
  next.set(partition, sequence + 1);
  partitions.get(partition).push({ sequence, enqueued: Date.now(), json: true, ...event });
}

function measurement(partition, device, back) {
  const enqueued = Date.now() - back * 1000;
  const id = `m-${partition}-${next.get(partition) || 0}`;
  // Of one partition each measured at another time: the same device and instant again is the same measurement.
  const measuredAt = new Date(enqueued - 1000 + (next.get(partition) || 0)).toISOString();
  const body = JSON.stringify({ type: "WeatherMeasurement", deviceId: device, messageId: id, measuredAt, schema: 1, temperatureC: 14.2 });
  publish(partition, { id, device, body, enqueued });
}

const commands = {
  // Of so many devices in turn, where `devices` says so.
  measure({ partition, device, devices, count, back }) {
    for (let i = 0; i < (count || 1); i += 1) {
      turn += 1;
      measurement(partition, devices ? `roof-${turn % devices}` : device || "roof-01", back || 0);
    }
    pump();
  },
  publish({ partition, event }) {
    publish(partition, event);
    pump();
  },
  add({ partition }) { partitions.set(partition, []); },
  forget({ partition, count }) { partitions.get(partition).splice(0, count); },
  anew() { for (const name of partitions.keys()) { partitions.set(name, []); next.set(name, 0); } },
  cut() { for (const socket of sockets) socket.destroy(); },
  busy({ times }) { busy = times; },
  refuse({ on }) { refuse = on; },
  steal({ partition }) {
    for (const reader of readers) {
      if (reader.partition !== partition) continue;
      readers.delete(reader);
      reader.sender.close({ condition: "amqp:link:detach-forced", description: "the partition moves" });
    }
  },
  counts() {},
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
  console.log(JSON.stringify({ ...counts, readers: readers.size }));
}).on("close", () => process.exit(0));

const keep = (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => {});
};
const amqps = container.listen({ port: 0, host: "127.0.0.1", transport: "tls", ...tls });
amqps.on("connection", keep);
const web = https.createServer(tls);
web.on("connection", keep);
const upgrades = new WebSocketServer({ server: web, path: "/$servicebus/websocket", handleProtocols: (asked) => asked.has("amqp") && "amqp" });
upgrades.on("connection", (socket) => container.websocket_accept(socket, {}));
amqps.on("listening", () => web.listen(0, "127.0.0.1", () => {
  ports = { amqps: amqps.address().port, web: web.address().port };
  console.log(JSON.stringify(ports));
}));
