package recommender

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// settled is a checkout that was lowered to what it uses, 512 MiB instead of the 2 GiB of its template, and whose limit is its request.
func settled(t *testing.T) *life {
	t.Helper()
	l := checkout(t, 14*day)
	l.in.Policy.Memory.Limit = new(v1alpha1.LimitEqual)
	for range 3 {
		l.look().after(25 * time.Hour)
	}
	if got := l.newPod().Limits.MemoryBytes; got != 512*mebibyte {
		t.Fatalf("settled at %d MiB", got/mebibyte)
	}
	return l
}

func TestWhoRaisesTheMemoryOfATemplateIsHeardForTwoWeeks(t *testing.T) {
	l := settled(t)
	l.in.Containers = []corev1.Container{testkit.Container("app", "2", "4Gi")}
	for _, later := range []time.Duration{0, time.Hour, 12 * day} {
		if got := l.after(later).look().newPod(); got.Requests.MemoryBytes != 4*gibibyte || got.Limits.MemoryBytes != 4*gibibyte {
			t.Errorf("%s later a new pod gets %+v, want the 4 GiB that its template was raised to", later, got)
		}
	}
	for range 6 {
		l.after(3 * day).look()
	}
	if got := l.newPod().Requests.MemoryBytes; got != 512*mebibyte {
		t.Errorf("long afterwards a new pod gets %d MiB, want what it uses", got/mebibyte)
	}
}

func TestWhoRaisesATemplateIsHeardWhileThereIsNoHistory(t *testing.T) {
	l := settled(t)
	l.in.Containers = []corev1.Container{testkit.Container("app", "2", "4Gi")}
	l.uses(5*time.Hour, testkit.Flat(0.4), testkit.Flat(400*mebibyte)).look()
	if got := l.newPod().Requests.MemoryBytes; got != 4*gibibyte {
		t.Errorf("a new pod gets %d MiB, want the 4 GiB that its template was raised to", got/mebibyte)
	}
}

func TestALimitRangeWhoseDefaultGrowsIsNoWish(t *testing.T) {
	l := settled(t)
	l.in.Containers, l.in.DefaultMemory = []corev1.Container{testkit.Container("app", "2", "4Gi")}, []string{"app"}
	if got := l.look().newPod().Requests.MemoryBytes; got != 512*mebibyte {
		t.Errorf("a new pod gets %d MiB because the default of the namespace rose", got/mebibyte)
	}
}

func TestALittleMoreInATemplateIsNoWish(t *testing.T) {
	l := settled(t)
	l.in.Containers = []corev1.Container{testkit.Container("app", "2", "2080Mi")}
	if got := l.look().newPod().Requests.MemoryBytes; got != 512*mebibyte {
		t.Errorf("a new pod gets %d MiB for 2 %% more in its template", got/mebibyte)
	}
}
