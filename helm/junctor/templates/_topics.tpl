{{/* The topics of files/topics.yaml as a list; of those that are mirrored, the other site's copies as well. */}}
{{- define "junctor.topics" -}}
{{- $declared := .Files.Get "files/topics.yaml" | fromYaml -}}
{{- $peer := .Values.global.site.peer.name -}}
{{- $all := list -}}
{{- range $service := $declared.services }}
{{- range $topic := $declared.per_service }}
{{- $mirrored := $topic.mirrored }}
{{- if kindIs "slice" $mirrored }}{{ $mirrored = has $service $mirrored }}{{ end }}
{{- $all = append $all (merge (dict "name" ($topic.name | replace "{service}" $service) "mirrored" $mirrored) (omit $topic "mirrored")) }}
{{- end }}
{{- end }}
{{- range $topic := concat $all $declared.topics }}
- {name: {{ $topic.name }}, partitions: {{ $topic.partitions }}, cleanup: {{ $topic.cleanup }}, retention_ms: {{ $topic.retention_ms | int64 }}, mirrored: {{ $topic.mirrored }}}
{{- if and $peer $topic.mirrored }}
- {name: {{ $peer }}.{{ $topic.name }}, partitions: {{ $topic.partitions }}, cleanup: {{ $topic.cleanup }}, retention_ms: {{ $topic.retention_ms | int64 }}, mirrored: false}
{{- end }}
{{- end }}
{{- end }}
