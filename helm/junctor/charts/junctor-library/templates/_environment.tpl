{{/* Settings that every service has. Argument: dict "root" "component" "stable" (whether its pods keep their names). */}}
{{- define "junctor.environment" -}}
{{- $root := .root -}}
{{- $global := .root.Values.global -}}
{{- $own := merge (dict) .root.Values -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: HOST_IP
  valueFrom: {fieldRef: {fieldPath: status.hostIP}}
- {name: JUNCTOR_SITE, value: {{ $global.site.name | quote }}}
{{- include "junctor.sitesEnvironment" . }}
- {name: JUNCTOR_GRPC_LISTEN, value: "0.0.0.0:50051"}
{{- if .stable }}
- {name: JUNCTOR_GRPC_ADVERTISE, value: "$(POD_NAME).{{ include "junctor.name" . }}-pods.{{ $root.Release.Namespace }}.svc.{{ $global.clusterDomain }}:50051"}
{{- else }}
- {name: JUNCTOR_GRPC_ADVERTISE, value: "$(POD_IP):50051"}
{{- end }}
- {name: JUNCTOR_PROBE_LISTEN, value: "0.0.0.0:50052"}
{{- if $global.monitoring.enabled }}
- {name: JUNCTOR_METRICS_LISTEN, value: "0.0.0.0:9464"}
{{- end }}
{{- if $global.tls.enabled }}
- {name: JUNCTOR_GRPC_TLS_CERTIFICATE, value: /etc/junctor/tls/tls.crt}
- {name: JUNCTOR_GRPC_TLS_KEY, value: /etc/junctor/tls/tls.key}
- {name: JUNCTOR_GRPC_TLS_AUTHORITY, value: /etc/junctor/tls/ca.crt}
{{- end }}
- {name: JUNCTOR_STATE_DIR, value: /var/lib/junctor/state}
- {name: JUNCTOR_LOG_LEVEL, value: {{ $own.logLevel | default $global.logLevel | quote }}}
- {name: JUNCTOR_TRACING, value: {{ $global.tracing | quote }}}
- {name: JUNCTOR_METRICS_INTERVAL, value: {{ $global.metricsInterval | quote }}}
- {name: JUNCTOR_DRAIN_DEADLINE, value: "{{ $own.drainSeconds }}s"}
- {name: JUNCTOR_TOKEN_ISSUER, value: {{ $global.tokens.issuer | quote }}}
- {name: JUNCTOR_TOKEN_AUDIENCE, value: {{ $global.tokens.audience | quote }}}
{{- $issuer := include "junctor.host" (dict "root" $root "component" "issuer") }}
- {name: JUNCTOR_JWKS, value: {{ $global.tokens.jwks | default (printf "http://%s:8081/.well-known/jwks.json" $issuer) | quote }}}
- {name: JUNCTOR_TOKEN_URL, value: {{ $global.tokens.url | default (printf "http://%s:8081/token" $issuer) | quote }}}
- name: JUNCTOR_TOKEN_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ include "junctor.secret" (dict "root" $root "existing" $global.tokens.existingSecret "component" "issuer") }}
      key: workload-secret
{{- range $service := list "router" "cti" "ivr" "recording" "omnichannel" "analytics" "directory" "gateway" }}
- {name: JUNCTOR_{{ upper $service }}_ADDRESS, value: "{{ include "junctor.host" (dict "root" $root "component" $service) }}:50051"}
{{- end }}
{{- end }}

{{/* Where the keys of personal data are, and the key that wraps them. Argument: dict "root". */}}
{{- define "junctor.keysEnvironment" -}}
- name: JUNCTOR_MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "junctor.secret" (dict "root" .root "existing" .root.Values.global.keys.existingSecret "component" "keys") }}
      key: master-key
{{- if include "junctor.postgresHost" . }}
{{ include "junctor.postgresEnvironment" . }}
- {name: JUNCTOR_KEY_STORE_URL, value: {{ include "junctor.postgresUrl" (dict "root" .root "scheme" "postgresql") | quote }}}
{{- end }}
{{- end }}

{{/* How Kafka is reached. Argument: dict "root" "component". With Strimzi each service is a user of its own. */}}
{{- define "junctor.kafkaEnvironment" -}}
{{- $kafka := .root.Values.global.kafka -}}
{{- $strimzi := .root.Values.global.strimzi.enabled -}}
- {name: JUNCTOR_KAFKA_BOOTSTRAP, value: {{ include "junctor.kafka" . | quote }}}
{{- if or $kafka.tls.enabled $strimzi }}
- {name: JUNCTOR_KAFKA_TLS, value: "true"}
{{- if or $kafka.tls.existingSecret $strimzi }}
- {name: JUNCTOR_KAFKA_AUTHORITY, value: /etc/junctor/kafka/ca.crt}
{{- end }}
{{- if and $kafka.tls.clientCertificate (not $strimzi) }}
- {name: JUNCTOR_KAFKA_CERTIFICATE, value: /etc/junctor/kafka/tls.crt}
- {name: JUNCTOR_KAFKA_KEY, value: /etc/junctor/kafka/tls.key}
{{- end }}
{{- end }}
{{- if $strimzi }}
- {name: JUNCTOR_KAFKA_MECHANISM, value: scram-sha-512}
- {name: JUNCTOR_KAFKA_USER, value: {{ include "junctor.name" . | quote }}}
- name: JUNCTOR_KAFKA_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "junctor.name" . }}, key: password}}
{{- else if $kafka.login.existingSecret }}
- {name: JUNCTOR_KAFKA_MECHANISM, value: {{ $kafka.login.mechanism | quote }}}
- name: JUNCTOR_KAFKA_USER
  valueFrom: {secretKeyRef: {name: {{ $kafka.login.existingSecret }}, key: username}}
- name: JUNCTOR_KAFKA_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $kafka.login.existingSecret }}, key: password}}
{{- end }}
{{- end }}
