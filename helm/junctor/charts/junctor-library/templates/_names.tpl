{{/* The name of a component's objects: <release>-<component>. Argument: dict "root" (any chart's context) "component". */}}
{{- define "junctor.name" -}}
{{- printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* What selects a component's pods; never changes between versions. */}}
{{- define "junctor.selector" -}}
app.kubernetes.io/name: junctor
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of a component's objects. */}}
{{- define "junctor.labels" -}}
{{ include "junctor.selector" . }}
app.kubernetes.io/part-of: junctor
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* The full DNS name of a service of ours. */}}
{{- define "junctor.host" -}}
{{ include "junctor.name" . }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}
{{- end }}

{{/* An image, by digest where one is given. Argument: dict "root" "image" (the part after junctor-). */}}
{{- define "junctor.image" -}}
{{- $image := .root.Values.global.image -}}
{{- $digest := get $image.digests .image -}}
{{- $name := printf "%s/junctor-%s" $image.registry .image -}}
{{- if $digest }}{{ printf "%s@%s" $name $digest }}{{ else }}{{ printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) }}{{ end -}}
{{- end }}

{{/* Where Kafka is: the brokers given, else those of this release. */}}
{{- define "junctor.kafka" -}}
{{- if .root.Values.global.kafka.brokers -}}
{{ join "," .root.Values.global.kafka.brokers }}
{{- else if .root.Values.global.strimzi.enabled -}}
{{ include "junctor.name" (dict "root" .root "component" "kafka") }}-kafka-bootstrap.{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}:9093
{{- else -}}
{{ include "junctor.host" (dict "root" .root "component" "kafka") }}:9092
{{- end -}}
{{- end }}

{{/* A Secret given by name, else the one that the release made. Argument: dict "root" "existing" "component". */}}
{{- define "junctor.secret" -}}
{{- default (include "junctor.name" .) .existing -}}
{{- end }}
