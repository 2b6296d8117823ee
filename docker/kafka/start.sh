#!/bin/sh
# Runs a broker with the settings of KAFKA_PROPERTIES; its log.dirs is formatted where it is empty.
# With the arguments `mirror FILE`: MirrorMaker 2 with the settings of FILE; what follows is for it, as `--clusters b`.
set -eu
run() {
  main=$1
  shift
  exec java -Xmx"${KAFKA_HEAP_MB:-384}"m -Xms64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=25 -XX:+ExitOnOutOfMemoryError -Xshare:auto \
    -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-warn}" \
    -Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.mirror.MirrorSourceTask=info \
    -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.dateTimeFormat="yyyy-MM-dd'T'HH:mm:ss.SSSZ" \
    -cp '/opt/kafka/libs/*' "$main" "$@"
}
# Passes MirrorMaker's log on, and keeps the file $1 while its task has ended and not begun again: a task of Kafka Connect that
# fails once (a broker that could not write) stays failed, and the process runs on. The pod's liveness probe looks at the file.
watch() {
  while IFS= read -r line; do
    printf '%s\n' "$line"
    case $line in
      *"MirrorSourceConnector-0 replicating"*) rm -f "$1" ;;
      *"MirrorSourceTask - Stopping"*) : > "$1" ;;
    esac
  done
}
if [ "${1:-}" = mirror ]; then
  : "${2:?the file of MirrorMaker 2}"
  shift
  at=${TMPDIR:-/tmp}
  rm -f "$at/mirror.stuck" "$at/mirror.log"
  mkfifo "$at/mirror.log"
  watch "$at/mirror.stuck" < "$at/mirror.log" &
  exec > "$at/mirror.log" 2>&1
  run org.apache.kafka.connect.mirror.MirrorMaker "$@"
fi
settings=${KAFKA_PROPERTIES:-/opt/kafka/server.properties}
if [ -n "${KAFKA_ADVERTISED:-}" ]; then
  cp "$settings" /tmp/server.properties
  printf 'advertised.listeners=PLAINTEXT://%s\n' "$KAFKA_ADVERTISED" >> /tmp/server.properties
  settings=/tmp/server.properties
fi
data=$(sed -n 's/^log\.dirs *= *//p' "$settings")
if [ ! -e "${data:?log.dirs in the settings}/meta.properties" ]; then
  # A leading "-" would be read as an option; a cluster's id is 22 characters of base64.
  cluster=${KAFKA_CLUSTER_ID:-J$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 2-22)}
  (run kafka.tools.StorageTool format --cluster-id "$cluster" --config "$settings")
fi
run kafka.Kafka "$settings"
