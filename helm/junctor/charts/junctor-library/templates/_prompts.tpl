{{/* Prompts of one's own take the place of the images'. The media server opens the files that cti names. */}}
{{- define "junctor.promptsVolume" -}}
{{- with .Values.global.prompts.existingClaim }}
- name: prompts
  persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "junctor.promptsMount" -}}
{{- if .Values.global.prompts.existingClaim }}
- {name: prompts, mountPath: /usr/share/junctor/prompts, readOnly: true}
{{- end }}
{{- end }}
