{{- /* What every pod of this chart has. */ -}}
{{- define "crossfade.podBasics" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
automountServiceAccountToken: false
# the links of a service called crossfade would look like settings (CROSSFADE_PORT)
enableServiceLinks: false
{{- end }}

{{- /* Call with the values that have nodeSelector, tolerations and affinity. */ -}}
{{- define "crossfade.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Numbers as JSON, since Helm would write a large one as 1.048576e+07. */ -}}
{{- define "crossfade.settings" -}}
{{- range $name, $value := .Values.settings }}
- name: CROSSFADE_{{ upper $name }}
  value: {{ if kindIs "string" $value }}{{ quote $value }}{{ else }}{{ toJson $value | quote }}{{ end }}
{{- end }}
{{- end }}

{{- define "crossfade.databaseEnv" -}}
- name: CROSSFADE_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret }}
      key: {{ .Values.database.key }}
{{- end }}

{{- define "crossfade.redisEnv" -}}
{{- if include "crossfade.ownRedis" . }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "crossfade.redisSecret" . }}
      key: {{ .Values.redis.auth.key }}
- name: CROSSFADE_REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "crossfade.redisName" . }}:6379/0
{{- else if .Values.redis.existingSecret }}
- name: CROSSFADE_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.key }}
{{- else }}
- name: CROSSFADE_REDIS_URL
  value: {{ quote .Values.redis.url }}
{{- end }}
{{- end }}

{{- define "crossfade.storeEnv" -}}
- name: CROSSFADE_DATA_DIR
  value: /data
{{- if not .Values.embedded }}
{{ include "crossfade.redisEnv" . | trim }}
{{ include "crossfade.databaseEnv" . }}
{{- end }}
{{- end }}
