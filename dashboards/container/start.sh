#!/bin/sh
# Makes a store at the first start, keeps the root user's credentials beside it, and serves.
set -eu
umask 077
if [ ! -e /data/store.toml ]; then
  keyward init --data /data/store > /data/root-credentials
fi
exec keyward serve --config /etc/keyward/keyward.toml
