{{/* What the chart must know of the operator's file, as YAML: read it with fromYaml. */}}
{{- define "rdt-sidecar.settings" -}}
{{- $config := .Values.config | default dict -}}
{{- $host := ternary "0.0.0.0" "127.0.0.1" (eq .Values.mode "standalone") -}}
{{- $ports := list -}}
{{- $sockets := list -}}
{{- range $config.listeners | default (list (pick $config "port" "socketPath")) -}}
{{- if .socketPath }}{{ $sockets = append $sockets .socketPath }}{{ else }}{{ $ports = append $ports (dig "port" 8080 . | int) }}{{ end -}}
{{- end -}}
host: {{ dig "host" $host $config | quote }}
insecureListen: {{ dig "insecureListen" false $config }}
tls: {{ or .Values.tls.secretName (dig "tls" "certFile" "" $config) | empty | not }}
adminHost: {{ dig "admin" "host" "0.0.0.0" $config | quote }}
adminPort: {{ dig "admin" "port" 9090 $config | int }}
drainSeconds: {{ divf (dig "drain" "maxMs" 30000 $config) 1000 | ceil | int }}
ports: {{ $ports | toJson }}
sockets: {{ $sockets | toJson }}
{{- end -}}

{{/* Refuses what the schema cannot: values that contradict each other. */}}
{{- define "rdt-sidecar.check" -}}
{{- $settings := include "rdt-sidecar.settings" . | fromYaml -}}
{{- include "rdt-sidecar.checkSecrets" (dict "config" .Values.config "env" .Values.env) -}}
{{- if and (eq .Values.mode "standalone") (not (or $settings.insecureListen $settings.tls)) -}}
{{- fail "config.insecureListen: a standalone sidecar listens on the pod's address, and callers' tokens reach it in the clear. Set tls.secretName, or this to true if that is safe in your network, or use mode: sidecar" -}}
{{- end -}}
{{- include "rdt-sidecar.checkStyles" (.Values.config | default dict) -}}
{{- include "rdt-sidecar.checkHosts" . -}}
{{- include "rdt-sidecar.checkSockets" . -}}
{{- include "rdt-sidecar.checkPorts" (append $settings.ports $settings.adminPort) -}}
{{- include "rdt-sidecar.checkTls" . -}}
{{- include "rdt-sidecar.checkCallers" . -}}
{{- include "rdt-sidecar.checkStore" . -}}
{{- include "rdt-sidecar.checkFiles" . -}}
{{- include "rdt-sidecar.checkEnv" .Values.env -}}
{{- if .Values.existingConfigMap.name }}{{ include "rdt-sidecar.checkUnread" (.Values.config | default dict) }}{{ end -}}
{{- end -}}

{{/* What looks like Amazon's (as src/telemetry/logger.ts has it) would be in a ConfigMap, where the program refuses it too late. Not said again. */}}
{{- define "rdt-sidecar.checkSecrets" -}}
{{- range $key, $value := . -}}
{{- if regexMatch "(Atz[ar]|Atc|Atz\\.sprdt)(\\||%7[Cc])|amzn1\\.oa2-cs\\." (toJson $value) -}}
{{- fail (printf "%s: holds a client secret or a token of Amazon, which has no place in values: keep it in a Secret, mount that by secrets, and name the file in config.sellers" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* One listener and several, a port and a socket. */}}
{{- define "rdt-sidecar.checkStyles" -}}
{{- $config := . -}}
{{- $both := "config.%s: is set, and config.%s too: set one of them" -}}
{{- if $config.listeners -}}
{{- range $key := list "port" "socketPath" "endpoint" -}}
{{- if index $config $key }}{{ fail (printf $both $key "listeners") }}{{ end -}}
{{- end -}}
{{- range $i, $listener := $config.listeners -}}
{{- if eq (hasKey . "port") (hasKey . "socketPath") -}}
{{- fail (printf "config.listeners.%d: must have a port or a socketPath, and not both" $i) -}}
{{- end -}}
{{- end -}}
{{- else if and $config.socketPath (hasKey $config "port") -}}
{{- fail (printf $both "port" "socketPath") -}}
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

{{/* The root file system is read-only: a socket needs a volume, and callers the same one. */}}
{{- define "rdt-sidecar.checkSockets" -}}
{{- $settings := include "rdt-sidecar.settings" . | fromYaml -}}
{{- $folder := include "rdt-sidecar.socketFolder" . -}}
{{- $folders := list $folder -}}
{{- range .Values.extraVolumeMounts }}{{ $folders = append $folders (trimSuffix "/" .mountPath) }}{{ end -}}
{{- range $socket := $settings.sockets -}}
{{- if eq $.Values.mode "standalone" -}}
{{- fail (printf "config.socketPath: %s is a file, which the Service of a standalone sidecar cannot reach" $socket) -}}
{{- end -}}
{{- if not (has (dir $socket) $folders) -}}
{{- fail (printf "config.socketPath: %s is in no folder that is shared: take %s/data.sock, or mount a volume of yours there" $socket $folder) -}}
{{- end -}}
{{- end -}}
{{- if ne (len $settings.sockets) (len (uniq $settings.sockets)) }}{{ fail "config: two listeners share a socket" }}{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.checkPorts" -}}
{{- range . }}{{ if eq (int .) 0 }}{{ fail "config: port 0 is any free port: probes and Services need one that is known" }}{{ end }}{{ end -}}
{{- if ne (len .) (len (uniq .)) }}{{ fail "config: two listeners share a port" }}{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.checkTls" -}}
{{- $tls := dig "tls" dict (.Values.config | default dict) -}}
{{- range $key, $value := dict "certFile" .Values.tls.secretName "keyFile" .Values.tls.secretName "clientCaFile" .Values.tls.clientCaSecretName -}}
{{- $own := ternary "clientCaSecretName" "secretName" (eq $key "clientCaFile") -}}
{{- if and $value (index $tls $key) }}{{ fail (printf "config.tls.%s: is set, and tls.%s too: set one of them" $key $own) }}{{ end -}}
{{- end -}}
{{- if not .Values.tls.secretName -}}
{{- $wanted := or $tls.certFile $tls.keyFile $tls.clientCaFile .Values.tls.clientCaSecretName -}}
{{- range $key := list "certFile" "keyFile" -}}
{{- if and $wanted (not (index $tls $key)) }}{{ fail (printf "config.tls.%s: is missing: TLS needs a certificate and its key. Or set tls.secretName" $key) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rdt-sidecar.checkEnv" -}}
{{- range . -}}
{{- if regexMatch "^SIDECAR_SELLERS_.+_(CLIENT_SECRET|REFRESH_TOKEN)$" .name -}}
{{- fail (printf "env: %s is a secret, which has no place in values: keep it in a Secret, mount that by secrets, and name the file in config.sellers" .name) -}}
{{- end -}}
{{- if regexMatch "^SIDECAR_(CONFIG|HOST|PORT|SOCKET_PATH|LISTENERS|INSECURE_LISTEN|TLS_.*|SELLERS|ADMIN_HOST|ADMIN_PORT|DRAIN_MAX_MS)$" .name -}}
{{- fail (printf "env: the chart must know %s: set the key in config instead" .name) -}}
{{- end -}}
{{- if regexMatch "^SIDECAR_AUTH_(CALLER_TOKEN_FILE|CREATE_CALLER_TOKEN_FILE|CALLERS|INSECURE_ALLOW_ANONYMOUS|HOSTS)$" .name -}}
{{- fail (printf "env: the chart must know %s: set callerToken, or the key in config" .name) -}}
{{- end -}}
{{- if regexMatch "^SIDECAR_STORE_(URL|KEY_FILE|PASSWORD_FILE|CA_FILE|INSECURE_PLAINTEXT)$" .name -}}
{{- fail (printf "env: the chart must know %s: set store, or the key in config" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What is read from an existing ConfigMap, and not from here. */}}
{{- define "rdt-sidecar.checkUnread" -}}
{{- $none := "config.%s: has no effect beside existingConfigMap, whose file is used" -}}
{{- range $key, $_ := omit . "host" "port" "socketPath" "listeners" "insecureListen" "tls" "auth" "store" "admin" "drain" -}}
{{- fail (printf $none $key) -}}
{{- end -}}
{{- range $key, $_ := omit (dig "store" dict .) "url" }}{{ fail (printf $none (printf "store.%s" $key)) }}{{ end -}}
{{- range $key, $_ := omit (dig "auth" dict .) "hosts" }}{{ fail (printf $none (printf "auth.%s" $key)) }}{{ end -}}
{{- end -}}
