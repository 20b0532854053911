package apply_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/apply"
)

// listed is a list with an amount of memory; an empty text is no list.
func listed(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(text)}
}

func limitBounds(items ...corev1.LimitRangeItem) []apply.LimitBound {
	return apply.LimitBounds([]corev1.LimitRange{{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: corev1.LimitRangeSpec{Limits: items}}})
}

func sizedMemory(requestMiB, limitMiB int64) apply.Resources {
	return apply.Resources{Requests: apply.Amounts{MemoryBytes: requestMiB * apply.MiB}, Limits: apply.Amounts{MemoryBytes: limitMiB * apply.MiB}}
}

func TestALimitRangeRefusesWhatTheAPIServerWouldRefuse(t *testing.T) {
	sidecar := apply.Member{Name: "mesh", Sidecar: true, Resources: sizedMemory(100, 100)}
	setup := apply.Member{Name: "setup", Init: true, Resources: sizedMemory(3000, 3000)}
	container := corev1.LimitTypeContainer
	for name, c := range map[string]struct {
		item   corev1.LimitRangeItem
		beside []apply.Member
		sized  apply.Resources
		// want is a part of the refusal; empty if there is none.
		want string
	}{
		"inside":                     {item: corev1.LimitRangeItem{Type: container, Min: listed("100Mi"), Max: listed("2Gi")}, sized: sizedMemory(500, 1000)},
		"a request under the least":  {item: corev1.LimitRangeItem{Type: container, Min: listed("600Mi")}, sized: sizedMemory(500, 1000), want: "request 500Mi is under 600Mi"},
		"a limit over the most":      {item: corev1.LimitRangeItem{Type: container, Max: listed("800Mi")}, sized: sizedMemory(500, 1000), want: "1000Mi is over 800Mi"},
		"no limit where one bounds":  {item: corev1.LimitRangeItem{Type: container, Max: listed("800Mi")}, sized: sizedMemory(500, 0), want: "there is no limit"},
		"no limit, but a default":    {item: corev1.LimitRangeItem{Type: container, Max: listed("800Mi"), Default: listed("700Mi")}, sized: sizedMemory(500, 0)},
		"a default under a request":  {item: corev1.LimitRangeItem{Type: container, Default: listed("400Mi")}, sized: sizedMemory(500, 0), want: "by default"},
		"a limit far over a request": {item: corev1.LimitRangeItem{Type: container, MaxLimitRequestRatio: listed("1500m")}, sized: sizedMemory(500, 1000), want: "1.5 times"},
		"a pod over its most, with what is not sized": {
			item: corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listed("1050Mi")}, beside: []apply.Member{sidecar}, sized: sizedMemory(500, 1000),
			want: "of a pod: 1100Mi is over 1050Mi",
		},
		"an init container that is larger than the rest": {
			item: corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: listed("2Gi")}, beside: []apply.Member{setup}, sized: sizedMemory(500, 1000),
			want: "3000Mi is over 2Gi",
		},
		"what is not sized is its owner's business": {
			item: corev1.LimitRangeItem{Type: container, Min: listed("200Mi")}, beside: []apply.Member{sidecar}, sized: sizedMemory(500, 1000),
		},
		"volume claims": {item: corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Max: listed("1Mi")}, sized: sizedMemory(500, 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			members := append(slices.Clone(c.beside), apply.Member{Name: "app"})
			refusal, refused := apply.Refused(limitBounds(c.item), members, map[string]apply.Resources{"app": c.sized})
			if refused != (c.want != "") || !strings.Contains(refusal.Text, c.want) {
				t.Fatalf("refused is %t: %q, want %q", refused, refusal.Text, c.want)
			}
			if refused && refusal.LimitRange != "team" {
				t.Errorf("blames LimitRange %q", refusal.LimitRange)
			}
		})
	}
}

func TestDefaultsOfALimitRangeFillWhatIsNotStated(t *testing.T) {
	bounds := limitBounds(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: listed("512Mi"), DefaultRequest: listed("256Mi")})
	for name, c := range map[string]struct {
		has            corev1.ResourceRequirements
		request, limit string
	}{
		"nothing":      {corev1.ResourceRequirements{}, "256Mi", "512Mi"},
		"a request":    {corev1.ResourceRequirements{Requests: listed("100Mi")}, "100Mi", "512Mi"},
		"a limit":      {corev1.ResourceRequirements{Limits: listed("1Gi")}, "0", "1Gi"},
		"both":         {corev1.ResourceRequirements{Requests: listed("1Gi"), Limits: listed("2Gi")}, "1Gi", "2Gi"},
		"explicit 0":   {corev1.ResourceRequirements{Requests: listed("0")}, "0", "512Mi"},
		"a limit of 0": {corev1.ResourceRequirements{Limits: listed("0")}, "0", "0"},
	} {
		got := apply.WithLimitDefaults(bounds, c.has)
		if got.Requests.Memory().String() != c.request || got.Limits.Memory().String() != c.limit {
			t.Errorf("%s: got %s and %s, want %s and %s", name, got.Requests.Memory(), got.Limits.Memory(), c.request, c.limit)
		}
		if again := apply.WithLimitDefaults(bounds, got); again.Requests.Memory().Cmp(*got.Requests.Memory()) != 0 {
			t.Errorf("%s: filled twice", name)
		}
	}
}

// What fits one by one by RequestFor and LimitFor is not refused.
func TestRequestsAndLimitsByTheBoundAreAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := apply.ResourceBound{
			Min: rapid.Int64Range(0, 500).Draw(t, "min"), Max: rapid.Int64Range(500, 5000).Draw(t, "max"),
			Ratio: rapid.SampledFrom([]float64{0, 1, 1.5, 3}).Draw(t, "ratio"),
		}
		request := rapid.Int64Range(max(bound.Min, 1), bound.Max).Draw(t, "request")
		limit := bound.LimitFor(request)
		if bound.RequestFor(limit) > request {
			t.Fatalf("limit %d for request %d, which then has to be %d", limit, request, bound.RequestFor(limit))
		}
		sized := map[string]apply.Resources{"app": {Requests: apply.Amounts{CPUMillis: request}, Limits: apply.Amounts{CPUMillis: limit}}}
		if refusal, refused := apply.Refused([]apply.LimitBound{{Name: "team", CPU: bound}}, []apply.Member{{Name: "app"}}, sized); refused {
			t.Fatalf("%+v refuses %v: %s", bound, sized, refusal.Text)
		}
	})
}

func TestAPodCountsAsTheLargerOfItsInitContainersAndTheRest(t *testing.T) {
	amounts := func(mib int64) apply.Resources { return sizedMemory(mib, 0) }
	got := apply.PodResources([]apply.Member{
		{Name: "mesh", Sidecar: true, Resources: amounts(100)},
		{Name: "migrate", Init: true, Resources: amounts(700)},
		{Name: "app", Resources: amounts(400)},
		{Name: "log", Resources: amounts(200)},
	})
	if want := 800 * apply.MiB; got.Requests.MemoryBytes != want {
		t.Errorf("the pod counts as %s, want %s", apply.FormatMemory(got.Requests.MemoryBytes), apply.FormatMemory(want))
	}
}
