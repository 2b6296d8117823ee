{{- define "recording.environment" -}}
{{ include "junctor.keysEnvironment" (dict "root" .) }}
- {name: JUNCTOR_RECORDING__DIRECTORY, value: /var/lib/junctor/recordings}
- {name: JUNCTOR_RECORDING__RTP_HOST, value: $(POD_IP)}
- {name: JUNCTOR_RECORDING__RTP_PORT_MIN, value: {{ .Values.rtp.first | int64 | quote }}}
- {name: JUNCTOR_RECORDING__RTP_PORT_MAX, value: {{ .Values.rtp.last | int64 | quote }}}
- {name: JUNCTOR_RECORDING__SEAL, value: {{ .Values.seal | quote }}}
- {name: JUNCTOR_RECORDING__RETENTION, value: {{ .Values.retention | quote }}}
{{- if include "junctor.postgresHost" (dict "root" .) }}
- {name: JUNCTOR_RECORDING__DATABASE, value: {{ include "junctor.postgresUrl" (dict "root" . "scheme" "postgresql+psycopg") | quote }}}
{{- end }}
{{- end }}
