{{/* Managed sellers: their Secrets, how callers prove themselves, what a pod's containers share. */}}

{{/* Names of all Secrets that are mounted below /etc/rdt-sidecar/secrets, as a JSON list. */}}
{{- define "rdt-sidecar.secretNames" -}}
{{- $names := list -}}
{{- range .Values.secrets }}{{ $names = append $names .name }}{{ end -}}
{{- range list .Values.tls.secretName .Values.tls.clientCaSecretName }}{{ if . }}{{ $names = append $names . }}{{ end }}{{ end -}}
{{- range list .Values.store.key .Values.store.password .Values.store.ca }}{{ with .secretName }}{{ $names = append $names . }}{{ end }}{{ end -}}
{{- $names | uniq | toJson -}}
{{- end -}}

{{/* Closed to others where the pod is ours and has an fsGroup: only then can the container read what is not for all. */}}
{{- define "rdt-sidecar.secretsMode" -}}
{{- $mode := ternary "0440" "0444" (and (eq .Values.mode "standalone") (not (empty .Values.runAsGroup))) -}}
{{- .Values.secretsMode | default $mode | toDecimal -}}
{{- end -}}

{{/* The same path on both sides, so that the documentation of one is that of the other. */}}
{{- define "rdt-sidecar.callerFolder" -}}
/run/{{ .Chart.Name }}/caller
{{- end -}}

{{- define "rdt-sidecar.socketFolder" -}}
/run/{{ .Chart.Name }}/socket
{{- end -}}

{{- define "rdt-sidecar.hasCallerToken" -}}
{{- if or .Values.callerToken.create .Values.callerToken.secretName }}true{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.hasSocketFolder" -}}
{{- $folder := include "rdt-sidecar.socketFolder" . -}}
{{- range (include "rdt-sidecar.settings" . | fromYaml).sockets }}{{ if eq (dir .) $folder }}true{{ end }}{{ end -}}
{{- end -}}

{{/* Over the file, like the addresses; as a list, [] where there is nothing to say. */}}
{{- define "rdt-sidecar.managedEnv" -}}
{{- $env := list -}}
{{- with .Values.tls.secretName -}}
{{- $env = append $env (dict "name" "SIDECAR_TLS_CERT_FILE" "value" (printf "/etc/rdt-sidecar/secrets/%s/tls.crt" .)) -}}
{{- $env = append $env (dict "name" "SIDECAR_TLS_KEY_FILE" "value" (printf "/etc/rdt-sidecar/secrets/%s/tls.key" .)) -}}
{{- end -}}
{{- with .Values.tls.clientCaSecretName -}}
{{- $env = append $env (dict "name" "SIDECAR_TLS_CLIENT_CA_FILE" "value" (printf "/etc/rdt-sidecar/secrets/%s/ca.crt" .)) -}}
{{- end -}}
{{- if include "rdt-sidecar.hasCallerToken" . -}}
{{- $env = append $env (dict "name" "SIDECAR_AUTH_CALLER_TOKEN_FILE" "value" (printf "%s/token" (include "rdt-sidecar.callerFolder" .))) -}}
{{- end -}}
{{- if .Values.callerToken.create -}}
{{- $env = append $env (dict "name" "SIDECAR_AUTH_CREATE_CALLER_TOKEN_FILE" "value" "true") -}}
{{- end -}}
{{- with include "rdt-sidecar.hosts" . | fromJsonArray -}}
{{- $env = append $env (dict "name" "SIDECAR_AUTH_HOSTS" "value" (toJson .)) -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{/* What callers may write into Host: the names of our Service, and those of the operator. Empty where nobody asks. */}}
{{- define "rdt-sidecar.hosts" -}}
{{- $hosts := list -}}
{{- $config := .Values.config | default dict -}}
{{- if and (eq .Values.mode "standalone") (or $config.sellers .Values.existingConfigMap.name) -}}
{{- $name := include "rdt-sidecar.fullname" . -}}
{{- $service := printf "%s.%s.svc" $name .Release.Namespace -}}
{{- $hosts = list $name (trimSuffix ".svc" $service) $service (printf "%s.cluster.local" $service) -}}
{{- $hosts = concat $hosts (dig "auth" "hosts" list $config) | uniq -}}
{{- end -}}
{{- $hosts | toJson -}}
{{- end -}}

{{/* What sidecar and callers share. Called with the scope and whether it is the callers' side, which reads. */}}
{{- define "rdt-sidecar.sharedMounts" -}}
{{- $scope := index . 0 -}}
{{- $caller := index . 1 -}}
{{- $name := $scope.Chart.Name -}}
{{- $mounts := list -}}
{{- if include "rdt-sidecar.hasCallerToken" $scope -}}
{{- $readOnly := or $caller (not $scope.Values.callerToken.create) -}}
{{- $mounts = append $mounts (dict "name" (printf "%s-caller" $name) "mountPath" (include "rdt-sidecar.callerFolder" $scope) "readOnly" $readOnly) -}}
{{- end -}}
{{- if include "rdt-sidecar.hasSocketFolder" $scope -}}
{{- $mounts = append $mounts (dict "name" (printf "%s-socket" $name) "mountPath" (include "rdt-sidecar.socketFolder" $scope) "readOnly" $caller) -}}
{{- end -}}
{{- with $mounts }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.callerMountsOf" -}}
{{- include "rdt-sidecar.sharedMounts" (list . true) -}}
{{- end -}}

{{- define "rdt-sidecar.managedVolumes" -}}
{{- $mode := include "rdt-sidecar.secretsMode" . -}}
{{- range include "rdt-sidecar.secretNames" . | fromJsonArray }}
- name: {{ include "rdt-sidecar.secretVolumeName" (list $ .) }}
  secret:
    secretName: {{ . }}
    defaultMode: {{ $mode }}
{{- end }}
{{- with .Values.callerToken }}
{{- if .create }}
- name: {{ $.Chart.Name }}-caller
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- else if .secretName }}
- name: {{ $.Chart.Name }}-caller
  secret:
    secretName: {{ .secretName }}
    defaultMode: {{ $mode }}
    items: [{ key: {{ .key | quote }}, path: token }]
{{- end }}
{{- end }}
{{- if include "rdt-sidecar.hasSocketFolder" . }}
- name: {{ .Chart.Name }}-socket
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- end }}
{{- end -}}

{{/* Who may call in the name of managed sellers must be said, and only where there are any. */}}
{{- define "rdt-sidecar.checkCallers" -}}
{{- $config := .Values.config | default dict -}}
{{- $auth := dig "auth" dict $config -}}
{{- $own := include "rdt-sidecar.hasCallerToken" . -}}
{{- with .Values.callerToken -}}
{{- if and .create .secretName }}{{ fail "callerToken.create: is set, and callerToken.secretName too: set one of them" }}{{ end -}}
{{- if and .create (eq $.Values.mode "standalone") -}}
{{- fail "callerToken.create: each pod would make a token that callers in other pods cannot read: name a Secret in callerToken.secretName" -}}
{{- end -}}
{{- end -}}
{{- range $key := list "callerTokenFile" "createCallerTokenFile" -}}
{{- if and $own (index $auth $key) }}{{ fail (printf "config.auth.%s: is set, and callerToken too: set one of them" $key) }}{{ end -}}
{{- end -}}
{{- if and $auth.createCallerTokenFile (not $auth.callerTokenFile) -}}
{{- fail "config.auth.createCallerTokenFile: is set, but config.auth.callerTokenFile does not say where. Or set callerToken.create" -}}
{{- end -}}
{{- $token := or $own $auth.callerTokenFile $auth.callers -}}
{{- if not .Values.existingConfigMap.name -}}
{{- if $config.sellers }}{{ include "rdt-sidecar.checkProof" (list . $token) }}{{ else -}}
{{- $set := ternary "callerToken" (ternary "config.auth.insecureAllowAnonymous" "config.auth" (empty $token)) (not (empty $own)) -}}
{{- if or $token $auth.insecureAllowAnonymous }}{{ fail (printf "%s: is about callers of managed sellers, and there are none: set config.sellers" $set) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rdt-sidecar.checkProof" -}}
{{- $values := (index . 0).Values -}}
{{- $token := index . 1 -}}
{{- $anonymous := dig "auth" "insecureAllowAnonymous" false $values.config -}}
{{- $settings := include "rdt-sidecar.settings" (index . 0) | fromYaml -}}
{{- if and $anonymous $token -}}
{{- fail "config.auth.insecureAllowAnonymous: is set, and callers' tokens too: set one of them" -}}
{{- end -}}
{{- $certificates := or $values.tls.clientCaSecretName (dig "tls" "clientCaFile" "" $values.config) -}}
{{- if and $settings.ports (not (or $token $certificates $anonymous)) -}}
{{- fail "config.sellers: whoever reaches the listener could call in their name. Set callerToken, config.auth.callers, tls.clientCaSecretName, config.socketPath in sidecar mode, or config.auth.insecureAllowAnonymous: true if that is safe here" -}}
{{- end -}}
{{- range $i, $seller := $values.config.sellers -}}
{{- range $key := list "clientSecretFile" "refreshTokenFile" -}}
{{- if not (index $seller $key) -}}
{{- fail (printf "config.sellers.%d.%s: is missing: name a file below /etc/rdt-sidecar/secrets, from a Secret of secrets" $i $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Files where our Secrets are, in one that nobody mounts. */}}
{{- define "rdt-sidecar.checkFiles" -}}
{{- $config := .Values.config | default dict -}}
{{- $names := include "rdt-sidecar.secretNames" . | fromJsonArray -}}
{{- $files := dict -}}
{{- range $key, $file := dig "tls" dict $config }}{{ $_ := set $files (printf "tls.%s" $key) $file }}{{ end -}}
{{- range $key := list "keyFile" "passwordFile" "caFile" }}{{ $_ := set $files (printf "store.%s" $key) (dig "store" $key "" $config) }}{{ end -}}
{{- $_ := set $files "auth.callerTokenFile" (dig "auth" "callerTokenFile" "" $config) -}}
{{- range $i, $caller := dig "auth" "callers" list $config }}{{ $_ := set $files (printf "auth.callers.%d.tokenFile" $i) $caller.tokenFile }}{{ end -}}
{{- range $i, $seller := $config.sellers -}}
{{- range $key := list "clientSecretFile" "refreshTokenFile" }}{{ $_ := set $files (printf "sellers.%d.%s" $i $key) (index $seller $key) }}{{ end -}}
{{- end -}}
{{- range $key, $file := $files -}}
{{- if hasPrefix "/etc/rdt-sidecar/secrets/" ($file | default "") -}}
{{- $name := index (splitList "/" $file) 4 -}}
{{- if not (has $name $names) }}{{ fail (printf "config.%s: the Secret %s is not mounted: add it to secrets" $key $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
