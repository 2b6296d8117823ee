#!/usr/bin/env bash
# What the nodes are given: the images of `make images`, and the same under a second version for upgrades, as one archive.
set -euo pipefail
cd "$(dirname "$0")/../../.."
cache=${JUNCTOR_CACHE:-$PWD/.local} registry=localhost
out=$cache/images
version=$(sed -n 's/^version = "\(.*\)"/\1/p' cli/pyproject.toml)
identities() { buildah images --format '{{.Name}}:{{.Tag}} {{.ID}}' | grep -E "^$registry/junctor-[a-z]+:$version " | sort; }
made=$(identities)
if [ -e "$out/images.tar" ] && [ "$made" = "$(cat "$out/.archived" 2> /dev/null)" ]; then exit; fi
for name in $(cut -d ' ' -f 1 <<< "$made"); do
  working=$(buildah from --pull-never "$name")
  buildah config --label org.opencontainers.image.version="$version-next" "$working"
  buildah commit --quiet --rm "$working" "$name-next" > /dev/null
  buildah push --quiet "$name-next" "oci:$out/oci:$name-next"
done
tar -C "$out/oci" -cf "$out/images.tar" .
echo "$made" > "$out/.archived"
