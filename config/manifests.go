package config

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// manifests are those that every installation needs, besides the programs themselves.
//
//go:embed crd/bases/*.yaml rbac/*.yaml policy/*.yaml webhook/*.yaml dashboard/*.yaml
var manifests embed.FS

// folders by the name of what is in them.
var folders = map[string]string{"crd": "crd/bases", "rbac": "rbac", "policy": "policy", "webhook": "webhook", "dashboard": "dashboard"}

// ManifestNames are the names that Manifests knows.
func ManifestNames() []string { return []string{"crd", "rbac", "policy", "webhook", "dashboard"} }

// Layout is in what installations differ: manifests of another layout would take rights away from the accounts that run, or give
// some back that were left out on purpose.
type Layout struct {
	// Namespace of the parts; empty is the default one.
	Namespace string
	// AllInOne: one Deployment and one account, both called loadline, instead of one of each for every part.
	AllInOne bool
	// CertMode: in all but self-signed, which empty means, the rights to make a certificate and the Secret for it are left out.
	CertMode CertMode
	// CertSecret is the name of the Secret with the certificate; empty is the default one.
	CertSecret string
	// InjectCAFrom is the Certificate of cert-manager whose CA is written into the webhook configurations by its injector; empty for none.
	InjectCAFrom string
	// ScaleKinds are those of the configuration: the webhook is asked about them wherever it is about Deployments, and the accounts get rights
	// to them. Only their group, version and resource count.
	ScaleKinds []ScaleKind
}

var (
	partAccounts = regexp.MustCompile(`(kind: ServiceAccount, name: |system:serviceaccount:[^:]+:|selector: \{app\.kubernetes\.io/name: )loadline-(?:recommender|webhook|updater)\b`)
	certSecret   = regexp.MustCompile(`\bloadline-webhook-cert\b`)
	scaledRule   = regexp.MustCompile(`(?m)^        resources: \[deployments, statefulsets(?:, daemonsets)?\]\n        scope: Namespaced\n`)
	hookNames    = regexp.MustCompile(`(?m)^  name: loadline-(?:mutating|validating)$`)
)

// account is that of all parts in one.
const account = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: loadline
  namespace: loadline-system
  labels: {app.kubernetes.io/part-of: loadline}`

// Manifests returns the shipped manifests of one name as documents of YAML, for an installation of the given layout: the kinds
// (crd), accounts and roles (rbac), admission policies (policy), webhook configurations with their Service and Secret (webhook), or
// the dashboard's Service and roles (dashboard).
func Manifests(name string, layout Layout) ([]string, error) {
	folder, known := folders[name]
	if !known {
		return nil, fmt.Errorf("there are no manifests %q: known are %s", name, strings.Join(ManifestNames(), ", "))
	}
	files, err := fs.Glob(manifests, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list the manifests: %w", err)
	}
	// namespaces.yaml comes first: the others need them.
	slices.SortStableFunc(files, func(a, b string) int { return rank(a) - rank(b) })
	var documents []string
	for _, file := range files {
		if path.Base(file) == "kustomization.yaml" || layout.leavesOut(path.Base(file)) {
			continue
		}
		content, err := manifests.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the manifest %s: %w", file, err)
		}
		for document := range strings.SplitSeq(strings.TrimSpace(strings.TrimPrefix(string(content), "---\n")), "\n---\n") {
			if layout.AllInOne && strings.Contains(document, "\nkind: ServiceAccount\n") {
				continue
			}
			documents = append(documents, layout.apply(document))
		}
	}
	if name == "rbac" {
		documents = append(documents, layout.ownRoles()...)
	}
	return documents, nil
}

// ownRoles are the account and the roles that the layout has and the files do not.
func (l Layout) ownRoles() []string {
	if l.AllInOne {
		return append([]string{l.apply(account)}, l.scaleKindRoles()...)
	}
	return l.scaleKindRoles()
}

// scaleKindRoles are what the accounts may do with the kinds of the configuration. Their own roles collect it by the labels.
func (l Layout) scaleKindRoles() []string {
	if len(l.ScaleKinds) == 0 {
		return nil
	}
	const head = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: %s
  labels: {app.kubernetes.io/part-of: loadline, %s}
rules:`
	var read, scale strings.Builder
	fmt.Fprintf(&read, head, "loadline-scale-kinds", `loadline.dev/aggregate-to-recommender: "true", loadline.dev/aggregate-to-updater: "true"`)
	fmt.Fprintf(&scale, head, "loadline-scale-kinds-scale", `loadline.dev/aggregate-to-updater: "true"`)
	for _, k := range l.ScaleKinds {
		fmt.Fprintf(&read, "\n  - {apiGroups: [%s], resources: [%s], verbs: [get, list, watch]}", k.Group, k.Resource)
		fmt.Fprintf(&scale, "\n  - {apiGroups: [%s], resources: [%s/scale], verbs: [get, update]}", k.Group, k.Resource)
	}
	return []string{read.String(), scale.String()}
}

// leavesOut reports whether a file has only what a webhook needs that makes its certificate itself.
func (l Layout) leavesOut(file string) bool {
	return l.CertMode != "" && l.CertMode != CertSelfSigned && (file == "webhook-certs.yaml" || file == "secret.yaml")
}

// apply writes the layout's names into a document.
func (l Layout) apply(document string) string {
	if l.AllInOne {
		document = partAccounts.ReplaceAllString(document, "${1}loadline")
	}
	if l.CertSecret != "" {
		document = certSecret.ReplaceAllLiteralString(document, l.CertSecret)
	}
	if l.InjectCAFrom != "" {
		document = hookNames.ReplaceAllStringFunc(document, func(name string) string {
			return fmt.Sprintf("%s\n  annotations: {cert-manager.io/inject-ca-from: %s/%s}", name, Default().Namespace, l.InjectCAFrom)
		})
	}
	for _, k := range slices.Backward(l.ScaleKinds) {
		document = scaledRule.ReplaceAllString(document, "$0"+fmt.Sprintf("      - {apiGroups: [%s], apiVersions: [%s], operations: [CREATE, UPDATE], resources: [%s], scope: Namespaced}\n",
			k.Group, k.Version, k.Resource))
	}
	if l.Namespace != "" {
		document = strings.ReplaceAll(document, Default().Namespace, l.Namespace)
	}
	return document
}

func rank(file string) int {
	if path.Base(file) == "namespaces.yaml" {
		return 0
	}
	return 1
}
