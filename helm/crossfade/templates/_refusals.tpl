{{- /* Values that fit their types and still cannot work together; each message says what to do. */ -}}
{{- define "crossfade.refuse" -}}
{{- if .Values.embedded }}
{{- include "crossfade.refuseEmbedded" . }}
{{- else }}
{{- include "crossfade.refuseFleet" . }}
{{- end }}
{{- if le (int (include "crossfade.graceSeconds" .)) (int (include "crossfade.stopSeconds" .)) }}
{{- fail (printf "terminationGracePeriodSeconds is %s, but a stop takes up to %s s (preStopSeconds + settings.drain_s): open requests would be cut off. Leave it empty, or make it longer." (include "crossfade.graceSeconds" .) (include "crossfade.stopSeconds" .)) }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "CROSSFADE_" .name }}
{{- fail (printf "extraEnv sets %s: a setting belongs into settings.%s, a secret one into database, redis, adminToken, signingKey, alertSecret or notices." .name (.name | trimPrefix "CROSSFADE_" | lower)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The state is one SQLite file that one process holds: a second one would never become ready. */ -}}
{{- define "crossfade.refuseEmbedded" -}}
{{- if and (not (kindIs "invalid" .Values.replicaCount)) (ne (int .Values.replicaCount) 1) }}
{{- fail (printf "embedded is true and replicaCount is %v: the state is one SQLite file, which one process holds. Leave replicaCount empty, or set embedded to false, which takes Redis and a database." .Values.replicaCount) }}
{{- end }}
{{- if ne (int .Values.workers) 1 }}
{{- fail (printf "embedded is true and workers is %v: the state is one SQLite file, which one process holds. Set workers to 1, or embedded to false." .Values.workers) }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- fail "embedded and autoscaling.enabled are both true: a SQLite file cannot be shared by several pods. Choose one." }}
{{- end }}
{{- if .Values.database.existingSecret }}
{{- fail "embedded is true and database.existingSecret is set: SQLite on the volume is the only store of an embedded service. Choose one." }}
{{- end }}
{{- end }}

{{- define "crossfade.refuseFleet" -}}
{{- if not .Values.database.existingSecret }}
{{- fail "database.existingSecret is empty: the journal (history, audit) needs a database that all pods share. Name a secret whose key \"url\" is postgresql://user:password@host/name, or set embedded=true for one pod with SQLite on a volume." }}
{{- end }}
{{- $others := compact (list .Values.redis.url .Values.redis.existingSecret) }}
{{- if and .Values.redis.enabled $others }}
{{- fail "redis.enabled is true and another Redis is named as well (redis.url or redis.existingSecret): set redis.enabled to false to use that one." }}
{{- end }}
{{- if and (not .Values.redis.enabled) (ne (len $others) 1) }}
{{- fail "redis.enabled is false: give redis.url (without a password) or redis.existingSecret (a secret whose key \"url\" is redis://… or redis+sentinel://…), one of the two." }}
{{- end }}
{{- if contains "@" .Values.redis.url }}
{{- fail "redis.url holds a login: a password belongs into a secret. Put the URL into one and name it by redis.existingSecret." }}
{{- end }}
{{- end }}
