package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Health says how well workloads are sized: 100 less what was lost.
type Health struct {
	// Score from 0, the worst, to 100.
	Score int `json:"score"`
	// Losses are the reasons behind every point that is missing.
	Losses []Loss `json:"losses,omitempty"`
}

// Loss is one reason why points are missing.
type Loss struct {
	// Reason is a stable name: one of the Loss constants.
	Reason string `json:"reason"`
	// Points lost, of the Most that can be lost for this reason.
	Points int `json:"points"`
	Most   int `json:"most"`
	// Message says why, with numbers.
	Message string `json:"message"`
	// Workloads that cost points, as namespace/kind/name: the first five. More is how many there are besides.
	Workloads []string `json:"workloads,omitempty"`
	More      int      `json:"more,omitempty"`
}

// Reasons for lost points. The most that each can cost add up to 100.
const (
	LossTooLittle    = "TooLittle"    // 30
	LossKilled       = "Killed"       // 20
	LossWaste        = "Waste"        // 20
	LossWithoutSizes = "WithoutSizes" // 15
	LossNotEffective = "NotEffective" // 10
	LossHalted       = "Halted"       // 5
)

// named is how many workloads a loss names.
const named = 5

// tolerance is the share of a request by which it may be off before it costs points.
const tolerance = 0.10

// Findings of other packages: one tells of a kill, the others keep a recommendation from taking effect.
const (
	findingOOMKilled     = "OOMKilled"
	findingRolledBack    = "RolledBack"
	findingUnschedulable = "Unschedulable"
	findingDoesNotFit    = "PodDoesNotFit"
	findingCeiling       = "MemoryCeilingBelowPeak"
	findingQuota         = "QuotaTooSmall"
	findingLimitRange    = "LimitRangeRefuses"
)

// health computes the score of all workloads that are not switched off; recs and rows are in the same order. Of no workloads
// there is none.
//
// A reason that concerns single workloads costs its most times the share of the workloads concerned, waste its most times the
// share of what is reserved. Both are rounded up: what is wrong costs at least one point.
func health(recs []v1alpha1.Recommendation, rows []Row, in Input) *Health {
	var tooLittle, hit, blind, stuck, over concerned
	var reserved, given float64
	all := 0
	for i, row := range rows {
		s := recs[i].Status
		if row.Mode == v1alpha1.ModeOff {
			continue
		}
		all++
		tooLittle = tooLittle.plus(row, needsMore(row))
		hit = hit.plus(row, len(killed(s, in.Now.Time)) > 0)
		blind = blind.plus(row, withoutSizes(row, s, in))
		stuck = stuck.plus(row, notEffective(s))
		held, free := worth(row, in.Prices)
		reserved += held
		if free > tolerance*held {
			given += free
			over = over.plus(row, true)
		}
	}
	if all == 0 {
		return nil
	}
	h := Health{Score: 100}
	h.lose(tooLittle.share(all), tooLittle.loss(LossTooLittle, 30, tooLittle.of(all, "requests", "request")+" over 10 % less CPU or memory than recommended"))
	h.lose(hit.share(all), hit.loss(LossKilled, 20, hit.of(all, "was", "were")+" killed for lack of memory in the last 7 days"))
	if given > 0 {
		h.lose(given/reserved, over.loss(LossWaste, 20, fmt.Sprintf("%.0f %% of what is reserved is more than needed: %s over 10 %% more than recommended",
			100*given/reserved, over.of(all, "reserves", "reserve"))))
	}
	h.lose(blind.share(all), blind.loss(LossWithoutSizes, 15, blind.of(all, "has", "have")+" no sizes that may be used, or stale ones"))
	h.lose(stuck.share(all), stuck.loss(LossNotEffective, 10,
		stuck.of(all, "has", "have")+" sizes that do not take effect: taken back, refused, bounded from above, or without a node"))
	if len(in.Halts) > 0 {
		h.lose(1, Loss{Reason: LossHalted, Most: 5, Message: "running pods are left alone: " + oneLine(strings.Join(in.Halts, "; "))})
	}
	return &h
}

// lose takes points off for a share of what could go wrong.
func (h *Health) lose(share float64, l Loss) {
	if share > 0 {
		l.Points = min(l.Most, int(math.Ceil(float64(l.Most)*share)))
		h.Score -= l.Points
		h.Losses = append(h.Losses, l)
	}
}

// concerned are workloads, as namespace/kind/name.
type concerned []string

// plus adds a workload if it is concerned.
func (c concerned) plus(row Row, is bool) concerned {
	if is {
		return append(c, row.name())
	}
	return c
}

// loss is the loss of points for them.
func (c concerned) loss(reason string, most int, message string) Loss {
	first := c[:min(named, len(c))]
	return Loss{Reason: reason, Most: most, Message: message, Workloads: slices.Clone(first), More: len(c) - len(first)}
}

func (c concerned) share(all int) float64 { return float64(len(c)) / float64(all) }

// of writes "1 of 7 workloads requests" or "3 of 7 workloads request".
func (c concerned) of(all int, one, several string) string {
	verb := several
	if len(c) == 1 {
		verb = one
	}
	return fmt.Sprintf("%d of %d workloads %s", len(c), all, verb)
}

// needsMore says that a pod should request over a tenth more CPU or memory than it does.
func needsMore(row Row) bool {
	more := func(now, then *resource.Quantity) bool {
		return then != nil && (now == nil || then.AsApproximateFloat64() > (1+tolerance)*now.AsApproximateFloat64())
	}
	return more(row.CPUNow, row.CPURecommended) || more(row.MemoryNow, row.MemoryRecommended)
}

// withoutSizes says that nothing may be used, or that it is out of date. Where every container is left alone nothing is missing.
func withoutSizes(row Row, s v1alpha1.RecommendationStatus, in Input) bool {
	ready := condition(s, v1alpha1.ConditionReady, metav1.ConditionFalse)
	if ready != nil && ready.Reason == v1alpha1.ReasonNothingToSize {
		return false
	}
	return !row.Ready || s.Stale(in.Now.Time, in.StaleAfter)
}

func notEffective(s v1alpha1.RecommendationStatus) bool {
	applied := condition(s, v1alpha1.ConditionApplied, metav1.ConditionFalse)
	return applied != nil && applied.Reason == v1alpha1.ReasonDidNotStick ||
		condition(s, v1alpha1.ConditionHealthy, metav1.ConditionFalse) != nil ||
		slices.ContainsFunc(s.Findings, func(f v1alpha1.Finding) bool {
			return slices.Contains([]string{
				findingRolledBack, findingUnschedulable, findingDoesNotFit, findingCeiling, findingQuota, findingLimitRange,
			}, f.Type)
		})
}

// worth is what a workload reserves in a month and how much of it the recommended requests would give back, CPU and memory
// weighed by their prices; without prices, by the default ones. Resources of which more is needed do not make up for others.
func worth(row Row, prices Prices) (held, free float64) {
	if prices.Currency == "" {
		prices = DefaultPrices()
	}
	cpu, memory := row.reserved()
	held = prices.perMonth(cpu.AsApproximateFloat64(), memory.AsApproximateFloat64())
	if row.Savings != nil {
		free = prices.perMonth(max(row.Savings.CPU.AsApproximateFloat64(), 0), max(row.Savings.Memory.AsApproximateFloat64(), 0))
	}
	return held, min(free, held)
}
