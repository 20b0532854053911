package apply_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

var computed = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func TestSizesSurviveTheWayThroughTheAPI(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyValues().Draw(t, "values")
		stored := apply.ToAPI(shuffled(t, want), apply.Revision(want), computed)
		if diff := cmp.Diff(want, apply.FromAPI(stored)); diff != "" {
			t.Fatalf("after the way there and back (-before +after):\n%s", diff)
		}
	})
}

func TestStoredSizesReadLikeQuantitiesOfPeople(t *testing.T) {
	stored := apply.ToAPI(apply.Values{Containers: []apply.Container{{
		Name:        "app",
		Target:      apply.Amounts{CPUMillis: 1500, MemoryBytes: 512 * mib},
		CPUBand:     apply.Interval{Min: 1364, Max: 1875},
		MemoryLimit: apply.Limit{Policy: "Headroom", Value: 1024 * mib},
	}}}, "abc", computed)
	app := stored.Containers[0]
	got := []string{app.Target.CPU.String(), app.Target.Memory.String(), app.Band.CPU.Min.String(), app.Limits.Memory.Value.String()}
	if diff := cmp.Diff([]string{"1500m", "512Mi", "1364m", "1Gi"}, got); diff != "" {
		t.Error(diff)
	}
	if app.InPlace.CPU != nil || app.Band.Memory != nil || app.Limits.CPU != nil {
		t.Errorf("amounts that were not sized appear: %+v", app)
	}
}

func TestNoSizesAreNoOpinion(t *testing.T) {
	if diff := cmp.Diff(apply.Values{}, apply.FromAPI(nil)); diff != "" {
		t.Error(diff)
	}
}

func TestANegativeAmountInAnEditedStatusIsNoOpinion(t *testing.T) {
	got := apply.FromAPI(&v1alpha1.RevisionedValues{Containers: []v1alpha1.ContainerValues{{
		Name:   "app",
		Target: v1alpha1.ResourceAmounts{CPU: new(resource.MustParse("-2")), Memory: new(resource.MustParse("64Mi"))},
	}}})
	if diff := cmp.Diff(apply.Amounts{MemoryBytes: 64 * mib}, got.Containers[0].Target); diff != "" {
		t.Error(diff)
	}
}

func TestRevisionDependsOnTheSizesAndNotOnTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValues().Draw(t, "values")
		if one, two := apply.Revision(v), apply.Revision(shuffled(t, v)); one != two {
			t.Fatalf("the order of containers changes the revision from %s to %s", one, two)
		}
		other := anyValues().Draw(t, "other values")
		if cmp.Equal(apply.ToAPI(v, "", computed), apply.ToAPI(other, "", computed)) != (apply.Revision(v) == apply.Revision(other)) &&
			!onlyKeepDiffers(v, other) {
			t.Fatalf("revisions %s and %s of\n%+v\n%+v", apply.Revision(v), apply.Revision(other), v, other)
		}
	})
}

// onlyKeepDiffers reports whether two sets differ only in spelling the policy Keep.
func onlyKeepDiffers(a, b apply.Values) bool {
	spell := func(v apply.Values) apply.Values {
		out := apply.Values{Replicas: v.Replicas}
		for _, c := range v.Containers {
			for _, l := range []*apply.Limit{&c.CPULimit, &c.MemoryLimit} {
				if l.Policy == "" {
					l.Policy = "Keep"
				}
			}
			out.Containers = append(out.Containers, c)
		}
		return out
	}
	return cmp.Equal(spell(a), spell(b))
}

// The literal pins the encoding: if it changes, every workload of every cluster gets a new revision at the upgrade, and every
// approved one has to be approved again.
func TestTheEncodingBehindRevisionsIsStable(t *testing.T) {
	v := apply.Values{Replicas: new(int32(3)), Containers: []apply.Container{{
		Name: "app", Target: apply.Amounts{CPUMillis: 250, MemoryBytes: 512 * mib}, InPlace: apply.Amounts{CPUMillis: 200, MemoryBytes: 512 * mib},
		CPUBand: apply.Interval{Min: 181, Max: 312}, MemoryLimit: apply.Limit{Policy: "Headroom", Value: 768 * mib},
	}}}
	if got, want := apply.Revision(v), "2a96508f6988c019"; got != want {
		t.Errorf("Revision = %q, want %q", got, want)
	}
}
