{{/* Who calls whom by gRPC: the callers of each service. */}}
{{- define "junctor.callers" -}}
router: [cti, omnichannel, gateway]
cti: [ivr, recording, gateway]
ivr: [cti, gateway]
recording: [cti, gateway]
omnichannel: [gateway]
analytics: [gateway]
directory: [gateway]
gateway: []
{{- end }}

{{/* The port of an address or URL, else that of its scheme. Argument: the text. */}}
{{- define "junctor.portOf" -}}
{{- $place := regexReplaceAll "^[a-z]+://" . "" | splitList "/" | first -}}
{{- if regexMatch ":[0-9]+$" $place -}}
{{ regexFind "[0-9]+$" $place }}
{{- else -}}
{{ ternary 443 80 (hasPrefix "https://" .) }}
{{- end -}}
{{- end }}

{{/* Ports outside that a component calls: sources of one's own. Argument: dict "root" "component". */}}
{{- define "junctor.outsidePorts" -}}
{{- $g := .root.Values.global -}}
{{- $ports := list -}}
{{- if has .component (list "router" "cti" "ivr" "recording" "omnichannel" "analytics" "directory" "gateway" "topics" "mirror" "check") }}
{{- range $g.kafka.brokers }}{{ $ports = append $ports (include "junctor.portOf" .) }}{{ end }}
{{- if $g.strimzi.enabled }}{{ $ports = append $ports "9093" }}{{ end }}
{{- end }}
{{- if include "junctor.isLed" . }}
{{- range $place := list $g.site.voters.peer $g.site.voters.witness }}
{{- if hasPrefix "lease:" $place }}{{ $ports = concat $ports (list "443" "6443") }}{{ else if $place }}{{ $ports = append $ports (include "junctor.portOf" $place) }}{{ end }}
{{- end }}
{{- if eq $g.site.voters.own "lease" }}{{ $ports = concat $ports (list "443" "6443") }}{{ end }}
{{- if $g.site.peer.kafka.claimed }}{{ range $g.site.peer.kafka.brokers }}{{ $ports = append $ports (include "junctor.portOf" .) }}{{ end }}{{ end }}
{{- end }}
{{- if eq .component "mirror" }}
{{- range $g.site.peer.kafka.brokers }}{{ $ports = append $ports (include "junctor.portOf" .) }}{{ end }}
{{- end }}
{{- if not (has .component (list "topics" "mirror" "media" "kafka" "clickhouse")) }}
{{- range $url := list $g.tokens.jwks $g.tokens.url }}{{ if $url }}{{ $ports = append $ports (include "junctor.portOf" $url) }}{{ end }}{{ end }}
{{- end }}
{{- if eq .component "analytics" }}
{{- range $place := list $g.clickhouse.http $g.clickhouse.native }}{{ if $place }}{{ $ports = append $ports (include "junctor.portOf" $place) }}{{ end }}{{ end }}
{{- if $g.clickhouseOperator.enabled }}{{ $ports = concat $ports (ternary (list "8443" "9440") (list "8123" "9000") $g.tls.enabled) }}{{ end }}
{{- end }}
{{- if has .component (list "cti" "recording" "omnichannel" "directory") }}
{{- if $g.postgresql.host }}{{ $ports = append $ports (toString $g.postgresql.port) }}{{ else if $g.cloudnativepg.enabled }}{{ $ports = append $ports "5432" }}{{ end }}
{{- end }}
{{- if and (eq .component "omnichannel") $g.site.peer.omnichannel.grpc }}
{{- $ports = append $ports (include "junctor.portOf" $g.site.peer.omnichannel.grpc) }}
{{- end }}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end }}

{{/* A peer: the pods of a component of this release. Argument: dict "root" "component". */}}
{{- define "junctor.peer" -}}
podSelector:
  matchLabels:
    {{- include "junctor.selector" . | nindent 4 }}
{{- end }}
