package replay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender/sizing"
)

// Options say what to replay and how. The zero Options replay every policy once with Loadline's shipped defaults.
type Options struct {
	// Policies to replay, of PolicyNames; none means all.
	Policies []string
	// Start of the first sample; it must be a multiple of Step. The zero time means DefaultStart.
	Start time.Time
	// Warmup is the history that nobody is scored on; 0 means 14 days. Policies begin to act in its last day.
	Warmup time.Duration
	// Cadence is how often decisions are made, a multiple of Step; 0 means Step.
	Cadence time.Duration
	// Policy of Loadline with every default filled in; nil means the shipped one.
	Policy *v1alpha1.SizingPolicySpec
	// MaxGiveBack are shares of the target that running pods may give back, in whole percent, each a row of loadline-inplace; 1 is
	// without limit. None means what Policy says.
	MaxGiveBack []float64
	// Refused are shares of in-place raises that fail, and RefusedFor for how long: each pair is a row of the policies that
	// change pods in place. None means that no raise fails.
	Refused    []float64
	RefusedFor []time.Duration
	// Turn are the policies whose knob Sweep turns; none means all. The others keep their one point, which is still compared
	// with the curve of VPA, if that is turned.
	Turn []string
	// Seeds of the chance by which raises are refused; a row with refused raises is the mean over all of them. None means the
	// one seed 0.
	Seeds []uint64
	// Prices of what is requested, each from 0 to 1e9; nil means DefaultPrices.
	Prices *Prices
	// ChartPoints is the number of points of each workload's chart; 0 means no charts.
	ChartPoints int
	// Workers is how many workloads are replayed at a time; 0 means as many as there are processors. It does not change the
	// result.
	Workers int
	// Progress is told how many workloads are done and left. It is called by one goroutine at a time. Nil means nobody is.
	Progress func(done, left int)
	// CurrentKnown tells that the workloads' Current is what is requested today.
	CurrentKnown bool
}

// DefaultStart is a Monday: histories without timestamps begin there.
func DefaultStart() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }

// DefaultPrices are round numbers of the order of public on-demand prices, in dollars: 0.03 for a core and 0.004 for a GiB of
// memory, per hour. Only their proportion matters for comparing policies.
func DefaultPrices() Prices { return Prices{CoreHour: 0.03, GiBHour: 0.004} }

// settle is the longest time before the scored part in which policies already act, so that what they started from does not
// count.
const settle = 24 * time.Hour

// settle is how long policies act before they are scored.
func (o *Options) settle() time.Duration { return min(settle, o.Warmup/2) }

// Check says what is wrong with the options, if anything.
func (o *Options) Check() error {
	_, err := resolve(*o)
	return err
}

// resolve returns the options with every default filled in, or what is wrong with them.
func resolve(o Options) (*Options, error) {
	if len(o.Policies) == 0 {
		o.Policies = PolicyNames()
	}
	if len(o.Turn) == 0 {
		o.Turn = o.Policies
	}
	if o.Start.IsZero() {
		o.Start = DefaultStart()
	}
	if o.Warmup == 0 {
		o.Warmup = 14 * 24 * time.Hour
	}
	if o.Cadence == 0 {
		o.Cadence = Step
	}
	if o.Policy == nil {
		o.Policy = new(config.Default().Policy)
	}
	if len(o.Seeds) == 0 {
		o.Seeds = []uint64{0}
	}
	if o.Prices == nil {
		o.Prices = new(DefaultPrices())
	}
	for _, check := range []func() error{o.checkPolicies, o.checkTimes, o.checkShares, o.checkSeeds, o.checkPrices} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return &o, nil
}

func (o *Options) checkPolicies() error {
	for i, name := range o.Policies {
		if !slices.Contains(PolicyNames(), name) {
			return fmt.Errorf("policy %q: legal are %s", name, strings.Join(PolicyNames(), ", "))
		}
		if slices.Contains(o.Policies[:i], name) {
			return fmt.Errorf("policy %s is named twice", name)
		}
	}
	for _, name := range o.Turn {
		if !slices.Contains(o.Policies, name) {
			return fmt.Errorf("the knob of %s cannot be turned: legal are the policies that are replayed, %s", name, strings.Join(o.Policies, ", "))
		}
	}
	return nil
}

func (o *Options) checkTimes() error {
	switch {
	case !o.Start.Equal(o.Start.Truncate(Step)):
		return fmt.Errorf("start %s: it must be a multiple of %s", o.Start.Format(time.RFC3339), shortDuration(Step))
	case o.Warmup < 2*time.Hour || o.Warmup%Step != 0:
		return fmt.Errorf("warm-up %s: it must be at least 2h and a multiple of %s", shortDuration(o.Warmup), shortDuration(Step))
	case o.Cadence < Step || o.Cadence%Step != 0:
		return fmt.Errorf("cadence %s: it must be a multiple of %s", shortDuration(o.Cadence), shortDuration(Step))
	case len(o.Refused) > 0 && len(o.RefusedFor) == 0:
		return errors.New("a share of refused raises needs how long they are refused")
	}
	for _, d := range o.RefusedFor {
		if d < Step || d%Step != 0 {
			return fmt.Errorf("raises refused for %s: it must be a multiple of %s", shortDuration(d), shortDuration(Step))
		}
	}
	return nil
}

func (o *Options) checkSeeds() error {
	for i, seed := range o.Seeds {
		if slices.Contains(o.Seeds[:i], seed) {
			return fmt.Errorf("seed %d is named twice", seed)
		}
	}
	return nil
}

func (o *Options) checkShares() error {
	for _, s := range slices.Concat(o.Refused, o.MaxGiveBack) {
		if !(s >= 0 && s <= 1) {
			return fmt.Errorf("share %v: it must be between 0 and 1", s)
		}
	}
	for _, give := range o.MaxGiveBack {
		if math.Abs(give-float64(percent(give))/100) > 1e-9 {
			return fmt.Errorf("give-back %s: legal are whole percentages", share(give))
		}
	}
	return nil
}

func (o *Options) checkPrices() error {
	for _, price := range []float64{o.Prices.CoreHour, o.Prices.GiBHour} {
		if !(price >= 0 && price <= 1e9) {
			return fmt.Errorf("price %v: legal are numbers from 0 up to 1e9", price)
		}
	}
	return nil
}

// variants lists the rows of the result.
func (o *Options) variants() []variant {
	var all []variant
	for _, name := range o.Policies {
		for _, s := range o.settings(name) {
			all = append(all, o.variant(name, s))
		}
	}
	return all
}

// settings lists those under which a policy is replayed, the knob aside.
func (o *Options) settings(name string) []Setting {
	if name != LoadlineInPlace && name != LoadlineNoForecast {
		return []Setting{{}}
	}
	gives := o.MaxGiveBack
	if len(gives) == 0 || name == LoadlineNoForecast {
		gives = []float64{float64(*o.Policy.MaxGiveBackPercent) / 100}
	}
	var all []Setting
	for _, give := range gives {
		none := Setting{MaxGiveBack: give}
		if len(o.Refused) == 0 && !slices.Contains(all, none) {
			all = append(all, none)
		}
		for _, share := range o.Refused {
			for _, d := range o.RefusedFor {
				s := Setting{MaxGiveBack: give, Refused: share, RefusedForSeconds: seconds(d)}
				if share == 0 {
					s = none // For however long.
				}
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

func (o *Options) variant(name string, s Setting) variant {
	v := variant{policy: name, setting: s}
	switch name {
	case LoadlineInPlace, LoadlineNoForecast:
		v.inPlace = true
		v.make = newLoadline(o.loadline(s, apply.ForRunningPod, name == LoadlineNoForecast))
	case LoadlineEvict:
		v.make = newLoadline(o.loadline(s, apply.ForNewPod, false))
	case VPAPolicy:
		v.make = newVPAPolicy(orDefault(s.Knob, vpaTarget))
	case KRRPolicy:
		v.make = newKRR(orDefault(s.Knob, krrQuantile))
	case OraclePolicy:
		v.make = newOracle(int(o.Cadence / Step))
	default:
		v.make = newCurrent
	}
	v.label = label(name, s)
	return v
}

// loadline is the policy under a setting.
func (o *Options) loadline(s Setting, tempo apply.Tempo, noForecast bool) loadlineOptions {
	policy := *o.Policy.DeepCopy()
	policy.Replicas.Mode = new(v1alpha1.ReplicasOff) // The number of pods is not replayed.
	if s.Knob > 0 {
		policy = turned(policy, s.Knob)
	}
	if tempo == apply.ForRunningPod {
		policy.MaxGiveBackPercent = new(percent(s.MaxGiveBack))
	}
	level := sizing.InPlaceLevel
	if s.Knob > 0 && tempo == apply.ForRunningPod {
		level = turnedLevel(s.Knob, o.shippedKnob(LoadlineInPlace))
	}
	return loadlineOptions{tempo: tempo, noForecast: noForecast, policy: policy, level: level, horizon: config.Default().Recommender.Horizon.Duration}
}

func percent(share float64) int32 { return int32(share*100 + 0.5) }

func orDefault(knob, def float64) float64 {
	if knob == 0 {
		return def
	}
	return knob
}

// label names a row: the policy and its setting in words.
func label(name string, s Setting) string {
	var parts []string
	if name == LoadlineInPlace {
		give := "give-back " + share(s.MaxGiveBack)
		if s.MaxGiveBack == 1 {
			give = "give-back unlimited"
		}
		parts = append(parts, give)
	}
	if s.Refused > 0 {
		d := time.Duration(s.RefusedForSeconds) * time.Second
		parts = append(parts, share(s.Refused)+" refused for "+shortDuration(d))
	}
	if s.Knob > 0 {
		parts = append(parts, "p"+strconv.FormatFloat(s.Knob*100, 'f', -1, 64))
	}
	if len(parts) == 0 {
		return name
	}
	return name + " (" + strings.Join(parts, ", ") + ")"
}

func share(s float64) string { return strconv.FormatFloat(s*100, 'f', -1, 64) + " %" }

// shortDuration is a duration without zero units: 1h, 5m.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
