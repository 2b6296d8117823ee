{{- define "omnichannel.environment" -}}
{{ include "junctor.keysEnvironment" (dict "root" .) }}
- {name: JUNCTOR_OMNICHANNEL__WEB_LISTEN, value: "0.0.0.0:8090"}
{{- with .Values.customerTokens.existingSecret }}
- name: JUNCTOR_OMNICHANNEL__CUSTOMER_TOKEN_SECRET
  valueFrom: {secretKeyRef: {name: {{ . }}, key: customer-token-secret}}
{{- end }}
- {name: JUNCTOR_OMNICHANNEL__CUSTOMER_TOKEN_LIFETIME, value: {{ .Values.customerTokens.lifetime | quote }}}
- {name: JUNCTOR_OMNICHANNEL__IDLE_TIMEOUT, value: {{ .Values.idleTimeout | quote }}}
- {name: JUNCTOR_OMNICHANNEL__RECONNECT_GRACE, value: {{ .Values.reconnectGrace | quote }}}
- {name: JUNCTOR_OMNICHANNEL__ROUTE_PATIENCE, value: {{ .Values.routePatience | quote }}}
- {name: JUNCTOR_OMNICHANNEL__MESSAGES_PER_SECOND, value: {{ .Values.messagesPerSecond | quote }}}
- {name: JUNCTOR_OMNICHANNEL__MESSAGE_BURST, value: {{ .Values.messageBurst | int64 | quote }}}
- {name: JUNCTOR_OMNICHANNEL__MOST_CONNECTIONS, value: {{ .Values.mostConnections | int64 | quote }}}
{{- end }}
