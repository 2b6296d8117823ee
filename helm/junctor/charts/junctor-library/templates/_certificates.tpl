{{/* Certificates that a component's pods are given. Argument: dict "root" "component". A line each: volume, Secret, folder. */}}
{{- define "junctor.certificates" -}}
{{- $global := .root.Values.global -}}
{{- $postgres := list "cti" "recording" "omnichannel" "directory" -}}
{{- if and $global.tls.enabled (not (has .component (list "topics" "mirror" "check"))) }}
- {name: tls, path: tls, secret: {{ default (printf "%s-tls" (include "junctor.name" .)) $global.tls.existingSecret }}}
{{- end }}
{{- if eq .component "voter" }}
{{- else if $global.strimzi.enabled }}
- {name: kafka-tls, path: kafka, secret: {{ include "junctor.name" (dict "root" .root "component" "kafka") }}-cluster-ca-cert}
{{- else if and $global.kafka.tls.enabled $global.kafka.tls.existingSecret }}
- {name: kafka-tls, path: kafka, secret: {{ $global.kafka.tls.existingSecret }}}
{{- end }}
{{- if has .component $postgres }}
{{- if $global.cloudnativepg.enabled }}
- {name: postgresql-tls, path: postgresql, secret: {{ include "junctor.name" (dict "root" .root "component" "postgresql") }}-ca}
{{- else if and $global.postgresql.host $global.postgresql.authority.existingSecret }}
- {name: postgresql-tls, path: postgresql, secret: {{ $global.postgresql.authority.existingSecret }}}
{{- end }}
{{- end }}
{{- if eq .component "analytics" }}
{{- if and $global.clickhouseOperator.enabled $global.tls.enabled }}
- {name: clickhouse-tls, path: clickhouse, secret: {{ include "junctor.name" (dict "root" .root "component" "clickhouse") }}-tls}
{{- else if $global.clickhouse.authority.existingSecret }}
- {name: clickhouse-tls, path: clickhouse, secret: {{ $global.clickhouse.authority.existingSecret }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "junctor.certificateVolumes" -}}
{{- range include "junctor.certificates" . | fromYamlArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    {{- if eq .name "postgresql-tls" }}
    # A key that signs certificates may lie beside: it is not ours to have.
    items: [{key: ca.crt, path: ca.crt}]
    {{- end }}
{{- end }}
{{- end }}

{{- define "junctor.certificateMounts" -}}
{{- range include "junctor.certificates" . | fromYamlArray }}
- {name: {{ .name }}, mountPath: /etc/junctor/{{ .path }}, readOnly: true}
{{- end }}
{{- end }}
