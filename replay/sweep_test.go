package replay

import (
	"math"
	"testing"
	"time"
)

func TestSlackIsComparedWhereTheReferenceDoesTheSameHarm(t *testing.T) {
	reference := Curve{Points: []Point{{Slack: 0.6, Violation: 0.01}, {Slack: 0.4, Violation: 0.03}, {Slack: 0.3, Violation: 0.07}}}
	for _, test := range []struct {
		name string
		p    Point
		want float64
	}{
		{"at a point", Point{Slack: 0.35, Violation: 0.03}, -0.05},
		{"half way between two", Point{Slack: 0.35, Violation: 0.02}, -0.15},
		{"a quarter of the way, worse", Point{Slack: 0.40, Violation: 0.04}, 0.4 - 0.375},
	} {
		near(t, test.name, difference(test.p, reference, slackOf, violationOf), test.want, 1e-12)
	}
	for beyond, side := range map[float64]int{0.009: -1, 0.071: 1} {
		got := difference(Point{Violation: beyond}, reference, slackOf, violationOf)
		if !math.IsInf(got, side) || known(got) != nil {
			t.Errorf("at a violation of %v, beyond the reference, it is %v", beyond, got)
		}
	}
}

func TestASweepTurnsOneKnobAndMarksWhatIsShipped(t *testing.T) {
	o := short()
	o.Policies, o.MaxGiveBack = []string{VPAPolicy, KRRPolicy, OraclePolicy}, nil
	r, err := Sweep(t.Context(), []Workload{daily("web", 4, 1), daily("db", 4, 0.3)}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Policies) != 3 || len(r.Sweeps) != 3 {
		t.Fatalf("%d rows and %d curves", len(r.Policies), len(r.Sweeps))
	}
	for i, shipped := range []float64{0.9, 0.95, 0} {
		c := r.Sweeps[i]
		found := 0
		for j, p := range c.Points {
			if p.Shipped {
				found++
				near(t, c.Label+": the shipped knob", p.Knob, shipped, 0)
				near(t, c.Label+": the slack of the row and of the curve", p.Slack, r.Policies[i].CPU.Slack, 0)
			}
			if j > 0 && p.Knob <= c.Points[j-1].Knob {
				t.Errorf("%s: the knobs are not in order", c.Label)
			}
		}
		if found != 1 || (c.Versus == nil) != (c.Policy == VPAPolicy) {
			t.Errorf("%s: %d shipped points, compared %v", c.Label, found, c.Versus != nil)
		}
	}
}

func TestOnlyTheNamedKnobsAreTurned(t *testing.T) {
	o := short()
	o.Policies, o.Turn = []string{VPAPolicy, KRRPolicy}, []string{VPAPolicy}
	r, err := Sweep(t.Context(), []Workload{daily("web", 4, 1)}, o)
	if err != nil {
		t.Fatal(err)
	}
	if vpa, krr := r.Sweeps[0], r.Sweeps[1]; len(vpa.Points) < 5 || len(krr.Points) != 1 || len(krr.Versus) != 1 {
		t.Errorf("VPA has %d points, KRR %d, %d of them compared", len(vpa.Points), len(krr.Points), len(krr.Versus))
	}
}

func TestEveryCombinationOfRefusalsAndGiveBackIsARow(t *testing.T) {
	o, err := resolve(Options{
		Policies: []string{LoadlineInPlace, LoadlineEvict, VPAPolicy}, MaxGiveBack: []float64{0, 0.25, 1, 0.25},
		Refused: []float64{0, 0.05}, RefusedFor: []time.Duration{5 * time.Minute, time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range o.variants() {
		got = append(got, v.label)
	}
	want := []string{
		"loadline-inplace (give-back 0 %)", "loadline-inplace (give-back 0 %, 5 % refused for 5m)", "loadline-inplace (give-back 0 %, 5 % refused for 1h)",
		"loadline-inplace (give-back 25 %)", "loadline-inplace (give-back 25 %, 5 % refused for 5m)", "loadline-inplace (give-back 25 %, 5 % refused for 1h)",
		"loadline-inplace (give-back unlimited)", "loadline-inplace (give-back unlimited, 5 % refused for 5m)",
		"loadline-inplace (give-back unlimited, 5 % refused for 1h)", "loadline-evict", "vpa",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d is %q, want %q", i, got[i], want[i])
		}
	}
}

func TestTheBoundOfRunningPodsIsTurnedInProportion(t *testing.T) {
	for _, c := range []struct{ knob, shipped, want float64 }{
		{0.95, 0.95, 0.875},
		{0.98, 0.95, 0.95},
		{0.99, 0.95, 0.975},
		{0.85, 0.95, 0.625},
		{0.9, 0.9, 0.875}, // Whatever is shipped goes with the shipped bound.
		{0.5, 0.95, 0.5},
		{0.95, 1, 0.5},
		{1, 0.95, 0.99},
	} {
		near(t, "level", turnedLevel(c.knob, c.shipped), c.want, 1e-9)
	}
}
