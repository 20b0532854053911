package advice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// Hash names what an advisor looked at: 16 hexadecimal digits for what either changed or did not, and behind a dot one character for
// each number that moves all the time. Two of them are compared with SameEvidence.
//
// In the digits are annotations, rollouts, the policy, which Kubernetes events, signals, throttled containers and autoscalers there
// are, and whatever of the calendar a model has to read again; see calendar. Messages of events count without names and numbers
// with digits in them. Behind the dot are how often events happened, the highest peak of each container's forecast, means and trends
// of signals, and how much is throttled. Windows of the forecast move with every hour and do not count themselves.
func Hash(e Evidence) string {
	if e.hash != "" {
		return e.hash
	}
	levels := levelsOf(e)
	dates := calendar(e)
	e.Now = time.Time{}
	e.Annotations = slices.Clone(e.Annotations)
	for i, n := range e.Annotations {
		if n.Event != nil {
			event := *n.Event
			event.Start, event.End = event.Start.UTC(), event.End.UTC()
			e.Annotations[i].Event = &event
		}
	}
	e.Events = slices.Clone(e.Events)
	for i := range e.Events {
		event := &e.Events[i]
		event.First, event.Last, event.Count, event.Message = time.Time{}, time.Time{}, 0, shape(event.Message)
	}
	e.Rollouts = slices.Clone(e.Rollouts)
	for i := range e.Rollouts {
		e.Rollouts[i].Time = e.Rollouts[i].Time.UTC()
	}
	names := namesOf(e)
	e.Signals, e.Throttling, e.Scalings, e.Windows = nil, nil, nil, nil
	// JSON encodes all of this but times outside the years 0 to 9999; the refusal then stands for the evidence.
	text, err := json.Marshal(struct {
		Evidence Evidence
		Names    []string
		Calendar []string
	}{e, names, dates})
	if err != nil {
		text = []byte(err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]) + "." + levels
}

// Hashed returns the evidence with its hash in it, for who needs it more than once. It must not be changed from then on.
func Hashed(e Evidence) Evidence {
	e.hash = Hash(e)
	return e
}

// SameEvidence reports whether nothing of meaning changed between the evidence of two hashes. Numbers that move all the time may
// differ by about a third, counts by a factor of two, so that none of them asks again and again because it stands at an edge.
func SameEvidence(a, b string) bool {
	digits, levels, _ := strings.Cut(a, ".")
	otherDigits, otherLevels, _ := strings.Cut(b, ".")
	if digits != otherDigits || len(levels) != len(otherLevels) {
		return false
	}
	for i := range len(levels) {
		if !nextTo(levels[i], otherLevels[i]) {
			return false
		}
	}
	return true
}

// namesOf names what the levels are of.
func namesOf(e Evidence) []string {
	var names []string
	for _, s := range e.Signals {
		names = append(names, s.ID, s.Name)
	}
	for _, t := range e.Throttling {
		names = append(names, t.ID, t.Container)
	}
	for _, w := range e.Windows {
		if !slices.Contains(names, "forecast of "+w.Container) {
			names = append(names, "forecast of "+w.Container)
		}
	}
	if newest, found := lastScaling(e); found && newest.AtMaximum {
		names = append(names, "at maximum")
	}
	return names
}

// maxLevels is how many characters behind the dot a hash has: what the Recommendation stores is 64 characters long.
const maxLevels = 64 - 16 - 1

// levelsOf writes a character for each number that moves all the time.
func levelsOf(e Evidence) string {
	const measured, counted = 1.3, 2
	var out []byte
	for _, s := range e.Signals {
		out = append(out, level(s.Mean, measured), level(float64(s.TrendPercent), measured))
	}
	for _, t := range e.Throttling {
		out = append(out, level(float64(t.Percent), measured))
	}
	if len(e.Scalings) > 0 {
		out = append(out, level(float64(len(e.Scalings)), counted))
	}
	for _, peak := range highestPeaks(e.Windows) {
		out = append(out, level(peak, measured))
	}
	for _, event := range e.Events {
		out = append(out, level(float64(event.Count), counted))
	}
	return string(out[:min(len(out), maxLevels)])
}

// digits are the levels, in a circle: after the last comes the first, at more than ten million times the value.
const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// level is the character of a number: each next one stands for base times as much. What is not positive, or no number, is "-".
func level(x, base float64) byte {
	if !(x > 0) || math.IsInf(x, 0) {
		return '-'
	}
	n := int(math.Round(math.Log(x)/math.Log(base))) % len(digits)
	return digits[(n+len(digits))%len(digits)]
}

// nextTo reports whether two characters stand for the same level or for neighbours.
func nextTo(a, b byte) bool {
	i, j := strings.IndexByte(digits, a), strings.IndexByte(digits, b)
	if i < 0 || j < 0 {
		return a == b
	}
	apart := (i - j + len(digits)) % len(digits)
	return apart <= 1 || apart == len(digits)-1
}

// highestPeaks returns the highest peak of each container in cores, in the order in which they come; 0 where none is positive.
// Under a thousandth of a core all peaks are the same.
func highestPeaks(windows []ForecastWindow) []float64 {
	var containers []string
	var peaks []float64
	for _, w := range windows {
		i := slices.Index(containers, w.Container)
		if i < 0 {
			i, containers, peaks = len(peaks), append(containers, w.Container), append(peaks, 0)
		}
		if w.PeakCores > 0 && !math.IsInf(w.PeakCores, 0) {
			peaks[i] = max(peaks[i], w.PeakCores, 0.001)
		}
	}
	return peaks
}
