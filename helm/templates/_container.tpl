{{/* The container in both modes; called with this chart's own scope. */}}
{{- define "rdt-sidecar.containerOf" -}}
{{- include "rdt-sidecar.check" . -}}
{{- $settings := include "rdt-sidecar.settings" . | fromYaml -}}
{{- $standalone := eq .Values.mode "standalone" -}}
- name: {{ .Chart.Name }}
  image: {{ include "rdt-sidecar.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [serve]
  {{- if not $standalone }}
  restartPolicy: Always
  {{- end }}
  env:
    - name: SIDECAR_CONFIG
      value: /etc/rdt-sidecar/config/{{ .Values.existingConfigMap.name | empty | ternary "config.yaml" .Values.existingConfigMap.key }}
    {{- /* Over the file, so that it cannot listen where it should not, nor where nobody looks for it. */}}
    - name: SIDECAR_HOST
      value: {{ $settings.host | quote }}
    - name: SIDECAR_ADMIN_HOST
      value: {{ $settings.adminHost | quote }}
    - name: SIDECAR_ADMIN_PORT
      value: {{ $settings.adminPort | quote }}
    {{- with include "rdt-sidecar.managedEnv" . | fromYamlArray }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with include "rdt-sidecar.storeEnv" . | fromYamlArray }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .Values.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    {{- if $standalone }}
    {{- range $i, $port := $settings.ports }}
    - name: {{ include "rdt-sidecar.dataPortName" $i }}
      containerPort: {{ $port }}
    {{- end }}
    {{- end }}
    - name: rdt-admin
      containerPort: {{ $settings.adminPort }}
  startupProbe:
    httpGet: { path: /readyz, port: rdt-admin }
    periodSeconds: 1
    timeoutSeconds: 2
    failureThreshold: {{ .Values.startupSeconds }}
  readinessProbe:
    httpGet: { path: /readyz, port: rdt-admin }
    periodSeconds: 5
    timeoutSeconds: 2
    failureThreshold: 2
  livenessProbe:
    httpGet: { path: /livez, port: rdt-admin }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  {{- if and $standalone .Values.preStopSeconds }}
  lifecycle:
    preStop:
      sleep: { seconds: {{ .Values.preStopSeconds }} }
  {{- end }}
  {{- /* What was wrong with the configuration is then in `kubectl describe pod`. */}}
  terminationMessagePolicy: FallbackToLogsOnError
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    {{- include "rdt-sidecar.securityContext" . | nindent 4 }}
  volumeMounts:
    - name: {{ .Chart.Name }}-config
      mountPath: /etc/rdt-sidecar/config
      readOnly: true
    {{- range include "rdt-sidecar.secretNames" . | fromJsonArray }}
    - name: {{ include "rdt-sidecar.secretVolumeName" (list $ .) }}
      mountPath: /etc/rdt-sidecar/secrets/{{ . }}
      readOnly: true
    {{- end }}
    {{- with include "rdt-sidecar.sharedMounts" (list . false) }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "rdt-sidecar.dataPortName" -}}
{{- if eq (int .) 0 }}rdt-data{{ else }}rdt-data-{{ . }}{{ end -}}
{{- end -}}

{{/* The restricted Pod Security profile, all of it on the container: in sidecar mode the pod is not ours. */}}
{{- define "rdt-sidecar.securityContext" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int . }}
{{- end }}
{{- with .Values.runAsGroup }}
runAsGroup: {{ int . }}
{{- end }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* A directory, without subPath: the kubelet then carries changes into running pods. */}}
{{- define "rdt-sidecar.volumesOf" -}}
- name: {{ .Chart.Name }}-config
  configMap:
    name: {{ include "rdt-sidecar.configMapName" . }}
{{- include "rdt-sidecar.managedVolumes" . }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A Secret's name may hold dots and 253 characters, a volume's no dots and 63. */}}
{{- define "rdt-sidecar.secretVolumeName" -}}
{{- $chart := (index . 0).Chart.Name -}}
{{- $secret := index . 1 -}}
{{ $chart | trunc 40 | trimSuffix "-" }}-secret-{{ $secret | sha256sum | trunc 8 }}
{{- end -}}

{{- define "rdt-sidecar.podAnnotationsOf" -}}
{{- if and .Values.rollOnConfigChange (not .Values.existingConfigMap.name) -}}
checksum/{{ .Chart.Name }}: {{ include "rdt-sidecar.file" . | sha256sum }}
{{- end -}}
{{- end -}}

{{/* The operator's file. */}}
{{- define "rdt-sidecar.file" -}}
{{ .Values.config | default dict | toYaml }}
{{- end -}}
