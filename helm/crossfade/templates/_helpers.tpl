{{- define "crossfade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "crossfade.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := include "crossfade.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "crossfade.selectorLabels" -}}
app.kubernetes.io/name: {{ include "crossfade.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
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

{{- /* The state is one SQLite file that one process holds: a second pod would never become ready, or lose writes. */ -}}
{{- define "crossfade.refuseReplicas" -}}
{{- if ne (int .Values.replicaCount) 1 }}
{{- fail (printf "replicaCount is %v: the state is one SQLite file, which one process holds. Several replicas need Redis, which this version of Crossfade does not have; set replicaCount to 1." .Values.replicaCount) }}
{{- end }}
{{- end }}
