{{- define "crossfade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{- /* At most 53 characters, so that what is appended for Redis, the seed and the migration still fits 63. */ -}}
{{- define "crossfade.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- $name := include "crossfade.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "crossfade.selectorLabels" -}}
app.kubernetes.io/name: {{ include "crossfade.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "crossfade.serviceLabels" -}}
{{ include "crossfade.selectorLabels" . }}
app.kubernetes.io/component: service
{{- end }}

{{- define "crossfade.redisLabels" -}}
{{ include "crossfade.selectorLabels" . }}
app.kubernetes.io/component: redis
{{- end }}

{{- define "crossfade.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "crossfade.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "crossfade.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "crossfade.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "crossfade.claimName" -}}
{{- default (include "crossfade.fullname" .) .Values.persistence.existingClaim }}
{{- end }}

{{- define "crossfade.redisName" -}}
{{ include "crossfade.fullname" . }}-redis
{{- end }}

{{- define "crossfade.redisSecret" -}}
{{- default (include "crossfade.redisName" .) .Values.redis.auth.existingSecret }}
{{- end }}

{{- /* Call with (dict "image" … "tag" the one to take when none is given). */ -}}
{{- define "crossfade.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end }}
{{- end }}
