{{/* Labels of every object. */}}
{{- define "loadline.labels" -}}
app.kubernetes.io/part-of: loadline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The name of a part's Deployment and account: (list . "updater"). All parts in one share theirs. */}}
{{- define "loadline.account" -}}
{{- if (index . 0).Values.allInOne }}loadline{{ else }}loadline-{{ index . 1 }}{{ end }}
{{- end }}

{{/* The Deployments, as a list of parts. */}}
{{- define "loadline.parts" -}}
{{- if .Values.allInOne -}}
all
{{- else -}}
recommender{{ if .Values.webhook.enabled }} webhook{{ end }}{{ if .Values.updater.enabled }} updater{{ end }}
{{- end }}
{{- end }}

{{- define "loadline.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "loadline.priorityClassName" -}}
{{ .Values.pods.priorityClassName | default (ternary "loadline" "" .Values.priorityClass.create) }}
{{- end }}

{{/* The Secret of the webhook's certificate: Helm's own, or cert-manager's, which outlives the chart and must not be in its way. */}}
{{- define "loadline.certSecret" -}}
loadline-webhook-{{ ternary "tls" "cert" .Values.certManager.enabled }}
{{- end }}

{{/* Has cert-manager write its CA into a webhook configuration. */}}
{{- define "loadline.injectCA" -}}
{{- if .Values.certManager.enabled }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/loadline-webhook
{{- end }}
{{- end }}

{{/* The configuration of all parts: what the chart decides, on top of what the values say. */}}
{{- define "loadline.config" -}}
{{- $ours := dict "apiVersion" "config.loadline.dev/v1alpha1" "kind" "Configuration" "namespace" .Release.Namespace }}
{{- if .Values.certManager.enabled }}
{{- $_ := set $ours "webhook" (dict "certMode" "secret" "certSecret" (include "loadline.certSecret" .)) }}
{{- end }}
{{- if .Values.ollama.enabled }}
{{- $url := printf "http://loadline-ollama.%s.svc:11434" .Release.Namespace }}
{{- $_ := set $ours "advisor" (dict "url" $url "model" .Values.ollama.model) }}
{{- end }}
{{- if .Values.dashboard.enabled }}
{{- $_ := set $ours "dashboard" (dict "address" ":8443") }}
{{- end }}
{{- mergeOverwrite (deepCopy .Values.config) $ours | toYaml }}
{{- end }}

{{/* What makes an object one that Helm creates for the cleanup after the uninstallation, in the order of weights, and deletes afterwards. */}}
{{- define "loadline.cleanupHook" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* The user of every pod. Where none is named, the cluster chooses one, and refuses root. Values that an upgrade reuses do not have the key. */}}
{{- define "loadline.podSecurityContext" -}}
runAsNonRoot: true
{{- if or .Values.pods.fixedUser (kindIs "invalid" .Values.pods.fixedUser) }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The egress rule for name look-ups. Values that an upgrade reuses do not have the key. */}}
{{- define "loadline.dnsEgress" -}}
{{- with kindIs "invalid" .Values.networkPolicy.dnsPorts | ternary (list 53 5353) .Values.networkPolicy.dnsPorts -}}
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end }}

{{/* Egress rules for name look-ups and for the API server, whose address nobody can write down for every cluster. */}}
{{- define "loadline.apiServerEgress" -}}
{{- include "loadline.dnsEgress" . }}
{{- with .Values.networkPolicy.apiServerPorts }}
- ports:
    {{- range . }}
    - port: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Rules of a webhook for the kinds of workloads in config.scaling.kinds. */}}
{{- define "loadline.scaleKindRules" -}}
{{- range dig "scaling" "kinds" list .Values.config }}
- apiGroups: [{{ .group | quote }}]
  apiVersions: [{{ .version | quote }}]
  operations: [CREATE, UPDATE]
  resources: [{{ .resource | quote }}]
  scope: Namespaced
{{- end }}
{{- end }}

{{/* The port of a URL: (list "https://host") is 443. */}}
{{- define "loadline.port" -}}
{{- $url := urlParse (index . 0) }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}

{{/* Settings that contradict each other are refused before anything is installed. */}}
{{- define "loadline.check" -}}
{{- if and .Values.updater.enabled (not .Values.webhook.enabled) }}
{{- fail "updater.enabled needs webhook.enabled: the updater acts only while admission works. Set updater.enabled=false, too" }}
{{- end }}
{{- if and .Values.allInOne (not (and .Values.webhook.enabled .Values.updater.enabled)) }}
{{- fail "allInOne runs all parts: webhook.enabled and updater.enabled must be true" }}
{{- end }}
{{- if and .Values.certManager.enabled (not .Values.webhook.enabled) }}
{{- fail "certManager.enabled needs webhook.enabled: there is no certificate without the webhook" }}
{{- end }}
{{- if and .Values.priorityClass.create .Values.pods.priorityClassName }}
{{- fail "pods.priorityClassName and priorityClass.create contradict each other: set one of them" }}
{{- end }}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/part-of" }}
{{- if hasKey $.Values.pods.labels $key }}
{{- fail (printf "pods.labels: %s is the chart's: its Services and Deployments select by it" $key) }}
{{- end }}
{{- end }}
{{- if hasKey .Values.pods.annotations "checksum/config" }}
{{- fail "pods.annotations: checksum/config is the chart's: it restarts the parts when their configuration changes" }}
{{- end }}
{{- if and .Values.certManager.issuerRef (not .Values.certManager.issuerRef.name) }}
{{- fail "certManager.issuerRef has no name: name an Issuer or ClusterIssuer, as in {name: ca, kind: ClusterIssuer}" }}
{{- end }}
{{- range dig "scaling" "kinds" list .Values.config }}
{{- if not (and .group .version .kind .resource) }}
{{- fail (printf "config.scaling.kinds: %s needs group, version, kind and resource" (toJson .)) }}
{{- end }}
{{- end }}
{{- if and .Values.ollama.enabled (dig "advisor" "url" "" .Values.config) }}
{{- fail "ollama.enabled and config.advisor.url contradict each other: set one of them" }}
{{- end }}
{{- end }}
