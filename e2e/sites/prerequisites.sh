#!/usr/bin/env bash
# What a machine needs for `make e2e-sites` beside `make setup`: libfaketime, which shifts a process's clock.
set -euo pipefail
found() { compgen -G '/usr/lib/*/faketime/libfaketime.so.1' > /dev/null; }
if ! found && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "Installing faketime."
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update > /dev/null
  apt-get -q -y --no-install-recommends install faketime > /dev/null
fi
if ! found; then
  echo "libfaketime is missing. On Debian: apt-get install faketime" >&2
  exit 1
fi
