// Package modules names the Go modules of which scenarios read files that no code of ours imports, such as descriptions of APIs.
// They are downloaded before tests run, so that no test needs a network.
package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

const (
	// CertManager describes Issuers and Certificates. It is the version that the scenarios with cert-manager run.
	CertManager = "github.com/cert-manager/cert-manager@v1.21.2"
	// PrometheusOperator describes ServiceMonitors and PrometheusRules.
	PrometheusOperator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

// KubernetesVersions are those that the chart is checked against: the oldest one that Loadline runs on, one between, and the one
// that the scenarios run.
func KubernetesVersions() []string { return []string{"v1.30.14", "v1.33.13", "v1.37.1"} }

// Kubernetes is the module of one version, which describes all kinds of that version.
func Kubernetes(version string) string { return "k8s.io/kubernetes@" + version }

// Download puts all of them into Go's module cache, and is quick where they are there already.
func Download(ctx context.Context) error {
	all := []string{CertManager, PrometheusOperator}
	for _, version := range KubernetesVersions() {
		all = append(all, Kubernetes(version))
	}
	if _, err := run(ctx, nil, all); err != nil {
		return fmt.Errorf("download modules: %w", err)
	}
	return nil
}

// Dir returns the folder of a module that was downloaded before. It uses no network.
func Dir(ctx context.Context, module string) (string, error) {
	output, err := run(ctx, []string{"GOPROXY=off"}, []string{module})
	if err != nil {
		return "", fmt.Errorf("find %s, which make test-full downloads: %w", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(output, &found); err != nil {
		return "", fmt.Errorf("find %s: %w", module, err)
	}
	return found.Dir, nil
}

// run asks Go for modules, outside of any module of ours: their go.sum know one version of each at most.
func run(ctx context.Context, environment, modules []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"mod", "download", "-json"}, modules)...)
	cmd.Dir, cmd.Env = os.TempDir(), slices.Concat(os.Environ(), []string{"GOWORK=off"}, environment)
	output, err := cmd.Output()
	if err == nil {
		return output, nil
	}
	// The command tells on its output what went wrong with which module.
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go mod download: %w: %s%s", err, failed.Stderr, output)
	}
	return nil, fmt.Errorf("go mod download: %w", err)
}
