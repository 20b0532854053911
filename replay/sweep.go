package replay

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// knobs are the values of a policy's one knob that a sweep tries: the quantile that the policy aims at.
func knobs(name string) []float64 {
	switch name {
	case LoadlineInPlace, LoadlineEvict, LoadlineNoForecast:
		return []float64{0.85, 0.9, 0.95, 0.98, 0.99}
	case VPAPolicy:
		// Closer together where a curve bends most, and up to the largest sample, so that careful policies can be compared too.
		return []float64{0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999, 1}
	case KRRPolicy:
		return []float64{0.9, 0.95, 0.97, 0.99, 0.995, 0.999}
	default:
		return nil
	}
}

// turned is the shipped policy with its knob at a quantile. Loadline covers the maximum of memory and no quantile of it, so
// there the margin, in percent, is turned along, to give a curve as well.
func turned(shipped v1alpha1.SizingPolicySpec, knob float64) v1alpha1.SizingPolicySpec {
	shipped.CPU.QuantilePercent = new(percent(knob))
	switch {
	case knob < 0.9:
		shipped.Memory.MarginPercent = new(int32(0))
	case knob < 0.95:
		shipped.Memory.MarginPercent = new(int32(5))
	case knob >= 0.99:
		shipped.Memory.MarginPercent = new(int32(50))
	case knob > 0.95:
		shipped.Memory.MarginPercent = new(int32(30))
	}
	return shipped
}

// turnedLevel is the level of the bound that running pods follow when the target aims at another quantile than the shipped one: the
// share of hours that the bound leaves out changes as the share of time does that the target leaves out. With what is shipped, a
// target at p95 and a bound that leaves out 12.5 % of the hours, p98 goes with one that leaves out 5 %.
func turnedLevel(knob, shipped float64) float64 {
	const least, most = 0.5, 0.99
	return min(max(least, 1-(1-sizing.InPlaceLevel)*(1-knob)/(1-min(shipped, most))), most)
}

// shippedKnob is the value of the knob by default.
func (o *Options) shippedKnob(name string) float64 {
	switch name {
	case LoadlineInPlace, LoadlineEvict, LoadlineNoForecast:
		return float64(*o.Policy.CPU.QuantilePercent) / 100
	case VPAPolicy:
		return vpaTarget
	case KRRPolicy:
		return krrQuantile
	default:
		return 0
	}
}

// Sweep is Run, and beside it replays every policy with other values of its knob. Each curve is compared with that of VPA,
// if VPA is among the policies.
func Sweep(ctx context.Context, workloads []Workload, o Options) (Result, error) {
	resolved, err := resolve(o)
	if err != nil {
		return Result{}, err
	}
	shipped := resolved.variants()
	all := slices.Clone(shipped)
	for _, v := range shipped {
		for _, knob := range knobs(v.policy) {
			if knob == resolved.shippedKnob(v.policy) || !slices.Contains(resolved.Turn, v.policy) {
				continue
			}
			s := v.setting
			s.Knob = knob
			other := resolved.variant(v.policy, s)
			other.noChart = true
			all = append(all, other)
		}
	}
	result, err := run(ctx, workloads, resolved, all)
	if err != nil {
		return Result{}, err
	}
	result.Sweeps = curves(resolved, shipped, result.Policies)
	result.Policies = result.Policies[:len(shipped)]
	return result, nil
}

// curves collects the rows that differ in their knob only.
func curves(o *Options, shipped []variant, rows []PolicyResult) []Curve {
	var out []Curve
	for _, v := range shipped {
		c := Curve{Policy: v.policy, Label: v.label}
		for _, row := range rows {
			s := row.Setting
			s.Knob = 0
			if row.Policy != v.policy || s != v.setting {
				continue
			}
			p := pointOf(row)
			if p.Shipped = row.Setting.Knob == 0; p.Shipped {
				p.Knob = o.shippedKnob(v.policy)
			}
			c.Points = append(c.Points, p)
		}
		slices.SortStableFunc(c.Points, func(a, b Point) int { return cmp.Compare(a.Knob, b.Knob) })
		out = append(out, c)
	}
	if i := slices.IndexFunc(out, func(c Curve) bool { return c.Policy == VPAPolicy }); i >= 0 {
		reference := newReference(out[i])
		for j := range out {
			if j != i {
				out[j].Versus = reference.versus(out[j].Points)
			}
		}
	}
	return out
}

func pointOf(row PolicyResult) Point {
	p := Point{
		Knob: row.Setting.Knob, Slack: row.CPU.Slack, Violation: row.CPU.Violation, Violation95: row.CPU.Violation95,
		Unmet: row.CPU.Unmet, RequestedPerUsed: row.CPU.RequestedPerUsed, ChangesPerWeek: row.ChangesPerWeek, Workloads: row.Workloads,
	}
	if row.Memory != nil {
		p.MemorySlack, p.OOMPerWeek = row.Memory.Slack, row.Memory.OOMPerWeek
	}
	return p
}

// At returns what y of the curve is where its x has the given value, x and y being any two numbers of a point: linear between
// the two points on either side, NaN beyond the outermost points and for NaN.
func (c Curve) At(value float64, x, y func(Point) float64) float64 {
	byX := slices.SortedStableFunc(slices.Values(c.Points), func(a, b Point) int { return cmp.Compare(x(a), x(b)) })
	for i := range len(byX) - 1 {
		left, right := byX[i], byX[i+1]
		if x(left) <= value && value <= x(right) {
			return y(left) + ratio(value-x(left), x(right)-x(left))*(y(right)-y(left))
		}
	}
	return math.NaN()
}
