{{- /* What follows from the values: whether the chart runs its own Redis, how many replicas, how long a stop takes. */ -}}
{{- define "crossfade.ownRedis" -}}
{{- if and .Values.redis.enabled (not .Values.embedded) }}yes{{ end }}
{{- end }}

{{- define "crossfade.replicas" -}}
{{- if .Values.embedded }}1{{ else if kindIs "invalid" .Values.replicaCount }}2{{ else }}{{ int .Values.replicaCount }}{{ end }}
{{- end }}

{{- define "crossfade.stopSeconds" -}}
{{- add (int .Values.preStopSeconds) (int (ceil .Values.settings.drain_s)) }}
{{- end }}

{{- /* 10 s more than a stop takes, for the store and the last lines of the log. */ -}}
{{- define "crossfade.graceSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}
{{- add (int (include "crossfade.stopSeconds" .)) 10 }}
{{- else }}
{{- int .Values.terminationGracePeriodSeconds }}
{{- end }}
{{- end }}

{{- /* The series of this release alone, as the ServiceMonitor labels them. */ -}}
{{- define "crossfade.series" -}}
{{- default (printf "job=%q,namespace=%q" (include "crossfade.fullname" .) .Release.Namespace) .Values.prometheusRule.selector }}
{{- end }}
