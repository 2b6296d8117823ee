{{- define "directory.environment" -}}
{{- with .Values.prompts }}
- {name: JUNCTOR_DIRECTORY__PROMPTS, value: {{ join "," . | quote }}}
{{- end }}
{{- if .Values.global.postgresql.host }}
{{ include "junctor.postgresEnvironment" (dict "root" .) }}
- {name: JUNCTOR_DIRECTORY__DATABASE, value: {{ include "junctor.postgresUrl" (dict "root" . "scheme" "postgresql+psycopg") | quote }}}
{{- end }}
{{- end }}
