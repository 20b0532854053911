package main

import (
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
