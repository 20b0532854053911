package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/report"
)

// How many lines the lists of the summary have at most.
const (
	maxLooks      = 10
	maxSaving     = 6
	maxNamespaces = 20
)

// summaryView is the first page.
type summaryView struct {
	Tiles []tile
	// Bars compare what is requested with what is recommended.
	Bars []comparison
	// Modes say how much is on which mode.
	Modes []modeLine
	// Losses are why points of the health score are missing.
	Losses []loss
	// Prices say what the money was computed with.
	Prices string
	// Looks are what somebody should look at first; More is how many others there are.
	Looks []look
	More  int
	// Savers save most, Needy need most.
	Savers, Needy []item
	Namespaces    []namespaceLine
	// Others is how many namespaces are not listed.
	Others int
	Empty  bool
}

// tile is one number that matters.
type tile struct {
	Name, Value, Unit, Note, URL string
	Tone                         string
}

// comparison is a pair of bars, each from 0 to 100.
type comparison struct {
	Name            string
	Now, Then       string
	NowBar, ThenBar int
	Sentence        string
}

// modeLine is one mode.
type modeLine struct {
	Mode, Meaning, URL string
	Workloads          string
	Cores, Memory      string
	Share              string
	Bar                int
}

// look is something to look at.
type look struct{ Severity, Tone, Type, Name, URL, Text string }

// loss is a reason why points of the health score are missing.
type loss struct {
	Text         string
	Points, Most int
}

// namespaceLine is one namespace.
type namespaceLine struct {
	Name, URL             string
	Workloads             string
	CPUSaved, MemorySaved string
	Attention             int
	AttentionURL          string
	cpu                   float64
}

// sums adds up what a summary shows.
type sums struct {
	workloads, ready, attention, approvals, stale int
	cpuNow, cpuSaved, memoryNow, memorySaved      float64
}

func (s *sums) add(i item) {
	s.workloads++
	if i.Ready {
		s.ready++
	}
	if i.Standing.Tone == "bad" || i.Standing.Tone == "warn" {
		s.attention++
	}
	if i.Waiting != "" {
		s.approvals++
	}
	if i.Stale {
		s.stale++
	}
	s.cpuNow += i.overPods(i.CPUNow)
	s.memoryNow += i.overPods(i.MemoryNow)
	cpu, _ := i.cpuSaved()
	memory, _ := i.memorySaved()
	s.cpuSaved += cpu
	s.memorySaved += memory
}

func (s *server) summary(r *http.Request) (view, error) {
	recommendations, err := s.Source.Recommendations(r.Context(), s.Namespace)
	if err != nil {
		return view{}, err
	}
	halts, haltsErr := s.Source.Halts(r.Context())
	all := s.itemsOf(recommendations)
	whole := report.New(report.Input{Now: metav1.Time{Time: s.Clock.Now()}, Recommendations: recommendations, Halts: halts, Prices: s.Prices, StaleAfter: s.StaleAfter})
	title := "Cluster summary"
	if s.Namespace != "" {
		title = "Summary of namespace " + s.Namespace
	}
	shown := view{Template: "summary", Title: title, Section: "summary", Data: newSummary(all, whole)}
	if haltsErr != nil {
		shown.Notices = append(shown.Notices, notice{"plain", "Whether the kill switch or the circuit breaker stops the updater cannot be told: " + haltsErr.Error() + "."})
	}
	shown.Notices = append(shown.Notices, s.notices(halts, all)...)
	return shown, nil
}

// notices are what stops Loadline in the whole cluster.
func (s *server) notices(halts []string, all []item) []notice {
	var notices []notice
	for _, halt := range halts {
		notices = append(notices, notice{"bad", "Running pods are left alone: " + halt + "."})
	}
	var total sums
	for _, i := range all {
		total.add(i)
	}
	if total.stale > 0 {
		notices = append(notices, notice{"warn", fmt.Sprintf("The sizes of %s were not confirmed for more than %s: nothing is lowered for them. Does the recommender run, and does Prometheus answer?",
			count(total.stale, "workload"), span(s.StaleAfter))})
	}
	return notices
}

func newSummary(all []item, whole report.Report) summaryView {
	var total sums
	byMode, byNamespace := map[v1alpha1.Mode]*sums{}, map[string]*sums{}
	for _, i := range all {
		total.add(i)
		entry(byMode, i.Mode).add(i)
		entry(byNamespace, i.Namespace).add(i)
	}
	v := summaryView{
		Empty: len(all) == 0, Tiles: tiles(total, whole), Bars: comparisons(total), Modes: modeLines(byMode, total), Losses: losses(whole.Health),
		Prices: priceSentence(whole.Prices),
	}
	v.Looks, v.More = looks(whole.Risks)
	v.Savers, v.Needy = extremes(all)
	v.Namespaces = namespaceLines(byNamespace)
	v.Others = max(0, len(v.Namespaces)-maxNamespaces)
	v.Namespaces = v.Namespaces[:min(len(v.Namespaces), maxNamespaces)]
	return v
}

// losses are the reasons why points of the health score are missing.
func losses(h *report.Health) []loss {
	var all []loss
	if h == nil {
		return nil
	}
	for _, l := range h.Losses {
		all = append(all, loss{Text: l.Message, Points: l.Points, Most: l.Most})
	}
	return all
}

func priceSentence(p *report.Prices) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("Money: %g %s for a core and %g %s for a GiB per hour (%s), %d hours a month.", p.CoreHour, p.Currency, p.GiBHour, p.Currency, p.Source, report.HoursPerMonth)
}

func entry[K comparable](of map[K]*sums, key K) *sums {
	if of[key] == nil {
		of[key] = &sums{}
	}
	return of[key]
}

// looks lists the gravest risks. What only waits for approval has a page of its own.
func looks(risks []report.Risk) (first []look, more int) {
	risks = slices.DeleteFunc(slices.Clone(risks), func(r report.Risk) bool { return r.Type == report.RiskPendingApproval })
	for _, r := range risks[:min(len(risks), maxLooks)] {
		kind, name, _ := strings.Cut(r.Workload, "/")
		first = append(first, look{
			Severity: words(string(r.Severity)), Tone: toneOf(r.Severity), Type: words(r.Type), Name: r.Namespace + "/" + name,
			URL: workloadURL(r.Namespace, v1alpha1.RecommendationName(kind, name)), Text: r.Message,
		})
	}
	return first, len(risks) - len(first)
}

// extremes returns those that save most, all in all, and those that need more CPU or memory than they request. One may be both.
func extremes(all []item) (savers, needy []item) {
	for _, i := range all {
		cpu, known := i.cpuSaved()
		memory, _ := i.memorySaved()
		if known && (cpu < 0 || memory < 0) {
			needy = append(needy, i)
		}
		if known && i.weight() > 0 {
			savers = append(savers, i)
		}
	}
	slices.SortFunc(savers, func(a, b item) int { return cmp.Or(cmp.Compare(b.weight(), a.weight()), cmp.Compare(a.URL(), b.URL())) })
	slices.SortFunc(needy, func(a, b item) int { return cmp.Or(cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.URL(), b.URL())) })
	return savers[:min(len(savers), maxSaving)], needy[:min(len(needy), maxSaving)]
}

// weight is what a workload saves, with memory counted as the usual machine has it: 4 GiB for a core.
func (i item) weight() float64 {
	const bytesPerCore = 4 << 30
	cpu, _ := i.cpuSaved()
	memory, _ := i.memorySaved()
	return cpu + memory/bytesPerCore
}

func namespaceLines(byNamespace map[string]*sums) []namespaceLine {
	var lines []namespaceLine
	for _, name := range slices.Sorted(maps.Keys(byNamespace)) {
		s := byNamespace[name]
		list := Path + "workloads?namespace=" + name
		lines = append(lines, namespaceLine{
			Name: name, URL: list, Workloads: grouped(s.workloads), CPUSaved: coresText(s.cpuSaved), MemorySaved: bytesText(s.memorySaved),
			Attention: s.attention, AttentionURL: list + "&state=attention", cpu: s.cpuSaved,
		})
	}
	slices.SortStableFunc(lines, func(a, b namespaceLine) int { return cmp.Compare(b.cpu, a.cpu) })
	return lines
}

// Saved renders what a workload saves over all its pods.
func (i item) Saved() (cpu, memory string) {
	c, known := i.cpuSaved()
	if !known {
		return "–", "–"
	}
	m, _ := i.memorySaved()
	return coresText(c), bytesText(m)
}

// CPUSaved renders the cores saved over all pods.
func (i item) CPUSaved() string { cpu, _ := i.Saved(); return cpu }

// MemorySaved renders the memory saved over all pods.
func (i item) MemorySaved() string { _, memory := i.Saved(); return memory }

// MoneySaved renders what that is worth in a month; empty where nothing is known of money.
func (i item) MoneySaved() string {
	if i.SavesPerMonth == nil {
		return ""
	}
	return grouped(int(math.Round(*i.SavesPerMonth))) + "\u00a0" + i.currency
}
