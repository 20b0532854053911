package dashboard

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/report"
)

// tiles are the numbers that matter most.
func tiles(s sums, whole report.Report) []tile {
	list := Path + "workloads"
	attention := tile{Name: "Need a look", Value: grouped(s.attention), Note: "harm, warnings, stale or waiting", URL: list + "?state=attention&sort=standing", Tone: "good"}
	if s.attention > 0 {
		attention.Tone = "warn"
	} else {
		attention.Note = "nothing was found"
	}
	approvals := tile{Name: "Wait for approval", Value: grouped(s.approvals), Note: "a person has to look", URL: Path + "approvals"}
	if s.approvals > 0 {
		approvals.Tone = "warn"
	}
	return []tile{
		healthTile(whole.Health),
		savedTile("CPU", coresText(max(s.cpuSaved, -s.cpuSaved)), "cores", s.cpuSaved, s.cpuNow),
		memoryTile(s, whole),
		{Name: "Workloads", Value: grouped(s.workloads), Note: fmt.Sprintf("%s with sizes that may be used", grouped(s.ready)), URL: list},
		attention, approvals,
	}
}

// healthTile is the score, with what it is made of further down.
func healthTile(h *report.Health) tile {
	if h == nil {
		return tile{Name: "Health", Value: "–"}
	}
	t := tile{Name: "Health", Value: grouped(h.Score), Unit: "of 100", Note: "see what costs points", URL: "#health", Tone: "good"}
	switch {
	case len(h.Losses) == 0:
		t.Note, t.URL = "nothing costs points", ""
	case h.Score < 50:
		t.Tone = "bad"
	case h.Score < 80:
		t.Tone = "warn"
	}
	return t
}

func memoryTile(s sums, whole report.Report) tile {
	value, unit, _ := strings.Cut(bytesText(max(s.memorySaved, -s.memorySaved)), "\u00a0")
	t := savedTile("Memory", value, unit, s.memorySaved, s.memoryNow)
	if worth := whole.Totals.SavesPerMonth; worth != nil && *worth > 0 {
		t.Note += fmt.Sprintf("; with CPU %s %s a month", grouped(int(*worth)), whole.Prices.Currency)
	}
	return t
}

// savedTile says how much less, or more, is reserved as recommended.
func savedTile(name, value, unit string, saved, now float64) tile {
	t := tile{Name: name + " to spare", Value: value, Unit: unit, Tone: "good", URL: Path + "workloads?sort=" + map[string]string{"CPU": "cpu-saved", "Memory": "memory-saved"}[name] + "&order=desc"}
	if saved < 0 {
		t.Name, t.Tone = name+" missing", "warn"
	}
	if saved == 0 {
		t.Tone = ""
	}
	t.Note = "of what is requested"
	if now > 0 {
		t.Note = percent(max(saved, -saved)/now) + " of what is requested"
	}
	return t
}

func comparisons(s sums) []comparison {
	var all []comparison
	for _, c := range []struct {
		name       string
		now, saved float64
		render     func(float64) string
	}{
		{"CPU", s.cpuNow, s.cpuSaved, func(v float64) string { return coresText(v) + " cores" }},
		{"Memory", s.memoryNow, s.memorySaved, bytesText},
	} {
		then := c.now - c.saved
		largest := max(c.now, then)
		if largest <= 0 {
			continue
		}
		all = append(all, comparison{
			Name: c.name, Now: c.render(c.now), Then: c.render(then), NowBar: int(100 * c.now / largest), ThenBar: int(100 * max(then, 0) / largest),
		})
	}
	return all
}

func modeLines(byMode map[v1alpha1.Mode]*sums, total sums) []modeLine {
	var lines []modeLine
	for _, m := range []struct {
		mode    v1alpha1.Mode
		meaning string
	}{
		{v1alpha1.ModeAuto, "new pods get their sizes, running pods follow"},
		{v1alpha1.ModeInitial, "new pods get their sizes"},
		{v1alpha1.ModeDryRun, "reported only"},
		{v1alpha1.ModeOff, "opted out; kept for a while in case they come back"},
		{"", "not looked at yet"},
	} {
		s := byMode[m.mode]
		if s == nil {
			continue
		}
		line := modeLine{
			Mode: cmp.Or(string(m.mode), "none"), Meaning: m.meaning, Workloads: grouped(s.workloads),
			Cores: coresText(s.cpuNow), Memory: bytesText(s.memoryNow),
		}
		if m.mode != "" {
			line.URL = Path + "workloads?mode=" + string(m.mode)
		}
		if total.cpuNow > 0 {
			line.Share, line.Bar = percent(s.cpuNow/total.cpuNow), int(100*s.cpuNow/total.cpuNow)
		}
		lines = append(lines, line)
	}
	return lines
}
