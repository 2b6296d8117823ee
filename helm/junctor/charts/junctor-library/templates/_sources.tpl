{{/* Where ClickHouse is. Argument: dict "root". */}}
{{- define "junctor.clickhouseHost" -}}
{{- if .root.Values.global.clickhouseOperator.enabled -}}
clickhouse-{{ include "junctor.host" (dict "root" .root "component" "clickhouse") }}
{{- else -}}
{{ include "junctor.host" (dict "root" .root "component" "clickhouse") }}
{{- end -}}
{{- end }}

{{- define "junctor.clickhouseSecure" -}}
{{- $global := .root.Values.global -}}
{{- if or $global.clickhouse.tls (and $global.clickhouseOperator.enabled $global.tls.enabled) }}true{{ end -}}
{{- end }}

{{- define "junctor.clickhouseHttp" -}}
{{- $secure := include "junctor.clickhouseSecure" . -}}
{{- $host := include "junctor.clickhouseHost" . -}}
{{- default (ternary (printf "https://%s:8443" $host) (printf "http://%s:8123" $host) (eq $secure "true")) .root.Values.global.clickhouse.http -}}
{{- end }}

{{- define "junctor.clickhouseNative" -}}
{{- $secure := include "junctor.clickhouseSecure" . -}}
{{- $host := include "junctor.clickhouseHost" . -}}
{{- default (ternary (printf "%s:9440" $host) (printf "%s:9000" $host) (eq $secure "true")) .root.Values.global.clickhouse.native -}}
{{- end }}

{{/* The host of PostgreSQL, empty where none is used. Argument: dict "root". */}}
{{- define "junctor.postgresHost" -}}
{{- if .root.Values.global.cloudnativepg.enabled -}}
{{ include "junctor.name" (dict "root" .root "component" "postgresql") }}-rw.{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}
{{- else -}}
{{ .root.Values.global.postgresql.host }}
{{- end -}}
{{- end }}

{{/* The parts of a URL that are secret; Kubernetes puts them into the settings that name them. Argument: dict "root". */}}
{{- define "junctor.postgresEnvironment" -}}
{{- $secret := .root.Values.global.postgresql.existingSecret -}}
{{- if .root.Values.global.cloudnativepg.enabled -}}
{{- $secret = printf "%s-app" (include "junctor.name" (dict "root" .root "component" "postgresql")) -}}
{{- end -}}
- name: POSTGRES_USER
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: username}}
- name: POSTGRES_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
{{- end }}

{{/* Argument: dict "root" "scheme". */}}
{{- define "junctor.postgresUrl" -}}
{{- $postgres := .root.Values.global.postgresql -}}
{{- $own := .root.Values.global.cloudnativepg.enabled -}}
{{- $mode := ternary "verify-full" $postgres.sslMode $own -}}
{{ .scheme }}://$(POSTGRES_USER):$(POSTGRES_PASSWORD)@{{ include "junctor.postgresHost" . }}:{{ ternary 5432 (int64 $postgres.port) $own }}/{{ $postgres.database }}?sslmode={{ $mode }}
{{- if has $mode (list "verify-ca" "verify-full") -}}
&sslrootcert={{ if or $own $postgres.authority.existingSecret }}/etc/junctor/postgresql/ca.crt{{ else }}system{{ end }}
{{- end -}}
{{- end }}
