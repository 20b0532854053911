package apitest

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// resources of a container; empty amounts are none.
func resources(cpu, memory, limitCPU, limitMemory string) corev1.ResourceRequirements {
	list := func(cpu, memory string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for name, amount := range map[corev1.ResourceName]string{"cpu": cpu, "memory": memory} {
			if amount != "" {
				out[name] = resource.MustParse(amount)
			}
		}
		return out
	}
	return corev1.ResourceRequirements{Requests: list(cpu, memory), Limits: list(limitCPU, limitMemory)}
}

// running creates a pod of the node that runs with these resources, in a namespace.
func running(t *testing.T, namespace string, has corev1.ResourceRequirements) *corev1.Pod {
	t.Helper()
	p := pod(namespace)
	p.Spec.SchedulingGates, p.Spec.NodeName, p.Spec.Containers[0].Resources = nil, cluster.NodeNames[0], has
	NewWithT(t).Eventually(func() error { return admin.Create(t.Context(), p) }, "30s").Should(Succeed(), "once the namespace has its account")
	t.Cleanup(func() { _ = admin.Delete(context.Background(), p) })
	NewWithT(t).Eventually(func() bool {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(p), p)
		return err == nil && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].Resources != nil
	}, "30s").Should(BeTrue(), "the pod runs")
	return p
}

// The updater tells the answers apart by what the API server writes. Another version that writes something else has to show here.
func TestWhatTheAPIServerSaysToAResize(t *testing.T) {
	const namespace = "resizes"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	create(t, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "team"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("1Gi")}},
	})
	create(t, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "team"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
		}}},
	})
	const ratios = "resize-ratios"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ratios}})
	create(t, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: ratios, Name: "team"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2")},
		}}},
	})
	for name, c := range map[string]struct {
		namespace string
		from, to  corev1.ResourceRequirements
		says      string // empty where it is accepted
	}{
		"a raise":                          {"default", resources("1", "64Mi", "", ""), resources("2", "128Mi", "", ""), ""},
		"a lowering of a memory limit":     {"default", resources("1", "64Mi", "", "128Mi"), resources("1", "64Mi", "", "100Mi"), ""},
		"another quality-of-service class": {"default", resources("1", "64Mi", "1", "64Mi"), resources("1", "32Mi", "1", "64Mi"), "QOS Class may not change"},
		"a limit that disappears":          {"default", resources("1", "64Mi", "2", "128Mi"), resources("1", "64Mi", "2", ""), "limits cannot be removed"},
		"more than a quota leaves":         {namespace, resources("1", "64Mi", "1", ""), resources("1", "2Gi", "1", ""), "exceeded quota"},
		"more than a LimitRange allows":    {namespace, resources("1", "64Mi", "1", ""), resources("1", "64Mi", "3", ""), "usage per Container"},
		"less beside a limit that stays":   {ratios, resources("1", "64Mi", "", "128Mi"), resources("1", "32Mi", "", "128Mi"), "limit to request ratio per Container is 2"},
		"more than the node has":           {"default", resources("1", "64Mi", "", ""), resources("64", "64Mi", "", ""), "allocatable"},
	} {
		t.Run(name, func(t *testing.T) {
			before := running(t, c.namespace, c.from)
			after := before.DeepCopy()
			after.Spec.Containers[0].Resources = c.to
			err := as(t, "updater").SubResource("resize").Patch(t.Context(), after, client.StrategicMergeFrom(before), client.DryRunAll)
			switch {
			case c.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("want a refusal that says %q, got: %v", c.says, err)
			}
		})
	}
}
