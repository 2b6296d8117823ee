#!/usr/bin/env bash
# What a machine needs for `make images` and `make e2e-cluster`: installed on Debian as root, named elsewhere.
set -euo pipefail
declare -A packages=(
  [etcd]=etcd-server [containerd]=containerd [ctr]=containerd [runc]=runc [iptables]=iptables [ip]=iproute2
  [conntrack]=conntrack [nft]=nftables [tc]=iproute2 [buildah]=buildah [mmdebstrap]=mmdebstrap [openssl]=openssl [pgrep]=procps
)
missing=()
for program in "${!packages[@]}"; do command -v "$program" > /dev/null || missing+=("${packages[$program]}"); done
[ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  echo "Installing ${missing[*]}."
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update > /dev/null
  apt-get -q -y --no-install-recommends install "${missing[@]}" > /dev/null
  missing=()
fi
if ! command -v go > /dev/null; then missing+=("Go 1.24 or newer (https://go.dev/dl)"); fi
if [ ${#missing[@]} -gt 0 ]; then
  printf 'Missing on this machine:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "Network namespaces and containers need root." >&2
  exit 1
fi
