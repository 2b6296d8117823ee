{{/* A service's pods and all that goes with them: account, Services, StatefulSet or Deployment, disruption budget, scaling.
     Argument: dict
       "root"       the service chart's context
       "component"  its name, which is also its image's
       "kind"       StatefulSet (pods keep names, disks and places in the log) or Deployment
       "ports"      list of dict name, port, protocol beside gRPC's
       "env"        its own environment as YAML
       "volumes", "mounts"  YAML of volumes beside /tmp and /var/lib/junctor
       "drainPause" seconds between the end of traffic and SIGTERM */}}
{{- define "junctor.workload" -}}
{{- $own := merge (dict) .root.Values -}}
{{- $stable := eq .kind "StatefulSet" -}}
{{- $all := merge (dict "stable" $stable "pods" $stable) . -}}
{{- $grpc := dict "name" "grpc" "port" 50051 "app" "kubernetes.io/h2c" -}}
{{- $_ := set $all "ports" (prepend (.ports | default list) $grpc) -}}
{{- $pause := .drainPause | default 0 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
automountServiceAccountToken: false
---
{{ include "junctor.services" $all }}
---
apiVersion: apps/v1
kind: {{ .kind }}
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  {{- if not (dig "autoscaling" "enabled" false $own) }}
  replicas: {{ dig "replicas" 1 $own }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- if $stable }}
  serviceName: {{ include "junctor.name" . }}-pods
  podManagementPolicy: Parallel
  updateStrategy: {type: RollingUpdate}
  {{- if dig "persistence" "enabled" false $own }}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  {{- end }}
  {{- else }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  {{- end }}
  selector:
    matchLabels:
      {{- include "junctor.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "junctor.labels" . | nindent 8 }}
      {{- with mergeOverwrite (dict) $own.global.podAnnotations $own.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "junctor.name" . }}
      automountServiceAccountToken: {{ ternary true false (eq (include "junctor.keepsLease" $all) "true") }}
      enableServiceLinks: false
      # The pause before SIGTERM, the drain, and a moment for the process to end.
      terminationGracePeriodSeconds: {{ add $pause $own.drainSeconds 5 }}
      {{- if dig "hostNetwork" false $own }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      securityContext:
        {{- include "junctor.podSecurity" . | nindent 8 }}
      {{- include "junctor.placement" . | nindent 6 }}
      containers:
        - name: {{ .component }}
          image: {{ include "junctor.image" (dict "root" .root "image" .component) }}
          imagePullPolicy: {{ $own.global.image.pullPolicy }}
          # Faust makes a folder where it is started.
          workingDir: /var/lib/junctor
          securityContext:
            {{- include "junctor.containerSecurity" . | nindent 12 }}
          ports:
            - {name: probes, containerPort: 50052, protocol: TCP}
            {{- if $own.global.monitoring.enabled }}
            - {name: metrics, containerPort: 9464, protocol: TCP}
            {{- end }}
            {{- range $all.ports }}
            - {name: {{ .name }}, containerPort: {{ .port }}, protocol: {{ .protocol | default "TCP" }}}
            {{- end }}
          env:
            {{- include "junctor.environment" $all | nindent 12 }}
            {{- include "junctor.kafkaEnvironment" $all | nindent 12 }}
            {{- with .env }}
            {{- . | nindent 12 }}
            {{- end }}
          {{- include "junctor.grpcProbes" . | nindent 10 }}
          {{- if $pause }}
          lifecycle:
            # Long enough for everyone to have heard that this pod takes no new work.
            preStop: {sleep: {seconds: {{ $pause }}}}
          {{- end }}
          resources:
            {{- toYaml $own.resources | nindent 12 }}
          volumeMounts:
            - {name: state, mountPath: /var/lib/junctor}
            - {name: tmp, mountPath: /tmp}
            {{- include "junctor.certificateMounts" $all | nindent 12 }}
            {{- include "junctor.voterMounts" $all | nindent 12 }}
            {{- with .mounts }}
            {{- . | nindent 12 }}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
        {{- if not (dig "persistence" "enabled" false $own) }}
        - {name: state, emptyDir: {sizeLimit: 1Gi}}
        {{- end }}
        {{- include "junctor.certificateVolumes" $all | nindent 8 }}
        {{- include "junctor.voterVolumes" $all | nindent 8 }}
        {{- with .volumes }}
        {{- . | nindent 8 }}
        {{- end }}
  {{- if dig "persistence" "enabled" false $own }}
  volumeClaimTemplates:
    - {{ include "junctor.claim" . | nindent 6 | trim }}
  {{- end }}
---
{{ include "junctor.disruptionBudget" . }}
{{- if dig "autoscaling" "enabled" false $own }}
---
{{ if hasKey $own.autoscaling "sessionsPerPod" }}{{ include "junctor.sessionScaler" . }}{{ else }}{{ include "junctor.autoscaler" . }}{{ end }}
{{- end }}
{{- end }}

{{/* The claim of a pod's disk. */}}
{{- define "junctor.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: state
  labels:
    {{- include "junctor.selector" . | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .root.Values.persistence.storageClass | default .root.Values.global.storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .root.Values.persistence.size }}
{{- end }}

{{/* Pods by load of their processors. */}}
{{- define "junctor.autoscaler" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: {{ .kind }}, name: {{ include "junctor.name" . }}}
  minReplicas: {{ .root.Values.autoscaling.min }}
  maxReplicas: {{ .root.Values.autoscaling.max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .root.Values.autoscaling.cpuPercent }}}}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 300}
{{- end }}

{{/* Pods by what they hold open, by KEDA. Argument: as for the workload, and "sessions", the name of the metric. */}}
{{- define "junctor.sessionScaler" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "junctor.name" . }}
  labels:
    {{- include "junctor.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: {{ .kind }}, name: {{ include "junctor.name" . }}}
  minReplicaCount: {{ .root.Values.autoscaling.min }}
  maxReplicaCount: {{ .root.Values.autoscaling.max }}
  pollingInterval: 15
  # Whoever is connected stays where he is: fewer pods only when it has been quiet for long.
  cooldownPeriod: 600
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 900}}}}
  triggers:
    - type: prometheus
      metadata:
        serverAddress: {{ .root.Values.global.monitoring.prometheus | quote }}
        query: sum({{ .sessions }}{namespace="{{ .root.Release.Namespace }}"})
        threshold: {{ .root.Values.autoscaling.sessionsPerPod | int64 | quote }}
{{- end }}
