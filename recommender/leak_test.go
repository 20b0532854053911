package recommender

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// newPod returns what the container app of a new pod has.
func (l *life) newPod() apply.Resources {
	own := map[string]apply.Resources{"app": apply.ResourcesOf(l.in.Containers[0].Resources).Defaulted()}
	if a := l.rec.Status.Applicable; a != nil {
		return apply.Desired(apply.FromAPI(a), own, apply.ForNewPod)["app"]
	}
	return own["app"]
}

// eatsItsLimit lets the container use all the memory that its limit allows, and be killed for it.
func (l *life) eatsItsLimit() *life {
	limit := l.newPod().Limits.MemoryBytes
	l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: limit, Time: l.now}}
	return l.uses(14*day, testkit.Flat(0.4), testkit.Flat(float64(limit))).look()
}

func (l *life) finding(kind string) v1alpha1.Finding {
	i := slices.IndexFunc(l.rec.Status.Findings, func(f v1alpha1.Finding) bool { return f.Type == kind })
	if i < 0 {
		return v1alpha1.Finding{}
	}
	return l.rec.Status.Findings[i]
}

func TestALeakIsNotFedByItsKills(t *testing.T) {
	const first = 1.2 * gibibyte
	for policy, most := range map[v1alpha1.LimitPolicy]float64{
		v1alpha1.LimitKeep: 4 * first, v1alpha1.LimitHeadroom: 4 * first, v1alpha1.LimitEqual: 4 * first,
		v1alpha1.LimitRatio: 2 * 4 * first, // The limit is twice the request that the kills raise.
	} {
		t.Run(string(policy), func(t *testing.T) {
			l := checkout(t, 14*day)
			l.in.Containers = []corev1.Container{testkit.Container("app", "100m", "512Mi")}
			l.in.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
			l.in.Policy.Memory.Limit = &policy
			for range 60 {
				l.eatsItsLimit().after(6 * time.Hour)
			}
			if got := l.newPod().Limits.MemoryBytes; float64(got) < 2*first || float64(got) > most+mebibyte {
				t.Errorf("after sixty kills a pod may use %d MiB, want %.0f MiB at most", got/mebibyte, most/mebibyte)
			}
			if f := l.finding(sizing.FindingMemoryLeak); f.Severity != v1alpha1.SeverityCritical {
				t.Errorf("findings %v, want a critical one about the leak", l.rec.Status.Findings)
			}
			before := l.newPod()
			for range 5 {
				l.eatsItsLimit().after(6 * time.Hour)
			}
			if got := l.newPod(); got != before {
				t.Errorf("five more kills made %+v of %+v", got, before)
			}
		})
	}
}

func TestAKillAfterQuietWeeksIsNotALeak(t *testing.T) {
	known := []OOMFloor{{Container: "app", HitBytes: 5 * gibibyte, FloorBytes: 5 * gibibyte, FromBytes: gibibyte, Time: noon, Kills: 9}}
	if !known[0].endless(noon) || known[0].endless(noon.Add(29*day)) {
		t.Fatal("a floor that was cut looks endless, for four weeks")
	}
	got := rememberOOM(known, []OOMKill{kill(5*gibibyte, 27*day)}, nil)
	if got[0].FloorBytes > 5*gibibyte || !got[0].endless(noon.Add(27*day)) {
		t.Errorf("within four weeks: %+v", got[0])
	}
	got = rememberOOM(known, []OOMKill{kill(5*gibibyte, 29*day)}, nil)
	if got[0].FloorBytes != 6*gibibyte || got[0].endless(noon.Add(29*day)) {
		t.Errorf("after four weeks: %+v, want a floor of 6 GiB and no suspicion", got[0])
	}
}

func TestWhatAPersonWroteIsNeverTooMuchForAKill(t *testing.T) {
	known := []OOMFloor{{Container: "app", HitBytes: 5 * gibibyte, FloorBytes: 5 * gibibyte, FromBytes: gibibyte, Time: noon, Kills: 9}}
	raised := testkit.Container("app", "1", "16Gi")
	got := rememberOOM(known, []OOMKill{kill(16*gibibyte, time.Hour)}, []corev1.Container{raised})
	if got[0].FloorBytes < 19*gibibyte || got[0].endless(noon.Add(time.Hour)) {
		t.Errorf("the template was raised to 16 GiB, which was not enough: %+v", got[0])
	}
}
