package sizing

import (
	"fmt"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/loadline-dev/loadline/forecast"
)

// Severities of findings.
const (
	severityInfo     = "info"
	severityWarning  = "warning"
	severityCritical = "critical"
)

// A container whose CPU periods of the last day were throttled in more than these shares on average is worth a look.
const (
	throttledShare = 0.1
	starvedShare   = 0.5
	// peakFactor times the request is a peak that a person should know of before it comes.
	peakFactor = 4
	// leastThrottledHours that must be measured.
	leastThrottledHours = 3
)

// findings lists what a person should look at in one container, in a fixed order.
func findings(in Input, corrupt corruption, cpu cpuSize, memory memorySize, pods float64) []Finding {
	c := cpu.container
	var found []Finding
	add := func(kind, severity, format string, args ...any) {
		found = append(found, Finding{Type: kind, Severity: severity, Container: c.Name, Message: fmt.Sprintf(format, args...)})
	}
	if n := corrupt.cpu + corrupt.memory; n > 0 {
		add(FindingCorruptInput, severityWarning, "%d measurements were negative, infinite or absurdly large and were ignored "+
			"(%d of CPU, %d of memory).", n, corrupt.cpu, corrupt.memory)
	}
	if c.OOMFloorBytes > 0 {
		add(FindingOOMKilled, severityCritical, "The container was killed for lack of memory; it gets at least %s now.",
			bytesText(c.OOMFloorBytes))
	}
	switch {
	case c.OOMEndless:
		add(FindingMemoryLeak, severityCritical, "Out-of-memory kills have raised the container as far as kills alone may, and it was killed "+
			"again: look for a leak. If it needs more than %s, say so in its template, or in the policy's memory.min.", bytesText(c.OOMFloorBytes))
	case memory.leak.suspected:
		add(FindingMemoryLeak, severityWarning, "The least memory of each day has been rising for %d days, by %s on a typical day. "+
			"More memory only delays the end: look for a leak.", memory.leak.days, bytesText(int64(memory.leak.bytesPerDay)))
	}
	if peak, at := forecastPeak(c.plainForecast()); peak/pods*1000 > peakFactor*float64(cpu.targetMillis) && cpu.targetMillis > 0 {
		add(FindingPeakAhead, severityWarning, "A peak of %.3f cores per pod is expected around %s, %.0f times the request of new pods. "+
			"Running pods follow the forecast; if it is a known event, announce it.",
			peak/pods, at.UTC().Format("2006-01-02 15:04 UTC"), peak/pods*1000/float64(cpu.targetMillis))
	}
	if share, ok := throttled(c.Throttled, in.Now); ok && share > throttledShare {
		severity := severityWarning
		if share > starvedShare {
			severity = severityCritical
		}
		add(FindingThrottling, severity, "%s of the CPU periods of the last 24 hours were throttled by the CPU limit%s, so the "+
			"measured demand may be too low.", percent(share), limitText(c.Current.Limits.CPUMillis))
	}
	if c.Current.Requests == (Amounts{}) {
		add(FindingNoRequests, severityInfo, "The container requests neither CPU nor memory, so the scheduler does not know what "+
			"it needs%s.", bestEffortText(in.Policy.SizeBestEffort))
	}
	return found
}

// forecastPeak returns the largest expected demand and when it begins; 0 without a forecast.
func forecastPeak(f forecast.Forecast) (peak float64, at time.Time) {
	for i, v := range f.Mean {
		if v > peak {
			peak, at = v, f.Start.Add(time.Duration(i)*f.Step)
		}
	}
	return peak, at
}

// podFindings is about the number of pods, which concerns the whole workload.
func podFindings(in Input, proposal ReplicaProposal, corrupt int) []Finding {
	var found []Finding
	if corrupt > 0 {
		message := fmt.Sprintf("%d measurements of the number of pods were negative, infinite or absurdly large and were ignored.", corrupt)
		found = append(found, Finding{Type: FindingCorruptInput, Severity: severityWarning, Message: message})
	}
	if proposal.Unbounded != "" && joint(in) {
		message := fmt.Sprintf("The number of pods is left alone: %s, and the policy names no replicas.max.", proposal.Unbounded)
		found = append(found, Finding{Type: FindingNoMaximum, Severity: severityWarning, Message: message})
	}
	return found
}

// throttled returns the mean share of throttled periods in the last 24 hours, at most 1, and false if too little of it was
// measured.
func throttled(u forecast.Usage, now time.Time) (float64, bool) {
	s := u.Recent
	if s.Known() == 0 {
		s = u.HourlyMean
	}
	s = s.Since(now.Add(-24 * time.Hour))
	if time.Duration(s.Known())*s.Step < leastThrottledHours*time.Hour {
		return 0, false
	}
	var shares []float64
	for _, v := range s.Values {
		if x := float64(v); x == x { // Not NaN.
			shares = append(shares, min(x, 1))
		}
	}
	return stat.Mean(shares, nil), true
}

func limitText(millis int64) string {
	if millis == 0 {
		return ""
	}
	return fmt.Sprintf(" of %dm", millis)
}

func bestEffortText(sized bool) string {
	if sized {
		return ""
	}
	return "; the policy's sizeBestEffort would allow sizing it"
}
