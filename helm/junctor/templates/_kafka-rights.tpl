{{/* What each service does with which topics, as YAML: whether it has topics of its own, those of others that it
reads, and whether it tells the other of two sites that it lives (`tells`), or hears who does as well (`hears`). */}}
{{- define "junctor.kafkaRights" -}}
router: {own: true, reads: [junctor.directory.state.v1], heartbeats: hears}
cti: {own: true, reads: [junctor.directory.state.v1, junctor.ivr.events.v1, junctor.router.events.v1], heartbeats: hears}
ivr: {own: true, reads: [junctor.directory.state.v1, junctor.cti.events.v1]}
recording: {own: true, reads: [junctor.cti.events.v1]}
omnichannel: {own: true, reads: [junctor.directory.state.v1, junctor.router.events.v1], heartbeats: hears}
directory: {own: true, reads: [], heartbeats: hears}
analytics:
  own: false
  reads:
    - junctor.router.events.v1
    - junctor.cti.events.v1
    - junctor.ivr.events.v1
    - junctor.recording.events.v1
    - junctor.omnichannel.events.v1
    - junctor.directory.events.v1
    - junctor.directory.state.v1
    - junctor.audit.v1
    - junctor.spans.v1
    - junctor.metrics.v1
gateway: {own: false, reads: []}
{{- end }}

{{/* What every service tells of itself. */}}
{{- define "junctor.kafkaTold" -}}
[junctor.audit.v1, junctor.spans.v1, junctor.metrics.v1]
{{- end }}
