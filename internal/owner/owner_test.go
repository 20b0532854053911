package owner_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/internal/owner"
)

func TestAPodBelongsToTheWorkloadThatPeopleKnow(t *testing.T) {
	cases := map[string]struct {
		kind, name, hash string
		want             owner.Workload
	}{
		"a Deployment's pod, through its ReplicaSet":       {"ReplicaSet", "checkout-6d8f9c7b5d", "6d8f9c7b5d", owner.Workload{Kind: "Deployment", Name: "checkout"}},
		"a ReplicaSet that no Deployment made":             {"ReplicaSet", "checkout", "", owner.Workload{Kind: "ReplicaSet", Name: "checkout"}},
		"a hash label that does not fit the name":          {"ReplicaSet", "checkout-a", "b", owner.Workload{Kind: "ReplicaSet", Name: "checkout-a"}},
		"a CronJob's pod, through its Job":                 {"Job", "report-29384756", "", owner.Workload{Kind: "CronJob", Name: "report"}},
		"a Job with a short number in its name":            {"Job", "migrate-42", "", owner.Workload{Kind: "Job", Name: "migrate-42"}},
		"a Job whose whole name looks like a suffix":       {"Job", "-29384756", "", owner.Workload{Kind: "Job", Name: "-29384756"}},
		"a StatefulSet's pod":                              {"StatefulSet", "db", "", owner.Workload{Kind: "StatefulSet", Name: "db"}},
		"a pod of a kind that Loadline has never heard of": {"Rollout", "web", "", owner.Workload{Kind: "Rollout", Name: "web"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{}
			pod.OwnerReferences = []metav1.OwnerReference{{Kind: c.kind, Name: c.name, Controller: new(true)}}
			if c.hash != "" {
				pod.Labels = map[string]string{"pod-template-hash": c.hash}
			}
			got, ok := owner.Of(pod)
			if !ok || got != c.want {
				t.Errorf("Of() = %v, %v; want %v", got, ok, c.want)
			}
		})
	}
}

func TestABarePodBelongsToNothing(t *testing.T) {
	if got, ok := owner.Of(&corev1.Pod{}); ok {
		t.Errorf("Of(bare pod) = %v, want nothing", got)
	}
}
