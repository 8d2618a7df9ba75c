{{/* A Redis that all pods share: its Secrets, and what must fit together. Where it is, `config.store.url` says. */}}

{{/* Over the file, like the rest that the chart mounts; as a list, [] where there is nothing to say. */}}
{{- define "rdt-sidecar.storeEnv" -}}
{{- $env := list -}}
{{- range $name := list "key" "password" "ca" -}}
{{- with index $.Values.store $name -}}
{{- if .secretName -}}
{{- $file := printf "/etc/rdt-sidecar/secrets/%s/%s" .secretName .key -}}
{{- $env = append $env (dict "name" (printf "SIDECAR_STORE_%s_FILE" (upper $name)) "value" $file) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{/* Empty where there is none, or where an existing ConfigMap alone says it. */}}
{{- define "rdt-sidecar.storeUrl" -}}
{{- dig "store" "url" "" (.Values.config | default dict) | default "" -}}
{{- end -}}

{{- define "rdt-sidecar.hasStore" -}}
{{- if or .Values.store.key.secretName (include "rdt-sidecar.storeUrl" .) }}true{{ end -}}
{{- end -}}

{{/* As src/config/store-url.ts has it: ${1} TLS, ${2} user, ${3} host, ${4} port. */}}
{{- define "rdt-sidecar.storeShape" -}}
(?i)^redis(s?)://(?:([^:@/?#\s]+)@)?([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(?:/\d*)?$
{{- end -}}

{{- define "rdt-sidecar.storePort" -}}
{{- regexReplaceAll (include "rdt-sidecar.storeShape" .) . "${4}" | default "6379" -}}
{{- end -}}

{{/* Half a store. The URL is in no message: a password may be in it. */}}
{{- define "rdt-sidecar.checkStore" -}}
{{- $store := dig "store" dict (.Values.config | default dict) -}}
{{- $url := include "rdt-sidecar.storeUrl" . -}}
{{- $without := not (or $url .Values.existingConfigMap.name) -}}
{{- range $name := list "key" "password" "ca" -}}
{{- $own := (index $.Values.store $name).secretName -}}
{{- $file := printf "%sFile" $name -}}
{{- if and $own (index $store $file) }}{{ fail (printf "config.store.%s: is set, and store.%s.secretName too: set one of them" $file $name) }}{{ end -}}
{{- if and $own $without }}{{ fail (printf "store.%s.secretName: is set, but config.store.url does not say where the store is" $name) }}{{ end -}}
{{- end -}}
{{- range $key, $value := omit $store "url" "timeoutMs" -}}
{{- if and $value $without }}{{ fail (printf "config.store.%s: is set, but config.store.url does not say where the store is" $key) }}{{ end -}}
{{- end -}}
{{- if $url }}{{ include "rdt-sidecar.checkStoreUrl" . }}{{ end -}}
{{- end -}}

{{- define "rdt-sidecar.checkStoreUrl" -}}
{{- $store := .Values.config.store -}}
{{- $shape := include "rdt-sidecar.storeShape" . -}}
{{- $existing := .Values.existingConfigMap.name -}}
{{- if regexMatch "(?is)://.*(:|%3a).*@" $store.url -}}
{{- fail "config.store.url: holds a password, which has no place in values: keep it in a Secret, and name that in store.password.secretName" -}}
{{- end -}}
{{- if not (regexMatch $shape $store.url) }}{{ fail "config.store.url: must be redis://[user@]host[:port][/db], or rediss://… for TLS" }}{{ end -}}
{{- if not (or $existing .Values.store.key.secretName $store.keyFile) -}}
{{- fail "store.key.secretName: is missing: nothing is kept in the store but encrypted. Name a Secret that holds the key (openssl rand -base64 32)" -}}
{{- end -}}
{{- if and (regexReplaceAll $shape $store.url "${2}") (not (or $existing .Values.store.password.secretName $store.passwordFile)) -}}
{{- fail "store.password.secretName: is missing: config.store.url names a user" -}}
{{- end -}}
{{- if not (regexReplaceAll $shape $store.url "${1}") -}}
{{- $ca := ternary "store.ca.secretName" "config.store.caFile" (empty $store.caFile) -}}
{{- if or .Values.store.ca.secretName $store.caFile }}{{ fail (printf "%s: is set, but config.store.url is not rediss://: nobody shows a certificate" $ca) }}{{ end -}}
{{- $loopback := include "rdt-sidecar.isLoopback" (regexReplaceAll $shape $store.url "${3}" | lower | trimAll "[]") -}}
{{- if not (or $existing $loopback $store.insecurePlaintext) -}}
{{- fail "config.store.url: redis:// to a host that is not loopback: the password would cross the network in the clear. Write rediss://, or set config.store.insecurePlaintext: true if that is safe in your network" -}}
{{- end -}}
{{- end -}}
{{- end -}}
