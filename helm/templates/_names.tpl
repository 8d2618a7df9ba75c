{{- define "rdt-sidecar.fullname" -}}
{{- $default := .Release.Name -}}
{{- if not (contains .Chart.Name .Release.Name) }}{{ $default = printf "%s-%s" .Release.Name .Chart.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $default | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "rdt-sidecar.configMapName" -}}
{{- .Values.existingConfigMap.name | default (include "rdt-sidecar.fullname" .) -}}
{{- end -}}

{{- define "rdt-sidecar.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "rdt-sidecar.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "rdt-sidecar.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "rdt-sidecar.labels" -}}
{{ include "rdt-sidecar.lastingLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Those of pods: a new version of the chart alone replaces none. */}}
{{- define "rdt-sidecar.lastingLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: rdt-sidecar
{{- end -}}

{{- define "rdt-sidecar.metadata" -}}
name: {{ include "rdt-sidecar.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "rdt-sidecar.labels" . | nindent 2 }}
{{- end -}}

{{/* What every pod with the container carries, in both modes: PodMonitor, Services and NetworkPolicy select by it. */}}
{{- define "rdt-sidecar.ownPodLabels" -}}
rdt-sidecar/{{ .Chart.Name }}: {{ include "rdt-sidecar.fullname" . }}
{{- end -}}
