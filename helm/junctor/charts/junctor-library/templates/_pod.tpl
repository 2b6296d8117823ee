{{/* Security of a pod, as the restricted Pod Security Standard asks. */}}
{{- define "junctor.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Security of a container. */}}
{{- define "junctor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a component's pods may run and how they are spread. Argument: dict "root" "component". */}}
{{- define "junctor.placement" -}}
{{- $own := merge (dict) .root.Values -}}
{{- with .root.Values.global.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $own.priorityClassName | default $own.global.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with mergeOverwrite (dict) $own.global.nodeSelector ($own.nodeSelector | default dict) }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $own.global.tolerations ($own.tolerations | default list) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ if eq $key "kubernetes.io/hostname" }}{{ $own.global.spread }}{{ else }}ScheduleAnyway{{ end }}
    labelSelector:
      matchLabels:
        {{- include "junctor.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{/* The three probes of a service that speaks gRPC health. */}}
{{- define "junctor.grpcProbes" -}}
startupProbe:
  grpc: {port: 50052, service: liveness}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 120
livenessProbe:
  grpc: {port: 50052, service: liveness}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  grpc: {port: 50052, service: readiness}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}
