package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// folders of config/ whose manifests become templates, each with the switch in the values that its files depend on.
var folders = map[string]func(name string) string{
	"crd/bases": func(string) string { return ".Values.crds.enabled" },
	"rbac": func(name string) string {
		switch name {
		case "webhook.yaml":
			return ".Values.webhook.enabled"
		case "webhook-certs.yaml":
			return "and .Values.webhook.enabled (not .Values.certManager.enabled)"
		case "updater.yaml", "namespaces.yaml":
			return ".Values.updater.enabled"
		default:
			return "true"
		}
	},
	"policy": func(name string) string {
		if strings.HasPrefix(name, "recommender-") {
			return "true"
		}
		return ".Values.updater.enabled"
	},
	"dashboard": func(string) string { return ".Values.dashboard.enabled" },
	"webhook": func(name string) string {
		if name == "secret.yaml" {
			return "and .Values.webhook.enabled (not .Values.certManager.enabled)"
		}
		return ".Values.webhook.enabled"
	},
}

// replacement is a change of a manifest's text.
type replacement struct {
	find    *regexp.Regexp
	replace string
}

// namespaced are what an installation decides: its namespace, its labels, the accounts of its parts, which are one account where all
// parts run in one process, who keeps the certificate, and which kinds of others are workloads.
var namespaced = []replacement{
	{
		regexp.MustCompile(`name: loadline-(recommender|webhook|updater), namespace: loadline-system}`),
		`name: {{ include "loadline.account" (list . "$1") }}, namespace: {{ .Release.Namespace }}}`,
	},
	{
		regexp.MustCompile(`serviceaccount:loadline-system:loadline-(recommender|webhook|updater)'`),
		`serviceaccount:{{ .Release.Namespace }}:{{ include "loadline.account" (list . "$1") }}'`,
	},
	{regexp.MustCompile(`loadline-system`), `{{ .Release.Namespace }}`},
	{
		regexp.MustCompile(`(?m)^  labels: \{app\.kubernetes\.io/name: loadline-webhook, app\.kubernetes\.io/part-of: loadline\}$`),
		"  labels:\n    app.kubernetes.io/name: loadline-webhook\n    {{- include \"loadline.labels\" . | nindent 4 }}",
	},
	{
		regexp.MustCompile(`(?m)^  labels: \{app\.kubernetes\.io/part-of: loadline\}$`),
		"  labels:\n    {{- include \"loadline.labels\" . | nindent 4 }}",
	},
	{regexp.MustCompile(`(?m)^    app\.kubernetes\.io/part-of: loadline$`), `    {{- include "loadline.labels" . | nindent 4 }}`},
	{
		regexp.MustCompile(`selector: \{app\.kubernetes\.io/name: loadline-(recommender|webhook)\}`),
		`selector: {app.kubernetes.io/name: {{ include "loadline.account" (list . "$1") }}}`,
	},
	{regexp.MustCompile(`resourceNames: \[loadline-webhook-cert\]`), `resourceNames: [{{ include "loadline.certSecret" . }}]`},
	{
		regexp.MustCompile(`(?m)^        resources: \[deployments, statefulsets(?:, daemonsets)?\]\n        scope: Namespaced\n`),
		"$0      {{- with include \"loadline.scaleKindRules\" . }}\n      {{- . | trim | nindent 6 }}\n      {{- end }}\n",
	},
	{
		regexp.MustCompile(`(?m)^kind: (Mutating|Validating)WebhookConfiguration\nmetadata:\n`),
		"$0  {{- include \"loadline.injectCA\" . | nindent 2 }}\n",
	},
}

// kept are the annotations that let a kind, and with it every object of that kind, outlive the chart.
var kept = replacement{
	regexp.MustCompile(`(?m)^metadata:\n  annotations:\n`),
	"metadata:\n  labels:\n    {{- include \"loadline.labels\" . | nindent 4 }}\n  annotations:\n" +
		"    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n",
}

// templates adds the templates that are made of manifests.
func templates(repository string, files map[string]string) error {
	for folder, condition := range folders {
		paths, err := filepath.Glob(filepath.Join(repository, "config", filepath.FromSlash(folder), "*.yaml"))
		if err != nil {
			return fmt.Errorf("find manifests: %w", err)
		}
		for _, path := range paths {
			name := filepath.Base(path)
			if name == "kustomization.yaml" {
				continue
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read a manifest: %w", err)
			}
			text := template(string(content), folder)
			origin := fmt.Sprintf("{{- /* Written by make generate from config/%s/%s. */}}\n", folder, name)
			if condition := condition(name); condition != "true" {
				text = "{{- if " + condition + " }}\n" + text + "{{- end }}\n"
			}
			files[filepath.Join("templates", strings.TrimSuffix(folder, "/bases"), name)] = origin + text
		}
	}
	return nil
}

// template makes a template of the manifests in one file.
func template(text, folder string) string {
	if folder == "crd/bases" {
		text = strings.TrimPrefix(text, "---\n")
		return kept.find.ReplaceAllString(strings.ReplaceAll(text, "{{", `{{"{{"}}`), kept.replace)
	}
	// Accounts have settings of their own in the chart, and its namespace is there before it.
	documents := slices.DeleteFunc(strings.Split(text, "\n---\n"), func(document string) bool {
		return strings.Contains(document, "\nkind: ServiceAccount\n") || strings.Contains(document, "\n  name: loadline-system\n")
	})
	text = strings.TrimSuffix(strings.Join(documents, "\n---\n"), "\n") + "\n"
	for _, r := range namespaced {
		text = r.find.ReplaceAllString(text, r.replace)
	}
	return text
}

// alerts adds the rules as they are: their own templates are Prometheus', not Helm's.
func alerts(repository string, files map[string]string) error {
	content, err := os.ReadFile(filepath.Join(repository, "config", "prometheus", "rules.yaml"))
	if err != nil {
		return fmt.Errorf("read the alerts: %w", err)
	}
	files["prometheus/rules.yaml"] = string(content)
	return nil
}
