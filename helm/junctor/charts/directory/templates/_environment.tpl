{{- define "directory.environment" -}}
{{- with .Values.prompts }}
- {name: JUNCTOR_DIRECTORY__PROMPTS, value: {{ join "," . | quote }}}
{{- end }}
{{- if include "junctor.postgresHost" (dict "root" .) }}
{{ include "junctor.postgresEnvironment" (dict "root" .) }}
- {name: JUNCTOR_DIRECTORY__DATABASE, value: {{ include "junctor.postgresUrl" (dict "root" . "scheme" "postgresql+psycopg") | quote }}}
{{- end }}
{{- end }}
