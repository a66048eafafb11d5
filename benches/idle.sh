#!/bin/sh
# What an idle skydeck costs: the console and its pipeline at 1x (a reading a minute) on a terminal of its own.
# Prints CPU, wake-ups and resident memory over a while. Needs tmux.
#
#   benches/idle.sh [path of the binary] [seconds]
set -eu
binary=${1:-target/release/skydeck}
seconds=${2:-60}
folder=$(mktemp -d)
server="skydeck-idle-$$"
trap 'tmux -L "$server" kill-server 2>/dev/null; sleep 1; rm -rf "$folder"' EXIT

# The back-log is drained at speed first; what is measured is the idling after it.
tmux -L "$server" -f /dev/null new-session -d -x 100 -y 30 "$binary --data-dir $folder"
sleep 20
"$binary" --data-dir "$folder" speed 1
pid=$(tr -d ' \n' < "$folder/demo/data/owner.lock")
sleep 65

ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
switches() { cat /proc/"$pid"/task/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'; }
cpu=$(ticks)
woken=$(switches)
sleep "$seconds"
cpu=$(($(ticks) - cpu))
woken=$(($(switches) - woken))
awk -v cpu="$cpu" -v hz="$(getconf CLK_TCK)" -v woken="$woken" -v s="$seconds" \
    'BEGIN { printf "CPU %.2f %% of a core, %.1f wake-ups a second, over %d s\n", cpu / hz / s * 100, woken / s, s }'
grep -E '^Vm(RSS|HWM)' "/proc/$pid/status"
