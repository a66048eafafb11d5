#!/bin/sh
# What an agent alone needs with a camera: a picture each minute, at a reading a second, uploaded to a local hub.
# Prints its resident memory now and at its highest.
#
#   benches/camera.sh PICTURE [the agent's binary] [seconds] [the hub's binary]
set -eu
picture=$(realpath "$1")
agent=${2:-target/release/skydeck}
seconds=${3:-250}
hub=${4:-$agent}
folder=$(mktemp -d)
trap 'kill "$agent_pid" "$hub_pid" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
agent_pid= hub_pid=
export XDG_CONFIG_HOME="$folder/none"

printf '[source]\nkind = "none"\n[hub]\nport = 18883\nhttps_port = 18443\n' > "$folder/hub.toml"
ground() { "$hub" --no-color --env local --data-dir "$folder/hub" --config "$folder/hub.toml" "$@"; }
ground run > "$folder/hub.log" 2>&1 &
hub_pid=$!
until ground hub add roof-02 > "$folder/added" 2>&1; do sleep 1; done
ground hub connection-string roof-02 --out "$folder/secret"

touch "$folder/lines"
cat > "$folder/agent.toml" <<END
[station]
device_id = "roof-02"
[source]
kind = "lines"
path = "$folder/lines"
[link]
connection_string = "file:$folder/secret"
port = 18883
https_port = 18443
ca = "$folder/hub/local/data/hub/ca.pem"
max_per_s = 1000
max_per_day = 1000000
[camera]
command = "cp $picture {file}"
every_min = 1
END
"$agent" --no-color --env local --data-dir "$folder/agent" --config "$folder/agent.toml" agent run > "$folder/agent.log" 2>&1 &
agent_pid=$!
for second in $(seq "$seconds"); do
    echo "{\"temperatureC\":$((second % 10 + 10)).5,\"illuminanceLx\":20000}" >> "$folder/lines"
    sleep 1
done
# The hub has them.
find "$folder/hub/local" -name '*.jpg' ! -name '*.thumb.jpg' | wc -l | sed 's/^/pictures uploaded: /'
grep -E '^(Vm(RSS|HWM)|Rss)' "/proc/$agent_pid/status"
