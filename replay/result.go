package replay

import (
	"encoding/json"
	"time"
)

// Result is what a replay measured. Shares are between 0 and 1: 0.05 is 5 %. A number that could not be measured is absent.
type Result struct {
	// Split says what was replayed and which part of it counts.
	Split Split `json:"split"`
	// Policies in the order in which they were asked for, with their knobs as shipped; the same policy under other settings
	// is another row.
	Policies []PolicyResult `json:"policies"`
	// Sweeps is empty unless a sweep was asked for.
	Sweeps []Curve `json:"sweeps,omitempty"`
	// Notes say in sentences what was assumed for want of data, such as what stands in for the present requests.
	Notes []string `json:"notes,omitempty"`
}

// Split tells which part of the history was scored.
type Split struct {
	Workloads int `json:"workloads"`
	// Step of one sample.
	StepSeconds int `json:"stepSeconds"`
	// Start of the history; Scored is where counting starts, and End where the history ends.
	Start  time.Time `json:"start"`
	Scored time.Time `json:"scored"`
	End    time.Time `json:"end"`
	// HasMemory tells whether memory was replayed.
	HasMemory bool `json:"hasMemory"`
	// CurrentKnown tells whether the policy named current shows real requests or a stand-in.
	CurrentKnown bool `json:"currentKnown"`
	// Late is how many of the workloads began too late to be scored on the whole scored part, and LeftOut how many are not scored
	// at all, because nothing of them was measured there.
	Late    int `json:"late,omitempty"`
	LeftOut int `json:"leftOut,omitempty"`
	// Prices in the result's costs.
	Prices Prices `json:"prices"`
}

// Prices of what is requested, in any one currency.
type Prices struct {
	CoreHour float64 `json:"coreHour"`
	GiBHour  float64 `json:"gibHour"`
}

// PolicyResult is one row of the table.
type PolicyResult struct {
	// Policy is one of the names in PolicyNames, and Label that name with its setting in words, which is unique in a Result.
	Policy string `json:"policy"`
	Label  string `json:"label"`
	// Setting of the row.
	Setting Setting `json:"setting"`
	CPU     Usage   `json:"cpu"`
	// Memory is nil where memory was not replayed.
	Memory *Usage `json:"memory,omitempty"`
	// ChangesPerWeek is how often a workload was changed per week, in CPU, memory or both at once. All rates are per week in which
	// a workload was scored.
	ChangesPerWeek float64 `json:"changesPerWeek"`
	// RefusedPerWeek is how many in-place raises of a workload were refused per week.
	RefusedPerWeek float64 `json:"refusedPerWeek,omitempty"`
	// CostPerWeek of all requests together.
	CostPerWeek float64 `json:"costPerWeek"`
	// BySeed is what each seed alone gives, where raises are refused by chance with several; the other numbers are their means.
	BySeed []SeedResult `json:"bySeed,omitempty"`
	// Workloads in the order of the input.
	Workloads []WorkloadResult `json:"workloads"`
}

// SeedResult is a row with one of several seeds, for CPU except for the changes. The numbers are those of Usage.
type SeedResult struct {
	Seed             uint64  `json:"seed"`
	Slack            float64 `json:"slack"`
	Violation        float64 `json:"violation"`
	Unmet            float64 `json:"unmet"`
	RequestedPerUsed float64 `json:"requestedPerUsed"`
	ChangesPerWeek   float64 `json:"changesPerWeek"`
}

// Setting is what a row does differently from the others of its policy.
type Setting struct {
	// Knob is the value of the policy's knob, a share: the quantile that it aims at. 0 for a policy without a knob.
	Knob float64 `json:"knob,omitempty"`
	// MaxGiveBack is the share of its target that a running pod may give back; 1 is without limit. It says nothing of policies
	// other than Loadline in place.
	MaxGiveBack float64 `json:"maxGiveBack"`
	// Refused is the share of in-place raises that fail, and RefusedForSeconds for how long.
	Refused           float64 `json:"refused,omitempty"`
	RefusedForSeconds int     `json:"refusedForSeconds,omitempty"`
}

// Usage scores one resource: CPU in cores, memory in bytes.
type Usage struct {
	// Slack is the share of the request that is not used, 1 − Σ min(u, r) ÷ Σ r, on average over the workloads.
	Slack float64 `json:"slack"`
	// RequestedPerUsed is Σ r ÷ Σ u over all workloads together.
	RequestedPerUsed float64 `json:"requestedPerUsed"`
	// Violation is the share of samples with u > r, on average over the workloads, and Violation95 that of the workload at
	// the 95th percentile.
	Violation   float64 `json:"violation"`
	Violation95 float64 `json:"violation95"`
	// Unmet is the share of demand over the request, Σ (u − r)⁺ ÷ Σ u, on average over the workloads; UnmetTotal the same of
	// all workloads together.
	Unmet      float64 `json:"unmet"`
	UnmetTotal float64 `json:"unmetTotal"`
	// Requested and Used per hour, summed over the workloads: cores or bytes.
	Requested float64 `json:"requested"`
	Used      float64 `json:"used"`
	// ChangesPerWeek of a workload's request of this resource.
	ChangesPerWeek float64 `json:"changesPerWeek"`
	// OOMPerWeek is how often a workload would have been killed for lack of memory per week, at most once an hour. Memory only.
	OOMPerWeek float64 `json:"oomPerWeek"`
}

// WorkloadResult is one workload under one policy.
type WorkloadResult struct {
	Name string `json:"name"`
	// ScoredSeconds is the time at the end of the history on which the workload is scored: less than Split says if it began
	// late, and 0 if it is left out.
	ScoredSeconds  int     `json:"scoredSeconds"`
	CPU            Usage   `json:"cpu"`
	Memory         *Usage  `json:"memory,omitempty"`
	ChangesPerWeek float64 `json:"changesPerWeek"`
	// Chart is there if Options.ChartPoints asked for it.
	Chart *Chart `json:"chart,omitempty"`
}

// Chart is a workload's use and request over the scored time, cut into equal spans. All series are equally long.
type Chart struct {
	Start       time.Time `json:"start"`
	SpanSeconds int       `json:"spanSeconds"`
	// Used is the largest sample of each span, Requested the smallest request, in cores.
	CPUUsed      Line `json:"cpuUsed"`
	CPURequested Line `json:"cpuRequested"`
	// In bytes; empty without memory.
	MemoryUsed      Line `json:"memoryUsed,omitempty"`
	MemoryRequested Line `json:"memoryRequested,omitempty"`
}

// Line is a value for each span of a chart: NaN, in JSON null, where there is nothing to draw. That is the use of a span without a
// sample, and the request before a workload that began late is sized.
type Line []float32

// MarshalJSON writes an array of numbers and nulls.
func (l Line) MarshalJSON() ([]byte, error) {
	values := make([]*float32, len(l))
	for i, v := range l {
		if v == v {
			values[i] = &l[i]
		}
	}
	return json.Marshal(values)
}

// Curve is one policy at several values of its knob: the trade-off between slack and what goes wrong.
type Curve struct {
	// Policy and Label as in PolicyResult, without the knob.
	Policy string  `json:"policy"`
	Label  string  `json:"label"`
	Points []Point `json:"points"`
	// Versus compares each point with the reference policy, VPA. Nil for the reference itself.
	Versus []Versus `json:"versus,omitempty"`
}

// Point is one value of the knob. CPU, except for the changes.
type Point struct {
	Knob float64 `json:"knob"`
	// Shipped tells that this is the default value.
	Shipped          bool    `json:"shipped,omitempty"`
	Slack            float64 `json:"slack"`
	Violation        float64 `json:"violation"`
	Violation95      float64 `json:"violation95"`
	Unmet            float64 `json:"unmet"`
	RequestedPerUsed float64 `json:"requestedPerUsed"`
	ChangesPerWeek   float64 `json:"changesPerWeek"`
	// MemorySlack and OOMPerWeek are 0 where memory was not replayed.
	MemorySlack float64 `json:"memorySlack"`
	OOMPerWeek  float64 `json:"oomPerWeek"`
	// Workloads whose averages these are, in the order of the input.
	Workloads []WorkloadResult `json:"-"`
}

// Versus is the difference in slack to the reference policy where both do the same harm; negative is less slack. A field is
// nil where the reference's curve does not reach that harm, because nothing is extrapolated.
type Versus struct {
	Knob             float64  `json:"knob"`
	AtEqualViolation *float64 `json:"atEqualViolation,omitempty"`
	AtEqualUnmet     *float64 `json:"atEqualUnmet,omitempty"`
	// AtEqualOOM compares memory slack at the same out-of-memory kills per week.
	AtEqualOOM *float64 `json:"atEqualOOM,omitempty"`
	// Ranges of the three, nil where the number is nil and with fewer than ten workloads.
	ViolationRange *Range `json:"violationRange,omitempty"`
	UnmetRange     *Range `json:"unmetRange,omitempty"`
	OOMRange       *Range `json:"oomRange,omitempty"`
}

// Range is a 95 % bootstrap range: where a number would lie if other workloads of the same kind had been replayed. Both policies
// are scored on the same draws. An end is nil where the draws go beyond what the reference's curve reaches.
type Range struct {
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// Names of the policies.
const (
	LoadlineInPlace    = "loadline-inplace"
	LoadlineEvict      = "loadline-evict"
	LoadlineNoForecast = "loadline-noforecast"
	VPAPolicy          = "vpa"
	KRRPolicy          = "krr"
	CurrentPolicy      = "current"
	OraclePolicy       = "oracle"
)

// PolicyNames lists every policy, in the order of the table.
func PolicyNames() []string {
	return []string{LoadlineInPlace, LoadlineEvict, LoadlineNoForecast, VPAPolicy, KRRPolicy, CurrentPolicy, OraclePolicy}
}
