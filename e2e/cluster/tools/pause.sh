#!/usr/bin/env bash
# Makes the image localhost/pause:1, which holds a pod's namespaces, as an archive $1: a program that waits to be ended.
set -euo pipefail
archive=$(realpath -m "${1:?archive}")
[ -e "$archive" ] && exit
mkdir -p "$(dirname "$archive")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pause.go" << 'GO'
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
GO
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/pause" "$work/pause.go"
image=$(buildah from scratch)
buildah copy --quiet "$image" "$work/pause" /pause > /dev/null
buildah config --entrypoint '["/pause"]' --user 65535:65535 "$image"
buildah commit --quiet --rm "$image" localhost/pause:1 > /dev/null
buildah push --quiet localhost/pause:1 "oci-archive:$archive:localhost/pause:1"
