{{- define "cti.ports" -}}
- {name: sip-udp, port: {{ .Values.sip.port }}, protocol: UDP}
{{- if .Values.sip.tcp }}
- {name: sip-tcp, port: {{ .Values.sip.port }}, protocol: TCP}
{{- end }}
- {name: dtmf, port: 2224, protocol: UDP}
{{- end }}

{{- define "cti.environment" -}}
{{ include "junctor.keysEnvironment" (dict "root" .) }}
# The number of a pod is its edge slot: a partition of the journal and the calls in it.
- name: JUNCTOR_CTI__SLOT
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
- {name: JUNCTOR_CTI__SIP_LISTEN, value: "$(POD_IP):{{ .Values.sip.port }}"}
{{- if .Values.sip.tcp }}
- {name: JUNCTOR_CTI__SIP_TCP_PORT, value: {{ .Values.sip.port | quote }}}
{{- end }}
{{- if eq .Values.sip.advertise "node" }}
- {name: JUNCTOR_CTI__SIP_ADVERTISE, value: $(HOST_IP)}
{{- else if .Values.sip.advertise }}
- {name: JUNCTOR_CTI__SIP_ADVERTISE, value: {{ .Values.sip.advertise | quote }}}
{{- end }}
- {name: JUNCTOR_CTI__SIP_REALM, value: {{ .Values.sip.realm | quote }}}
- {name: JUNCTOR_CTI__SIP_REQUESTS_PER_SECOND, value: {{ .Values.sip.requestsPerSecond | int64 | quote }}}
{{- /* Trunks of two sites try the other one. */}}
- {name: JUNCTOR_CTI__SIP_ALONE, value: {{ not .Values.global.site.peer.name | quote }}}
- name: JUNCTOR_CTI__SIP_NONCE_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ include "junctor.secret" (dict "root" . "existing" .Values.sip.nonce.existingSecret "component" "sip-nonce") }}
      key: nonce-secret
- {name: JUNCTOR_CTI__MEDIA_NG, value: {{ .Values.global.media.ng | default (printf "%s:2223" (include "junctor.host" (dict "root" . "component" "media"))) | quote }}}
- {name: JUNCTOR_CTI__DTMF_LISTEN, value: "0.0.0.0:2224"}
- {name: JUNCTOR_CTI__PROMPTS, value: /usr/share/junctor/prompts}
- {name: JUNCTOR_CTI__ROUTE_TRIES, value: {{ .Values.routeTries | int64 | quote }}}
{{- end }}
