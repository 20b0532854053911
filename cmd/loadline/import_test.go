package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImportReadsListsAndDocumentsFromAFileAndOptsOutWhatNobodySized(t *testing.T) {
	file := filepath.Join(t.TempDir(), "objects.yaml")
	const objects = `apiVersion: v1
kind: List
items:
  - apiVersion: autoscaling.k8s.io/v1
    kind: VerticalPodAutoscaler
    metadata: {name: checkout, namespace: shop}
    spec:
      targetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
      updatePolicy: {updateMode: Initial}
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: checkout, namespace: shop}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly, namespace: shop}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: shop}}
`
	if err := os.WriteFile(file, []byte(objects), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errors, code := call(t, "import", "vpa", "--filename", file)
	if code != exitOK || errors != "" {
		t.Fatalf("exit code %d, error %q", code, errors)
	}
	for _, want := range []string{
		"# Read from 1 VerticalPodAutoscalers.", "    loadline.dev/mode: initial\n",
		"apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  annotations:\n    loadline.dev/mode: \"off\"\n  name: nightly\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "kind: ConfigMap") || strings.Contains(out, "kind: Deployment") {
		t.Errorf("more than what is needed is written:\n%s", out)
	}
}

func TestImportFromAFileReadsTheNamespaceThatIsAskedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "objects.yaml")
	const autoscaler = "{apiVersion: autoscaling.k8s.io/v1, kind: VerticalPodAutoscaler, metadata: {%s}, " +
		"spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, updatePolicy: {updateMode: Initial}}}\n---\n" +
		"{apiVersion: apps/v1, kind: Deployment, metadata: {%[1]s}}\n---\n"
	write := func(metadata ...string) {
		t.Helper()
		var text strings.Builder
		for _, m := range metadata {
			fmt.Fprintf(&text, autoscaler, m)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("name: web, namespace: shop", "name: web, namespace: bank", "name: coredns, namespace: kube-system")
	out, said, code := call(t, "import", "vpa", "-f", file, "--namespace", "shop")
	if code != exitOK || !strings.Contains(out, "# Read from 1 VerticalPodAutoscalers, all in namespace shop; without --namespace there are 2 more. ") || strings.Contains(out, "bank") {
		t.Errorf("exit code %d, error %q:\n%s", code, said, out)
	}
	if _, said, code := call(t, "import", "vpa", "-f", file, "--namespace", "empty"); code != exitNotFound || !strings.Contains(said, "without --namespace there are 3 more") {
		t.Errorf("exit code %d, error %q", code, said)
	}
	out, said, code = call(t, "import", "vpa", "-f", file)
	if code != exitOK || !strings.Contains(out, "kube-system deployment/web: Loadline never touches namespace kube-system") || strings.Contains(out, "name: kube-system") || strings.Contains(out, "--namespace kube-system") {
		t.Errorf("exit code %d, error %q:\n%s", code, said, out)
	}

	write("name: web")
	if _, said, code := call(t, "import", "vpa", "-f", file); code != exitUsage || !strings.Contains(said, "VerticalPodAutoscaler web names no namespace: say with --namespace in which it is") {
		t.Errorf("exit code %d, error %q", code, said)
	}
	out, said, code = call(t, "import", "vpa", "-f", file, "--namespace", "shop")
	if code != exitOK || !strings.Contains(out, "kubectl --namespace shop patch verticalpodautoscaler web ") || !strings.Contains(out, "    loadline.dev/policy: imported\n  name: shop\n") {
		t.Errorf("exit code %d, error %q:\n%s", code, said, out)
	}
}

func TestImportOfNothingSaysSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(file, []byte("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errors, code := call(t, "import", "goldilocks", "-f", file); code != exitNotFound || !strings.Contains(errors, "nothing to import: read 0 namespaces") {
		t.Errorf("exit code %d, error %q", code, errors)
	}
	if _, errors, code := call(t, "import", "vpa", "-f", file+".gone"); code != exitError || !strings.Contains(errors, "open the objects") {
		t.Errorf("exit code %d, error %q", code, errors)
	}
}
