{{/* What the pods of a trial's parts share. Argument: dict "root" "component", and "grace" in seconds. */}}
{{- define "junctor.trialAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{- define "junctor.trialPod" -}}
serviceAccountName: {{ include "junctor.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  {{- include "junctor.podSecurity" . | nindent 2 }}
{{- include "junctor.placement" . }}
{{- end }}
