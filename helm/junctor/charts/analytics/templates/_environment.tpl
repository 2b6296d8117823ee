{{- define "analytics.environment" -}}
{{- $clickhouse := .Values.global.clickhouse -}}
{{- $host := include "junctor.host" (dict "root" . "component" "clickhouse") -}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_URL, value: {{ $clickhouse.http | default (printf "http://%s:8123" $host) | quote }}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_NATIVE, value: {{ $clickhouse.native | default (printf "%s:9000" $host) | quote }}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_USER, value: {{ $clickhouse.user | quote }}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_DATABASE, value: {{ $clickhouse.database | quote }}}
- name: JUNCTOR_ANALYTICS__CLICKHOUSE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "junctor.secret" (dict "root" . "existing" $clickhouse.existingSecret "component" "clickhouse") }}
      key: password
- {name: JUNCTOR_ANALYTICS__RETENTION_DAYS, value: {{ .Values.retentionDays | int64 | quote }}}
- {name: JUNCTOR_ANALYTICS__TRACE_RETENTION_DAYS, value: {{ .Values.traceRetentionDays | int64 | quote }}}
- {name: JUNCTOR_ANALYTICS__FLUSH_EVERY, value: {{ .Values.flushEvery | quote }}}
- {name: JUNCTOR_ANALYTICS__BATCH_RECORDS, value: {{ .Values.batchRecords | int64 | quote }}}
- {name: JUNCTOR_ANALYTICS__BATCH_BYTES, value: {{ .Values.batchBytes | int64 | quote }}}
{{- end }}
