{{- define "analytics.environment" -}}
{{- $clickhouse := .Values.global.clickhouse -}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_URL, value: {{ include "junctor.clickhouseHttp" (dict "root" .) | quote }}}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_NATIVE, value: {{ include "junctor.clickhouseNative" (dict "root" .) | quote }}}
{{- if include "junctor.clickhouseSecure" (dict "root" .) }}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_TLS, value: "true"}
{{- end }}
{{- if or $clickhouse.authority.existingSecret (and .Values.global.clickhouseOperator.enabled .Values.global.tls.enabled) }}
- {name: JUNCTOR_ANALYTICS__CLICKHOUSE_AUTHORITY, value: /etc/junctor/clickhouse/ca.crt}
{{- end }}
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
