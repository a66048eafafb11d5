#!/bin/sh
# What `skydeck diag` costs while it is left open beside an agent that measures once a second: CPU of the screen and of the
# agent, the agent's memory, and bytes to the terminal, as over SSH. Needs tmux.
#
#   benches/diag.sh [path of the binary] [seconds]
set -eu
binary=${1:-target/release/skydeck}
seconds=${2:-60}
folder=$(mktemp -d)
server="skydeck-diag-$$"
trap 'kill "$agent" 2>/dev/null; tmux -L "$server" kill-server 2>/dev/null; rm -rf "$folder"' EXIT

# An agent of its own, with sensors that are made up; its hub is a port where nobody listens.
printf 'a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5' > "$folder/key"
chmod 600 "$folder/key"
cat > "$folder/roof.toml" <<END
[source]
kind = "sim"
[agent]
measure_every_s = 1
[link]
hub = "localhost"
gateway = "127.0.0.1"
port = 1
key = "file:$folder/key"
END
"$binary" --env roof --config "$folder/roof.toml" --data-dir "$folder/d" agent run > "$folder/said" 2>&1 &
agent=$!
sleep 15
tmux -L "$server" -f /dev/null new-session -d -x 100 -y 30 "$binary --env roof --config $folder/roof.toml --data-dir $folder/d diag"
tmux -L "$server" pipe-pane "cat >> $folder/bytes"
sleep 5
screen=$(tmux -L "$server" list-panes -F '#{pane_pid}')
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
bytes() { wc -c < "$folder/bytes"; }
s0=$(ticks "$screen"); a0=$(ticks "$agent"); b0=$(bytes)
sleep "$seconds"
s1=$(ticks "$screen"); a1=$(ticks "$agent"); b1=$(bytes)
awk -v s="$((s1 - s0))" -v a="$((a1 - a0))" -v b="$((b1 - b0))" -v hz="$(getconf CLK_TCK)" -v t="$seconds" 'BEGIN {
    printf "screen %.2f %% of a core, agent %.2f %%, %.0f bytes a second to the terminal, over %d s\n", s / hz / t * 100, a / hz / t * 100, b / t, t }'
grep -E '^Vm(RSS|HWM)' "/proc/$agent/status"
