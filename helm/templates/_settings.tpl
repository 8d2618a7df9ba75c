{{/* What the chart must know of the operator's file, as YAML: read it with fromYaml. */}}
{{- define "rdt-sidecar.settings" -}}
{{- $config := .Values.config | default dict -}}
{{- $host := ternary "0.0.0.0" "127.0.0.1" (eq .Values.mode "standalone") -}}
host: {{ dig "host" $host $config | quote }}
insecureListen: {{ dig "insecureListen" false $config }}
adminHost: {{ dig "admin" "host" "0.0.0.0" $config | quote }}
adminPort: {{ dig "admin" "port" 9090 $config | int }}
drainSeconds: {{ divf (dig "drain" "maxMs" 30000 $config) 1000 | ceil | int }}
ports:
{{- range $config.listeners | default (list (dict "port" (dig "port" 8080 $config))) }}
  - {{ .port | int }}
{{- end }}
{{- end -}}

{{/* Refuses what the schema cannot: values that contradict each other. */}}
{{- define "rdt-sidecar.check" -}}
{{- $settings := include "rdt-sidecar.settings" . | fromYaml -}}
{{- if and (eq .Values.mode "standalone") (not $settings.insecureListen) -}}
{{- fail "config.insecureListen: a standalone sidecar listens on the pod's address, and callers' tokens reach it in the clear. Set it to true if that is safe in your network, or use mode: sidecar" -}}
{{- end -}}
{{- if dig "listeners" nil (.Values.config | default dict) -}}
{{- range $key := list "port" "endpoint" -}}
{{- if hasKey $.Values.config $key }}{{ fail (printf "config.%s: is set, and config.listeners too: set one of them" $key) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- include "rdt-sidecar.checkHosts" . -}}
{{- include "rdt-sidecar.checkPorts" (append $settings.ports $settings.adminPort) -}}
{{- range .Values.env -}}
{{- if regexMatch "^SIDECAR_(CONFIG|HOST|PORT|LISTENERS|INSECURE_LISTEN|ADMIN_HOST|ADMIN_PORT|DRAIN_MAX_MS)$" .name -}}
{{- fail (printf "env: the chart must know %s: set the key in config instead" .name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.existingConfigMap.name -}}
{{- range $key, $_ := omit (.Values.config | default dict) "host" "port" "listeners" "insecureListen" "admin" "drain" -}}
{{- fail (printf "config.%s: has no effect beside existingConfigMap, whose file is used" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rdt-sidecar.checkHosts" -}}
{{- $settings := include "rdt-sidecar.settings" . | fromYaml -}}
{{- $standalone := eq .Values.mode "standalone" -}}
{{- range prepend (dig "listeners" list (.Values.config | default dict) | default list) dict -}}
{{- $host := .host | default $settings.host -}}
{{- $loopback := include "rdt-sidecar.isLoopback" $host -}}
{{- if and $standalone $loopback -}}
{{- fail (printf "config.host: %s is loopback, where the Service of a standalone sidecar cannot reach it" $host) -}}
{{- else if not (or $standalone $loopback) -}}
{{- fail (printf "config.host: %s is not loopback: in sidecar mode the pod alone may call" $host) -}}
{{- end -}}
{{- end -}}
{{- if include "rdt-sidecar.isLoopback" $settings.adminHost -}}
{{- fail (printf "config.admin.host: %s is loopback, where neither the kubelet nor Prometheus reaches it" $settings.adminHost) -}}
{{- end -}}
{{- end -}}

{{- define "rdt-sidecar.isLoopback" -}}
{{- if regexMatch "^(localhost|::1|127\\.[0-9.]+)$" . }}true{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.checkPorts" -}}
{{- range . }}{{ if eq (int .) 0 }}{{ fail "config: port 0 is any free port: probes and Services need one that is known" }}{{ end }}{{ end -}}
{{- if ne (len .) (len (uniq .)) }}{{ fail "config: two listeners share a port" }}{{ end -}}
{{- end -}}
