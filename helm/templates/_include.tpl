{{/*
For your own chart. Each takes your root context ($ inside range and with):

  initContainers:
    {{- include "rdt-sidecar.container" $ | nindent 8 }}

Where your chart has the sidecar twice, by aliases, say which: {{ include "rdt-sidecar.container" $.Subcharts.ALIAS }}
*/}}
{{- define "rdt-sidecar.container" -}}
{{- include "rdt-sidecar.inScope" (list . "rdt-sidecar.containerOf") -}}
{{- end -}}

{{- define "rdt-sidecar.volumes" -}}
{{- include "rdt-sidecar.inScope" (list . "rdt-sidecar.volumesOf") -}}
{{- end -}}

{{/* For volumeMounts of the containers that call: the caller token's folder, the socket's; nothing where neither is configured. */}}
{{- define "rdt-sidecar.callerMounts" -}}
{{- include "rdt-sidecar.inScope" (list . "rdt-sidecar.callerMountsOf") -}}
{{- end -}}

{{- define "rdt-sidecar.podAnnotations" -}}
{{- include "rdt-sidecar.inScope" (list . "rdt-sidecar.podAnnotationsOf") -}}
{{- end -}}

{{- define "rdt-sidecar.podLabels" -}}
{{- include "rdt-sidecar.inScope" (list . "rdt-sidecar.ownPodLabels") -}}
{{- end -}}

{{/* A template in the scope of this chart, which is `.Subcharts.NAME` of its parent: values, release and version are there. */}}
{{- define "rdt-sidecar.inScope" -}}
{{- $from := index . 0 -}}
{{- $template := index . 1 -}}
{{- if not (and (kindIs "map" $from) (hasKey $from "Subcharts") (hasKey $from "Chart")) -}}
{{- fail "rdt-sidecar: give the root context, which is $ inside range and with" -}}
{{- end -}}
{{- $scopes := list -}}
{{- range prepend (values $from.Subcharts) $from -}}
{{- if eq (index .Chart.Annotations "rdt-sidecar") "chart" }}{{ $scopes = append $scopes . }}{{ end -}}
{{- end -}}
{{- if ne (len $scopes) 1 -}}
{{- fail (printf "rdt-sidecar: %d dependencies are rdt-sidecar; say which: give $.Subcharts.NAME" (len $scopes)) -}}
{{- end -}}
{{- $scope := first $scopes -}}
{{- if ne $scope.Values.mode "sidecar" -}}
{{- fail (printf "%s.mode: must be sidecar where its container is included" $scope.Chart.Name) -}}
{{- end -}}
{{- include $template $scope -}}
{{- end -}}
