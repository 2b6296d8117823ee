{{- define "gateway.environment" -}}
- {name: JUNCTOR_GATEWAY__HTTP_LISTEN, value: "0.0.0.0:8080"}
- {name: JUNCTOR_GATEWAY__BODY_LIMIT, value: {{ .Values.bodyLimit | int64 | quote }}}
- {name: JUNCTOR_GATEWAY__CONCURRENCY_LIMIT, value: {{ .Values.concurrencyLimit | int64 | quote }}}
{{- with .Values.corsOrigins }}
- {name: JUNCTOR_GATEWAY__CORS_ORIGINS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.swaggerAssets }}
- {name: JUNCTOR_GATEWAY__SWAGGER_ASSETS, value: {{ . | quote }}}
{{- end }}
{{- end }}
