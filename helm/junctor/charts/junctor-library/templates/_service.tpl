{{/* The two Services of a component: one address for callers, and names for its pods.
     Argument: dict "root" "component" "ports" (list of dict name port protocol) "pods" (whether pods are named). */}}
{{- define "junctor.services" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "junctor.selector" . | nindent 4 }}
  ports:
    {{- include "junctor.servicePorts" . | nindent 4 }}
{{- if .pods }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "junctor.name" . }}-pods
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  clusterIP: None
  # Whoever decides is called by its pod's name, also while it is not ready for everybody.
  publishNotReadyAddresses: true
  selector:
    {{- include "junctor.selector" . | nindent 4 }}
  ports:
    {{- include "junctor.servicePorts" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "junctor.servicePorts" -}}
{{- range .ports }}
- name: {{ .name }}
  port: {{ .port }}
  targetPort: {{ .name }}
  protocol: {{ .protocol | default "TCP" }}
  {{- with .app }}
  appProtocol: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* At most one pod of a component is taken away by people's will at a time. */}}
{{- define "junctor.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "junctor.selector" . | nindent 6 }}
{{- end }}
