//go:build full

package chart

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/loadline-dev/loadline/e2e/modules"
)

// kustomizes applies, runs and deletes both layouts with every component, as people without Helm do.
func kustomizes(t *testing.T) {
	t.Helper()
	monitors := filepath.Join(moduleDir(t, modules.PrometheusOperator), "example", "prometheus-operator-crd", "monitoring.coreos.com_servicemonitors.yaml")
	for _, args := range [][]string{
		{"apply", "--server-side", "--filename", monitors},
		{"wait", "--for=condition=Established", "--timeout=60s", "--filename", monitors},
		{"apply", "--server-side", "-k", "testdata/components"},
		{"apply", "--server-side", "-k", configDir + "/dashboard"},
		{"wait", "--namespace", namespace, "--for=condition=Available", "--timeout=2m", "deployment", "--all"},
		{"delete", "-k", configDir + "/dashboard"},
		{"delete", "-k", "testdata/components"},
		{"apply", "--server-side", "-k", "testdata/components-all"},
		{"wait", "--namespace", namespace, "--for=condition=Available", "--timeout=2m", "deployment/loadline"},
		{"delete", "-k", "testdata/components-all"},
	} {
		kubectl := exec.CommandContext(t.Context(), cluster.KubectlPath, append(args, "--kubeconfig", cluster.Kubeconfig)...)
		if output, err := kubectl.CombinedOutput(); err != nil {
			t.Errorf("kubectl %v: %v\n%s", args, err, output)
		}
	}
}
