{{/* What each service does with which topics, as YAML: whether it has topics of its own, and those of others that it reads. */}}
{{- define "junctor.kafkaRights" -}}
router: {own: true, reads: [junctor.directory.state.v1]}
cti: {own: true, reads: [junctor.directory.state.v1, junctor.ivr.events.v1, junctor.router.events.v1]}
ivr: {own: true, reads: [junctor.directory.state.v1, junctor.cti.events.v1]}
recording: {own: true, reads: [junctor.cti.events.v1]}
omnichannel: {own: true, reads: [junctor.directory.state.v1, junctor.router.events.v1]}
directory: {own: true, reads: []}
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
