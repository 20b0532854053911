package apply_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

func TestAMinimumThatSomebodyWouldPutBackIsNotOurs(t *testing.T) {
	owns := func(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ObjectMeta {
		entry := metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, FieldsV1: &metav1.FieldsV1{}}
		entry.FieldsV1.SetRawString(fields)
		return metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{entry}}
	}
	lastApplied := func(manifest string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": manifest}}
	}
	const minimum = `{"f:spec":{"f:minReplicas":{}}}`
	for name, c := range map[string]struct {
		autoscaler metav1.ObjectMeta
		want       string
	}{
		"created by a person":          {owns("kubectl-create", "Update", minimum), ""},
		"KEDA's, by its owner":         {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "ScaledObject", Name: "web"}}}, "KEDA's ScaledObject web owns it"},
		"KEDA's, by its label":         {metav1.ObjectMeta{Labels: map[string]string{"scaledobject.keda.sh/name": "web"}}, "KEDA's ScaledObject web owns it"},
		"applied from Git":             {owns("argocd-controller", "Apply", minimum), "field manager argocd-controller applies its minReplicas"},
		"applied without a minimum":    {owns("argocd-controller", "Apply", `{"f:spec":{"f:maxReplicas":{}}}`), ""},
		"applied by Loadline":          {owns(v1alpha1.FieldManagerUpdater, "Apply", minimum), ""},
		"kubectl's manifest":           {lastApplied(`{"spec":{"minReplicas":2}}`), "a manifest that kubectl applied sets its minReplicas"},
		"kubectl's without a minimum":  {lastApplied(`{"spec":{"maxReplicas":2}}`), ""},
		"a manifest that is not there": {lastApplied(`{`), "a manifest that kubectl applied sets its minReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := apply.MinimumKeptBy(&c.autoscaler); got != c.want {
				t.Errorf("MinimumKeptBy() = %q, want %q", got, c.want)
			}
			apply.KeepMinimum(&c.autoscaler)
			if got := apply.MinimumKeptBy(&c.autoscaler); got != c.want {
				t.Errorf("out of a cache: %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheCacheKeepsThatLoadlineWroteAMinimum(t *testing.T) {
	ours := metav1.ManagedFieldsEntry{Manager: v1alpha1.FieldManagerUpdater, Operation: metav1.ManagedFieldsOperationUpdate}
	autoscaler := metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl-edit", Operation: "Update"}, ours}}
	apply.KeepMinimum(&autoscaler)
	if kept := autoscaler.ManagedFields; len(kept) != 1 || kept[0].Manager != v1alpha1.FieldManagerUpdater {
		t.Errorf("kept %+v", kept)
	}
	if left, owned := apply.Disown(&autoscaler, v1alpha1.FieldManagerUpdater); !owned || len(left) != 1 || left[0] != (metav1.ManagedFieldsEntry{}) {
		t.Errorf("left %+v; an empty list would be ignored", left)
	}
}

func TestARaisedMinimumReadsBack(t *testing.T) {
	read := func(value string) (apply.RaisedMinimum, bool) {
		return apply.Raised(&metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationRaisedMinimum: value}})
	}
	want := apply.RaisedMinimum{Original: 2, Raised: 6}
	if got, ok := read(want.Encode()); !ok || got != want {
		t.Errorf("read back %+v, %v; want %+v", got, ok, want)
	}
	for _, broken := range []string{"", "2", "raised to 6", "-2 raised to 6", "2 raised to 0", "2 raised to 99999999999"} {
		if got, ok := read(broken); ok {
			t.Errorf("%q reads as %+v", broken, got)
		}
	}
}
