{{- define "router.environment" -}}
- {name: JUNCTOR_ROUTER__PUMP, value: {{ .Values.pump | quote }}}
{{- end }}
