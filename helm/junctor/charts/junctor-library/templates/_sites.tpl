{{/* Whether a component takes part in who leads. Argument: dict "root" "component". */}}
{{- define "junctor.isLed" -}}
{{- if and .root.Values.global.site.peer.name (has .component (list "router" "directory")) }}true{{ end -}}
{{- end }}

{{/* Whether it keeps this site's votes in a Lease of this cluster. */}}
{{- define "junctor.keepsLease" -}}
{{- if and (include "junctor.isLed" .) (eq .root.Values.global.site.voters.own "lease") }}true{{ end -}}
{{- end }}

{{/* Settings of two sites. Argument: dict "root" "component". */}}
{{- define "junctor.sitesEnvironment" -}}
{{- $site := .root.Values.global.site -}}
{{- if $site.peer.name }}
- {name: JUNCTOR_OTHER_SITE, value: {{ $site.peer.name | quote }}}
{{- end }}
{{- if include "junctor.isLed" . }}
- {name: JUNCTOR_VOTERS, value: {{ include "junctor.voters" . | quote }}}
{{- with $site.preferredPartitions }}
- {name: JUNCTOR_PREFERRED_PARTITIONS, value: {{ join "," . | quote }}}
{{- end }}
{{- if $site.peer.kafka.claimed }}
- {name: JUNCTOR_OTHER_KAFKA_BOOTSTRAP, value: {{ join "," $site.peer.kafka.brokers | quote }}}
{{- end }}
{{- end }}
{{- if and $site.peer.name (eq .component "cti") }}
- {name: JUNCTOR_CTI__OTHER_SITES, value: "{{ $site.peer.name }}={{ $site.peer.sip }}"}
- name: JUNCTOR_CTI__OTHER_SITES_SECRET
  valueFrom: {secretKeyRef: {name: {{ $site.peer.existingSecret }}, key: sites-secret}}
{{- end }}
{{- if and $site.peer.name $site.peer.omnichannel.grpc (eq .component "omnichannel") }}
- {name: JUNCTOR_OMNICHANNEL__OTHER_SITES, value: "{{ $site.peer.name }}={{ $site.peer.omnichannel.grpc }}"}
- {name: JUNCTOR_OMNICHANNEL__OTHER_SITES_WEB, value: "{{ $site.peer.name }}={{ $site.peer.omnichannel.web }}"}
{{- end }}
{{- end }}

{{/* The voters' places, as the services read them. Without a witness a lost site is taken over by a person. */}}
{{- define "junctor.voters" -}}
{{- $site := .root.Values.global.site -}}
{{- $own := printf "%s:50051" (include "junctor.host" (dict "root" .root "component" "voter")) -}}
{{- if eq $site.voters.own "lease" }}{{ $own = printf "lease:%s" .root.Release.Namespace }}{{ end -}}
{{- $places := list (printf "%s=%s" $site.name $own) (printf "%s=%s" $site.peer.name (include "junctor.voterPlace" (dict "place" $site.voters.peer "key" "peer"))) -}}
{{- if eq $site.takeover "automatic" }}{{ $places = append $places (printf "witness=%s" (include "junctor.voterPlace" (dict "place" $site.voters.witness "key" "witness"))) }}{{ end -}}
{{- join "," $places -}}
{{- end }}

{{- define "junctor.voterPlace" -}}
{{ .place }}{{ if hasPrefix "lease:" .place }}@/etc/junctor/voters/{{ .key }}{{ end }}
{{- end }}

{{- define "junctor.voterVolumes" -}}
{{- if include "junctor.isLed" . }}
{{- with .root.Values.global.site.voters.kubeconfigs.existingSecret }}
- name: voters
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}

{{- define "junctor.voterMounts" -}}
{{- if and (include "junctor.isLed" .) .root.Values.global.site.voters.kubeconfigs.existingSecret }}
- {name: voters, mountPath: /etc/junctor/voters, readOnly: true}
{{- end }}
{{- end }}
