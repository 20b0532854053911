package owner_test

import (
	"slices"
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
		"a Job named by a date":                            {"Job", "etl-20261123", "", owner.Workload{Kind: "Job", Name: "etl-20261123"}},
		"a Job named by the seconds since 1970":            {"Job", "report-1763500000", "", owner.Workload{Kind: "Job", Name: "report-1763500000"}},
		"a Job with a letter among the digits":             {"Job", "report-2938475x", "", owner.Workload{Kind: "Job", Name: "report-2938475x"}},
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

func TestAPodOfAConfiguredKindBelongsToItThroughItsReplicaSet(t *testing.T) {
	kinds := owner.Kinds{
		{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet"},
		{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", HashLabel: "rollouts-pod-template-hash"},
	}
	cases := map[string]struct {
		apiVersion, kind, name string
		labels                 map[string]string
		want                   owner.Workload
		wantAPIVersion         string
	}{
		"through its ReplicaSet": {
			"apps/v1", "ReplicaSet", "web-6d8f9c7b5d",
			map[string]string{"rollouts-pod-template-hash": "6d8f9c7b5d"},
			owner.Workload{Kind: "Rollout", Name: "web"},
			"argoproj.io/v1alpha1",
		},
		"not where the label does not fit": {
			"apps/v1", "ReplicaSet", "web-a", map[string]string{"rollouts-pod-template-hash": "b"}, owner.Workload{Kind: "ReplicaSet", Name: "web-a"}, "apps/v1",
		},
		"of a Deployment all the same": {
			"apps/v1", "ReplicaSet", "web-a", map[string]string{"pod-template-hash": "a"}, owner.Workload{Kind: "Deployment", Name: "web"}, "apps/v1",
		},
		"directly": {"apps.kruise.io/v1alpha1", "CloneSet", "web", nil, owner.Workload{Kind: "CloneSet", Name: "web"}, "apps.kruise.io/v1alpha1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Labels: c.labels, OwnerReferences: []metav1.OwnerReference{{APIVersion: c.apiVersion, Kind: c.kind, Name: c.name, Controller: new(true)}},
			}}
			got, ok := kinds.Of(pod)
			if !ok || got != c.want || kinds.APIVersion(got, pod) != c.wantAPIVersion {
				t.Errorf("Of() = %v of %s, %v; want %v of %s", got, kinds.APIVersion(got, pod), ok, c.want, c.wantAPIVersion)
			}
		})
	}
}

func TestABarePodBelongsToNothing(t *testing.T) {
	if got, ok := owner.Of(&corev1.Pod{}); ok {
		t.Errorf("Of(bare pod) = %v, want nothing", got)
	}
}

func TestWhosePodsAControllerCreates(t *testing.T) {
	kinds := owner.Kinds{{Kind: "CloneSet"}, {Kind: "Rollout", HashLabel: "rollouts-pod-template-hash"}}
	for _, c := range []struct {
		kind, name string
		want       []owner.Workload
	}{
		{"StatefulSet", "db-1", []owner.Workload{{Kind: "StatefulSet", Name: "db-1"}}},
		{"Job", "report-29384756", []owner.Workload{{Kind: "Job", Name: "report-29384756"}, {Kind: "CronJob", Name: "report"}}},
		{"Job", "-29384756", []owner.Workload{{Kind: "Job", Name: "-29384756"}}},
		{"Job", "migrate-42", []owner.Workload{{Kind: "Job", Name: "migrate-42"}}},
		{"Job", "etl-20261123", []owner.Workload{{Kind: "Job", Name: "etl-20261123"}}},
		{"ReplicaSet", "web-6d8f9c7b5d", []owner.Workload{{Kind: "ReplicaSet", Name: "web-6d8f9c7b5d"}, {Kind: "Rollout", Name: "web"}}},
		{"ReplicaSet", "web", []owner.Workload{{Kind: "ReplicaSet", Name: "web"}}},
	} {
		if got := kinds.Behind(c.kind, c.name); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.kind, c.name, got, c.want)
		}
	}
}

func TestTheTimeInTheNameOfARun(t *testing.T) {
	for job, want := range map[string]int64{
		"report-25000000": 25_000_000, "report-45000000": 45_000_000,
		"report-24999999": 0, "report-45000001": 0, "report-029384756": 0, "report-+2938475": 0, "report29384756": 0, "report-": 0,
	} {
		if name, minute, ok := owner.CutRun(job); minute != want || ok != (want > 0) || ok != (name == "report") {
			t.Errorf("%s: %q in minute %d, %v; want minute %d", job, name, minute, ok, want)
		}
	}
}
