package advice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// hashStep is the granularity in which time is a part of the question: the answer to "what is ahead?" changes from day to
// day, and not from minute to minute.
const hashStep = 24 * time.Hour

// Hash names what an advisor looked at: 16 hexadecimal digits. It stays the same while nothing of meaning changes, so that
// a model is asked again only for a reason:
//
//   - Now counts in days, and so do the times of Kubernetes events;
//   - the count of a Kubernetes event counts in powers of two, and its message without names and numbers with digits in them;
//   - of the forecast the highest peak of each container counts, in powers of two: the windows move with every hour;
//   - of a signal its mean counts in one significant digit and its trend in steps of 25 %, of throttling steps of 10 %;
//   - what an autoscaler does all day counts as how often, in powers of two, and whether it ended at its maximum.
func Hash(e Evidence) string {
	e.Now = day(e.Now)
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
		event.First, event.Last, event.Count = time.Time{}, day(event.Last), int32(bits.Len32(uint32(max(event.Count, 0))))
		event.Message = shape(event.Message)
	}
	e.Rollouts = slices.Clone(e.Rollouts)
	for i := range e.Rollouts {
		e.Rollouts[i].Time = e.Rollouts[i].Time.UTC()
	}
	moving := movingParts(e)
	e.Signals, e.Throttling, e.Scalings = nil, nil, nil
	peaks := highestPeaks(e.Windows)
	e.Windows = nil
	// JSON encodes all of this but times outside the years 0 to 9999; the refusal then stands for the evidence.
	text, err := json.Marshal(struct {
		Evidence Evidence
		Peaks    map[string]int
		Moving   []string
	}{e, peaks, moving})
	if err != nil {
		text = []byte(err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// movingParts describes what moves all the time, as far as it counts.
func movingParts(e Evidence) []string {
	var parts []string
	for _, s := range e.Signals {
		parts = append(parts, s.ID, s.Name, strconv.FormatFloat(s.Mean, 'g', 1, 64), strconv.Itoa(int(s.TrendPercent)/25))
	}
	for _, t := range e.Throttling {
		parts = append(parts, t.ID, t.Container, strconv.Itoa(int(t.Percent)/10))
	}
	if len(e.Scalings) > 0 {
		newest := slices.MaxFunc(e.Scalings, func(a, b Scaling) int { return a.Time.Compare(b.Time) })
		parts = append(parts, strconv.Itoa(bits.Len(uint(len(e.Scalings)))), strconv.FormatBool(newest.AtMaximum))
	}
	return parts
}

// highestPeaks returns the power of two next to the highest peak of each container. A peak that is not positive counts as none.
func highestPeaks(windows []ForecastWindow) map[string]int {
	peaks := map[string]int{}
	for _, w := range windows {
		if w.PeakCores > 0 && !math.IsInf(w.PeakCores, 0) {
			power := int(math.Round(math.Log2(w.PeakCores)))
			if known, seen := peaks[w.Container]; !seen || power > known {
				peaks[w.Container] = power
			}
		}
	}
	return peaks
}

func day(t time.Time) time.Time { return t.UTC().Truncate(hashStep) }
