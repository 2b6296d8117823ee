#!/usr/bin/env bash
# `make images`: builds the images named (all of them if none is) with buildah, without a container registry.
# The base is a Debian root file system, the wheels, jars and ClickHouse are those of `make setup`'s lists.
# Into $JUNCTOR_CACHE/images (.local/images): one OCI layout with all images, <image>.cdx.json and sizes.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${JUNCTOR_CACHE:-$PWD/.local} version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' cli/pyproject.toml)}
out=$cache/images registry=${REGISTRY:-localhost}
mkdir -p "$out"
all=(router cti ivr recording omnichannel analytics directory gateway media issuer tools clickhouse kafka)
if [ $# -gt 0 ]; then all=("$@"); fi

base() { # name, Debian packages: an image of a minimal Debian with these
  local name=$registry/junctor-$1:bookworm packages=$2 root
  [ "$(buildah inspect --format '{{index .OCIv1.Config.Labels "packages"}}' "$name" 2> /dev/null)" = "$packages" ] && return
  echo "$name ..."
  mmdebstrap --quiet --variant=minbase --include="$packages" --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --setup-hook='mkdir -p "$1/usr/share/man/man1"' bookworm "$out/base.tar"
  root=$(buildah from scratch)
  buildah add --quiet "$root" "$out/base.tar" / > /dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --label packages="$packages" "$root"
  buildah commit --quiet --rm "$root" "$name" > /dev/null
  rm "$out/base.tar"
}

base base python3,ca-certificates,tzdata,libstdc++6
base build python3,python3-venv,libpython3.11-dev,gcc,libc6-dev,ca-certificates,tzdata,libstdc++6
base java openjdk-17-jre-headless,ca-certificates

stamp=$out/wheels/.$(sha256sum requirements/lock.txt | cut -c 1-16)
if [ ! -e "$stamp" ]; then
  echo "wheels ..."
  rm -rf "$out/wheels"
  .venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps -r requirements/lock.txt -w "$out/wheels"
  touch "$stamp"
fi
mkdir -p "$out/chdb"
ln -f "$cache/node/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so" "$out/chdb/libchdb.so"

build() {
  local image=$1 target name working root
  case $image in cti | tools | clickhouse | kafka) target=$image ;; *) target=service ;; esac
  name=$registry/junctor-$image:$version
  echo "$name ..."
  buildah bud --quiet --isolation chroot --layers --ignorefile docker/Dockerfile.dockerignore --file docker/Dockerfile \
    --target $target --build-arg SERVICE="$image" --build-arg VERSION="$version" \
    --build-arg BASE_IMAGE="$registry/junctor-base:bookworm" --build-arg BUILD_IMAGE="$registry/junctor-build:bookworm" \
    --build-arg JAVA_IMAGE="$registry/junctor-java:bookworm" --build-context chdb="$out/chdb" \
    --build-context jars="$cache/kafka/libs" --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels-in \
    --volume "$out/wheels:/wheels-in:ro" --tag "$name" . > /dev/null
  working=$(buildah from --pull-never "$name")
  root=$(buildah mount "$working")
  cp "$root/usr/share/junctor/sbom.cdx.json" "$out/$image.cdx.json"
  buildah umount "$working" > /dev/null
  buildah rm "$working" > /dev/null
}
export -f build
export registry version out cache

# The first makes what all share; then as many side by side as there are processors.
build "${all[0]}"
printf '%s\n' "${all[@]:1}" | xargs -r -P "$(nproc)" -I '{}' bash -euo pipefail -c 'build "$1"' _ '{}'
for image in "${all[@]}"; do
  name=$registry/junctor-$image:$version
  buildah push --quiet "$name" "oci:$out/oci:$name"
done

# What an image is beside its base, and packed, as a registry would send it.
{
  printf '%-24s %12s %12s\n' image 'own, MB' 'packed, MB'
  for image in "${all[@]}"; do .venv/bin/python docker/sizes.py "$out/oci" "$registry/junctor-$image:$version"; done
} | tee "$out/sizes.txt"
