{{/* What each service does with which topics, as YAML: its own topics, those it reads, those it writes. */}}
{{- define "junctor.kafkaRights" -}}
router: {own: true, reads: [junctor.directory.state.v1], writes: []}
cti: {own: true, reads: [junctor.directory.state.v1, junctor.ivr.events.v1, junctor.router.events.v1], writes: []}
ivr: {own: true, reads: [junctor.directory.state.v1, junctor.cti.events.v1], writes: []}
recording: {own: true, reads: [junctor.directory.state.v1, junctor.cti.events.v1], writes: []}
omnichannel: {own: true, reads: [junctor.directory.state.v1, junctor.router.events.v1], writes: []}
directory: {own: true, reads: [], writes: []}
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
  writes: []
gateway: {own: false, reads: [], writes: []}
{{- end }}

{{/* What every service tells of itself. */}}
{{- define "junctor.kafkaTold" -}}
[junctor.audit.v1, junctor.spans.v1, junctor.metrics.v1]
{{- end }}
