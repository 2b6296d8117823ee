{{/* What makes no sense in the values, a sentence a line: which values, why, and what to change. */}}
{{- define "junctor.problems" -}}
{{ include "junctor.problemsOfSources" . }}
{{ include "junctor.problemsOfParts" . }}
{{ include "junctor.problemsOfSites" . }}
{{- if .Values.global.production }}
{{ include "junctor.problemsOfProduction" . }}
{{- end }}
{{ include "junctor.problemsOfSecrets" . }}
{{- end }}

{{/* Each thing that services need comes from one place. */}}
{{- define "junctor.problemsOfSources" -}}
{{- $g := .Values.global -}}
{{- $kafkas := list -}}
{{- if .Values.kafka.enabled }}{{ $kafkas = append $kafkas "kafka.enabled" }}{{ end -}}
{{- if $g.strimzi.enabled }}{{ $kafkas = append $kafkas "global.strimzi.enabled" }}{{ end -}}
{{- if $g.kafka.brokers }}{{ $kafkas = append $kafkas "global.kafka.brokers" }}{{ end -}}
{{- if eq (len $kafkas) 0 }}
There is no Kafka: set global.kafka.brokers to your brokers, or global.strimzi.enabled, or for a trial kafka.enabled.
{{- else if gt (len $kafkas) 1 }}
{{ join " and " $kafkas }} are both set, and there can be one Kafka only: keep one of them.
{{- end }}
{{- $clickhouses := list -}}
{{- if .Values.clickhouse.enabled }}{{ $clickhouses = append $clickhouses "clickhouse.enabled" }}{{ end -}}
{{- if $g.clickhouseOperator.enabled }}{{ $clickhouses = append $clickhouses "global.clickhouseOperator.enabled" }}{{ end -}}
{{- if or $g.clickhouse.http $g.clickhouse.native }}{{ $clickhouses = append $clickhouses "global.clickhouse.http or .native" }}{{ end -}}
{{- if gt (len $clickhouses) 1 }}
{{ join " and " $clickhouses }} are both set, and there can be one ClickHouse only: keep one of them.
{{- else if not (or .Values.clickhouse.enabled $g.clickhouseOperator.enabled (and $g.clickhouse.http $g.clickhouse.native)) }}
There is no ClickHouse: set both global.clickhouse.http and global.clickhouse.native, or global.clickhouseOperator.enabled, or for a trial clickhouse.enabled.
{{- end }}
{{- if and (or $g.clickhouseOperator.enabled $g.clickhouse.http) (not $g.clickhouse.existingSecret) }}
global.clickhouse.existingSecret is missing: name the Secret with the password of global.clickhouse.user.
{{- end }}
{{- if and .Values.issuer.enabled (or $g.tokens.jwks $g.tokens.url) }}
issuer.enabled and global.tokens.jwks or .url are both set, and there can be one issuer of tokens only: keep one of them.
{{- else if and (not .Values.issuer.enabled) (not (and $g.tokens.jwks $g.tokens.url)) }}
There is no issuer of tokens: set both global.tokens.jwks and global.tokens.url, or for a trial issuer.enabled.
{{- end }}
{{- if and (not .Values.issuer.enabled) $g.tokens.url (not $g.tokens.existingSecret) }}
global.tokens.existingSecret is missing: name the Secret with the workload-secret that services show at global.tokens.url.
{{- end }}
{{- if and $g.postgresql.host $g.cloudnativepg.enabled }}
global.cloudnativepg.enabled and global.postgresql.host are both set, and there can be one PostgreSQL only: keep one of them.
{{- end }}
{{- if and $g.postgresql.host (eq $g.postgresql.sslMode "verify-ca") (not $g.postgresql.authority.existingSecret) }}
global.postgresql.authority.existingSecret is missing: verify-ca needs to know who signed the certificate; name its Secret, or set verify-full.
{{- end }}
{{- if and $g.postgresql.host (not $g.postgresql.existingSecret) }}
global.postgresql.existingSecret is missing: name the Secret with the username and password for {{ $g.postgresql.host }}.
{{- else if and $g.postgresql.existingSecret (not $g.postgresql.host) }}
global.postgresql.existingSecret is set, but there is no PostgreSQL to use it for: set global.postgresql.host.
{{- end }}
{{- if and $g.kafka.tls.clientCertificate (not (and $g.kafka.tls.enabled $g.kafka.tls.existingSecret)) }}
global.kafka.tls.clientCertificate needs global.kafka.tls.enabled and the certificate: name its Secret in global.kafka.tls.existingSecret.
{{- end }}
{{- if and $g.tls.enabled (not $g.tls.existingSecret) (not $g.certManager.issuer) }}
global.tls.enabled is set, but there are no certificates: name their Secret in global.tls.existingSecret, or cert-manager's issuer in global.certManager.issuer.
{{- end }}
{{- if and $g.tls.existingSecret $g.certManager.issuer }}
global.tls.existingSecret and global.certManager.issuer are both set, and certificates come from one place: keep one of them.
{{- end }}
{{- if and $g.clickhouseOperator.enabled $g.tls.enabled (not $g.certManager.issuer) }}
global.clickhouseOperator.enabled with global.tls.enabled needs a certificate for ClickHouse: set global.certManager.issuer.
{{- end }}
{{- if and (or $g.kafka.login.existingSecret $g.kafka.tls.enabled) (not $g.kafka.brokers) }}
global.kafka.login and global.kafka.tls are for brokers of your own, and there are none: set global.kafka.brokers, or leave them out.
{{- end }}
{{- end }}

{{/* Values of one part that contradict each other. */}}
{{- define "junctor.problemsOfParts" -}}
{{- $v := .Values -}}
{{- $sip := $v.cti.sip -}}
{{- if and (eq $sip.service.type "NodePort") (or (lt (int $sip.port) 30000) (gt (int $sip.port) 32767)) }}
cti.sip.port is {{ $sip.port }}, but with cti.sip.service.type NodePort it is the node's port too: choose one from 30000 to 32767.
{{- end }}
{{- if and (eq $sip.service.type "NodePort") $sip.service.address }}
cti.sip.service.address has no meaning with type NodePort: leave it out, or choose LoadBalancer or ClusterIP.
{{- end }}
{{- if and $sip.service.sourceRanges (ne $sip.service.type "LoadBalancer") }}
cti.sip.service.sourceRanges is obeyed by load balancers only: choose type LoadBalancer, or leave it out.
{{- end }}
{{- if and (eq $sip.advertise "node") (eq $sip.service.type "LoadBalancer") }}
cti.sip.advertise is "node", but phones come by a load balancer: set it to the load balancer's address.
{{- end }}
{{- range $place := list "gateway.service" "omnichannel.service" "omnichannel.sites" "voter.service" "kafka.service" }}
{{- $parts := splitList "." $place }}
{{- $service := index $v (first $parts) (last $parts) | default (dict "type" "ClusterIP" "nodePort" 0) }}
{{- if and $service.nodePort (ne $service.type "NodePort") }}
{{ $place }}.nodePort is {{ $service.nodePort }}, but {{ $place }}.type is {{ $service.type }}: set the type to NodePort, or leave the port out.
{{- else if and $service.nodePort (lt (int $service.nodePort) 30000) }}
{{ $place }}.nodePort is {{ $service.nodePort }}: choose one from 30000 to 32767.
{{- end }}
{{- end }}
{{- range $part := list "media" "recording" }}
{{- $rtp := (index $v $part).rtp }}
{{- if lt (int $rtp.last) (add (int $rtp.first) 3) }}
{{ $part }}.rtp.first {{ $rtp.first }} and {{ $part }}.rtp.last {{ $rtp.last }} are no range of four ports or more: raise the last.
{{- end }}
{{- end }}
{{- range $part := list "router" "ivr" "gateway" "omnichannel" }}
{{- $scaling := (index $v $part).autoscaling }}
{{- if and $scaling.enabled (gt (int $scaling.min) (int $scaling.max)) }}
{{ $part }}.autoscaling.min {{ $scaling.min }} is more than {{ $part }}.autoscaling.max {{ $scaling.max }}: lower the first or raise the second.
{{- end }}
{{- end }}
{{- if and $v.omnichannel.autoscaling.enabled (not (and $v.global.monitoring.enabled $v.global.monitoring.prometheus)) }}
omnichannel.autoscaling.enabled needs the metrics: set global.monitoring.enabled and global.monitoring.prometheus.
{{- end }}
{{- if and (or (gt (int $v.omnichannel.replicas) 1) $v.omnichannel.autoscaling.enabled) (not (or $v.global.postgresql.host $v.global.cloudnativepg.enabled)) }}
omnichannel has several pods (omnichannel.replicas or .autoscaling), but contacts' keys are in files that one pod has: set global.postgresql.host or global.cloudnativepg.enabled, or keep one pod.
{{- end }}
{{- end }}

{{/* Two sites. */}}
{{- define "junctor.problemsOfSites" -}}
{{- $site := .Values.global.site -}}
{{- $peer := $site.peer -}}
{{- if and $peer.name (eq $peer.name $site.name) }}
global.site.name and global.site.peer.name are both {{ $site.name }}: a site needs a name of its own, so change one of them (and install the other site with the two exchanged).
{{- end }}
{{- if and $peer.name (not $peer.kafka.brokers) }}
global.site.peer.kafka.brokers is missing: without the other site's Kafka nothing of {{ $peer.name }} reaches this site. Give its brokers as they are reached from here.
{{- end }}
{{- if $peer.name }}
{{- if and (eq $site.takeover "automatic") (not $site.voters.witness) }}
global.site.takeover is automatic, but there is no witness: two sites alone cannot tell a lost site from a cut link. Name the witness in global.site.voters.witness, or set global.site.takeover to byHand.
{{- end }}
{{- if and (eq $site.takeover "byHand") $site.voters.witness }}
global.site.voters.witness is set, but global.site.takeover is byHand, which asks no witness: set automatic, or leave the witness out.
{{- end }}
{{- if not $site.voters.peer }}
global.site.voters.peer is missing: give the place of {{ $peer.name }}'s own voter, as it is reached from here.
{{- end }}
{{- if and (eq $site.voters.own "process") (not .Values.voter.enabled) }}
voter.enabled is false, but global.site.voters.own is process: turn the voter on, or set lease.
{{- else if and (eq $site.voters.own "lease") .Values.voter.enabled }}
voter.enabled is set, but global.site.voters.own is lease: keep one of them.
{{- end }}
{{- if and (or (hasPrefix "lease:" $site.voters.peer) (hasPrefix "lease:" $site.voters.witness)) (not $site.voters.kubeconfigs.existingSecret) }}
global.site.voters.kubeconfigs.existingSecret is missing: a Lease in another cluster is reached by a kubeconfig; name the Secret that has it.
{{- end }}
{{- if not $peer.sip }}
global.site.peer.sip is missing: without the other site's SIP edge its agents cannot be rung from here.
{{- end }}
{{- if and $peer.omnichannel.grpc (not $peer.omnichannel.web) }}
global.site.peer.omnichannel.web is missing: customers whose chat is in site {{ $peer.name }} are told where to connect. Give the address of their WebSockets there, wss://.
{{- else if and $peer.omnichannel.web (not $peer.omnichannel.grpc) }}
global.site.peer.omnichannel.grpc is missing: agents here cannot write in the chats of site {{ $peer.name }}. Give host:port of its omnichannel.
{{- end }}
{{- if and .Values.global.production (hasPrefix "ws://" $peer.omnichannel.web) }}
global.site.peer.omnichannel.web is {{ $peer.omnichannel.web }}, and global.production asks for TLS: customers would write in the clear. Give a wss:// address.
{{- end }}
{{- if not $peer.existingSecret }}
global.site.peer.existingSecret is missing: make a Secret with sites-secret, the same at both sites, for calls between their edges, and name it.
{{- end }}
{{- if not .Values.global.keys.existingSecret }}
global.keys.existingSecret is missing: both sites need the same master-key, or neither knows the other's customers again. Make the Secret at both and name it.
{{- end }}
{{- if and .Values.issuer.enabled (not .Values.global.tokens.existingSecret) }}
global.tokens.existingSecret is missing: the issuers of two sites must sign with the same key. Make a Secret with workload-secret and signing-key.pem at both sites and name it.
{{- end }}
{{- end }}
{{- if and (not $peer.name) (or $peer.kafka.brokers $peer.kafka.tls.existingSecret $peer.kafka.login.existingSecret) }}
global.site.peer.kafka is set, but the other site has no name: set global.site.peer.name.
{{- end }}
{{- if and (not $peer.name) (or $peer.omnichannel.grpc $peer.omnichannel.web) }}
global.site.peer.omnichannel is set, but the other site has no name: set global.site.peer.name.
{{- end }}
{{- if and $peer.kafka.login.existingSecret (not $peer.kafka.login.username) }}
global.site.peer.kafka.login.username is missing: name the user whose password is in {{ $peer.kafka.login.existingSecret }}.
{{- end }}
{{- if and .Values.global.production $peer.name (not $peer.kafka.tls.existingSecret) }}
global.site.peer.kafka.tls.existingSecret is missing, and global.production asks for TLS between sites: name the Secret with the ca.crt of {{ $peer.name }}'s Kafka.
{{- end }}
{{- if and .Values.global.strimzi.enabled $peer.name (not (and $peer.kafka.tls.existingSecret $peer.kafka.login.existingSecret)) }}
global.site.peer.kafka.tls and .login are needed with global.strimzi.enabled, whose Kafka takes no one without: name their Secrets.
{{- end }}
{{- end }}

{{/* What a site that serves customers must not do without. */}}
{{- define "junctor.problemsOfProduction" -}}
{{- $v := .Values -}}
{{- $g := $v.global -}}
{{- range $part := list "kafka" "clickhouse" "issuer" }}
{{- if (index $v $part).enabled }}
{{ $part }}.enabled is for trials, and global.production is set: turn it off and name your own{{ if eq $part "kafka" }} in global.kafka, or set global.strimzi.enabled{{ else }} in global.{{ ternary "tokens" $part (eq $part "issuer") }}{{ end }}.
{{- end }}
{{- end }}
{{- if not $g.tls.enabled }}
global.tls.enabled is false, and global.production asks for TLS between services: set it, with global.tls.existingSecret or global.certManager.issuer.
{{- end }}
{{- if and $g.kafka.brokers (not $g.kafka.tls.enabled) }}
global.kafka.tls.enabled is false, and global.production asks for TLS to Kafka: set it, and give the brokers' TLS listeners in global.kafka.brokers.
{{- end }}
{{- if and $g.clickhouse.http (not (hasPrefix "https://" $g.clickhouse.http)) }}
global.clickhouse.http is {{ $g.clickhouse.http }}, and global.production asks for TLS to ClickHouse: give its https:// address.
{{- end }}
{{- if and $g.clickhouse.native (not $g.clickhouse.tls) }}
global.clickhouse.tls is false, and global.production asks for TLS to ClickHouse: set it, and give the TLS port (9440) in global.clickhouse.native.
{{- end }}
{{- range $key := list "jwks" "url" }}
{{- $given := get $g.tokens $key }}
{{- if and $given (not (hasPrefix "https://" $given)) }}
global.tokens.{{ $key }} is {{ $given }}, and global.production asks for TLS to the issuer of tokens: give its https:// address.
{{- end }}
{{- end }}
{{- if and $g.postgresql.host (not (has $g.postgresql.sslMode (list "verify-ca" "verify-full"))) }}
global.postgresql.sslMode is {{ $g.postgresql.sslMode }}, and global.production asks for TLS to PostgreSQL: set verify-full.
{{- end }}
{{- if not $g.keys.existingSecret }}
global.keys.existingSecret is missing, and global.production is set: make the key that wraps personal data's keys yourself (openssl rand -hex 32), keep a copy, and name its Secret. Without that key, what it sealed is lost.
{{- end }}
{{- if not $v.cti.sip.advertise }}
cti.sip.advertise is missing, and global.production is set: give the address of SIP that phones and trunks are told, which stays while pods come and go.
{{- end }}
{{- range $part := list "cti" "recording" "omnichannel" "analytics" }}
{{- if not (index $v $part).persistence.enabled }}
{{ $part }}.persistence.enabled is false, and global.production is set: what {{ $part }} keeps would be lost with its pod; turn it on.
{{- end }}
{{- end }}
{{- if not $v.recording.seal }}
recording.seal is false, and global.production is set: recordings would be stored as anybody can hear them; turn it on.
{{- end }}
{{- range $part := list "gateway" "omnichannel" }}
{{- if ne (index $v $part).service.type "ClusterIP" }}
{{ $part }}.service.type is {{ (index $v $part).service.type }}, which has no TLS, and global.production is set: leave it out, and set routes to a Gateway whose listener has TLS.
{{- end }}
{{- end }}
{{- if has "*" $v.gateway.corsOrigins }}
gateway.corsOrigins has "*", and global.production is set: name the origins of your pages.
{{- end }}
{{- end }}

{{/* Secrets that are named and not there. A cluster is asked; `helm template` has none, and says nothing. */}}
{{- define "junctor.problemsOfSecrets" -}}
{{- if .Capabilities.APIVersions.Has "v1/Secret" }}
{{- $root := . -}}
{{- $g := .Values.global -}}
{{- $needed := list
  (list "global.clickhouse.existingSecret" $g.clickhouse.existingSecret (list "password"))
  (list "global.tokens.existingSecret" $g.tokens.existingSecret (ternary (list "workload-secret" "signing-key.pem") (list "workload-secret") .Values.issuer.enabled))
  (list "global.keys.existingSecret" $g.keys.existingSecret (list "master-key"))
  (list "global.postgresql.existingSecret" $g.postgresql.existingSecret (list "username" "password"))
  (list "global.kafka.login.existingSecret" $g.kafka.login.existingSecret (list "username" "password"))
  (list "global.kafka.tls.existingSecret" $g.kafka.tls.existingSecret (ternary (list "ca.crt" "tls.crt" "tls.key") (list "ca.crt") $g.kafka.tls.clientCertificate))
  (list "global.postgresql.authority.existingSecret" $g.postgresql.authority.existingSecret (list "ca.crt"))
  (list "global.clickhouse.authority.existingSecret" $g.clickhouse.authority.existingSecret (list "ca.crt"))
  (list "global.site.peer.existingSecret" $g.site.peer.existingSecret (list "sites-secret"))
  (list "global.site.voters.kubeconfigs.existingSecret" $g.site.voters.kubeconfigs.existingSecret (list))
  (list "global.site.peer.kafka.tls.existingSecret" $g.site.peer.kafka.tls.existingSecret (list "ca.crt"))
  (list "global.site.peer.kafka.login.existingSecret" $g.site.peer.kafka.login.existingSecret (list "password"))
  (list "global.tls.existingSecret" $g.tls.existingSecret (list "tls.crt" "tls.key" "ca.crt"))
  (list "cti.sip.nonce.existingSecret" .Values.cti.sip.nonce.existingSecret (list "nonce-secret"))
  (list "omnichannel.customerTokens.existingSecret" .Values.omnichannel.customerTokens.existingSecret (list "customer-token-secret")) -}}
{{- range $needed }}
{{- $value := index . 0 }}{{ $name := index . 1 }}{{ $keys := index . 2 }}
{{- if $name }}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace $name }}
{{- if not $found }}
{{ $value }} is {{ $name }}, and there is no such Secret in the namespace {{ $root.Release.Namespace }}: make it with {{ join ", " $keys }}, or correct the name.
{{- else }}
{{- range $key := $keys }}
{{- if not (hasKey ($found.data | default dict) $key) }}
{{ $value }} is {{ $name }}, and that Secret has no {{ $key }}: add it.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
