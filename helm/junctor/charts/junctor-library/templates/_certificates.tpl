{{/* Certificates: of the service for gRPC, and what is needed towards Kafka. Argument: dict "root" "component". */}}
{{- define "junctor.certificateVolumes" -}}
{{- $global := .root.Values.global -}}
{{- if $global.tls.enabled }}
- name: tls
  secret:
    secretName: {{ default (printf "%s-tls" (include "junctor.name" .)) $global.tls.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- if $global.strimzi.enabled }}
- name: kafka-tls
  secret:
    secretName: {{ include "junctor.name" (dict "root" .root "component" "kafka") }}-cluster-ca-cert
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}]
{{- else if and $global.kafka.tls.enabled $global.kafka.tls.existingSecret }}
- name: kafka-tls
  secret:
    secretName: {{ $global.kafka.tls.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "junctor.certificateMounts" -}}
{{- $global := .root.Values.global -}}
{{- if $global.tls.enabled }}
- {name: tls, mountPath: /etc/junctor/tls, readOnly: true}
{{- end }}
{{- if or $global.strimzi.enabled (and $global.kafka.tls.enabled $global.kafka.tls.existingSecret) }}
- {name: kafka-tls, mountPath: /etc/junctor/kafka, readOnly: true}
{{- end }}
{{- end }}
