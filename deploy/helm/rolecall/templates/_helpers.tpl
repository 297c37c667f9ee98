{{- define "rolecall.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rolecall.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rolecall.labels" -}}
{{ include "rolecall.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Whether what must last is in Postgres, so that there may be several nodes. */}}
{{- define "rolecall.shared" -}}
{{- if .Values.secret.databaseUrlKey }}yes{{ end }}
{{- end }}

{{- define "rolecall.check" -}}
{{- $several := or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}
{{- if and $several (not (and .Values.secret.databaseUrlKey .Values.secret.redisUrlKey)) }}
{{- fail "several nodes need Postgres and Redis: set secret.databaseUrlKey and secret.redisUrlKey, or replicas=1 without autoscaling" }}
{{- end }}
{{- if lt (int .Values.drain.shutdownSeconds) (add 5 .Values.drain.delaySeconds .Values.drain.periodSeconds | int) }}
{{- fail "drain.shutdownSeconds must be five more than delaySeconds and periodSeconds together, at least" }}
{{- end }}
{{- end }}
