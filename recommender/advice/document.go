package advice

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// Bounds of texts in a prompt, in characters.
const (
	maxTextRunes   = 2000
	maxKeyRunes    = 120
	maxChangeRunes = 200
	maxItems       = 12 // of rollouts, scalings and containers each: the newest, or the first
	maxTexts       = 44 // annotations: two contexts and twenty events of each of namespace and workload, and two to spare
)

// document is the user message: all data, and nothing but data.
type document struct {
	Now         string         `json:"now"`
	Workload    string         `json:"workload,omitempty"`
	Priority    string         `json:"priority,omitempty"`
	Policy      policyItem     `json:"policy"`
	Days        []string       `json:"days"`
	Annotations []textItem     `json:"annotations,omitempty"`
	Forecast    []windowItem   `json:"forecast,omitempty"`
	Events      []eventItem    `json:"kubernetes_events,omitempty"`
	Rollouts    []changeItem   `json:"rollouts,omitempty"`
	Autoscaler  []scalingItem  `json:"autoscaler,omitempty"`
	Signals     []signalItem   `json:"signals,omitempty"`
	Throttled   []throttleItem `json:"throttled,omitempty"`
}

type policyItem struct {
	MaxDemandPercent int32 `json:"max_demand_percent"`
	MinReplicas      int32 `json:"min_replicas,omitempty"`
	MaxReplicas      int32 `json:"max_replicas,omitempty"`
	MaxCPUMillis     int64 `json:"max_cpu_millicores,omitempty"`
	MaxMemoryMiB     int64 `json:"max_memory_mib,omitempty"`
}

type textItem struct {
	ID      string `json:"id"`
	Key     string `json:"key,omitempty"`
	Text    string `json:"text"`
	Applied bool   `json:"applied,omitempty"`
}

type windowItem struct {
	ID        string `json:"id"`
	Container string `json:"container,omitempty"`
	From      string `json:"from"`
	Mean      int64  `json:"mean_millicores"`
	Peak      int64  `json:"peak_millicores"`
	PeakAt    string `json:"peak_at"`
	Upper     int64  `json:"upper_peak_millicores"`
}

type eventItem struct {
	ID      string `json:"id"`
	Type    string `json:"type,omitempty"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Count   int32  `json:"count"`
	Last    string `json:"last"`
}

type changeItem struct {
	ID     string `json:"id"`
	At     string `json:"at"`
	Change string `json:"change"`
}

type scalingItem struct {
	ID        string `json:"id"`
	At        string `json:"at"`
	From      int32  `json:"from"`
	To        int32  `json:"to"`
	AtMaximum bool   `json:"at_maximum,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

type signalItem struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Latest float64 `json:"latest"`
	Mean   float64 `json:"mean_24h"`
	Peak   float64 `json:"peak_24h"`
	Trend  int32   `json:"trend_percent,omitempty"`
}

type throttleItem struct {
	ID        string `json:"id"`
	Container string `json:"container"`
	Percent   int32  `json:"percent_of_periods"`
}

// piece is one piece of evidence: its id, when it happens, and how it gets into a document.
type piece struct {
	id string
	// at is zero for what has no place in time, which every question of several has to see.
	at  time.Time
	add func(d *document)
	// window is set for a part of the forecast, which alone is no reason to ask.
	window bool
	// shorter returns the piece with less text, false if it has none to lose.
	shorter func() (piece, bool)
}

// pieces lists all evidence that has an id, bounded and cleaned: what has no place in time first, then by time.
func pieces(e Evidence) []piece {
	var all []piece
	for _, n := range e.Annotations[:min(len(e.Annotations), maxTexts)] {
		all = append(all, textPiece(textItem{
			ID: n.ID, Key: Clean(n.Key, maxKeyRunes), Text: Clean(n.Text, maxTextRunes), Applied: n.Event != nil,
		}))
	}
	for _, s := range e.Signals[:min(len(e.Signals), maxSignals)] {
		item := signalItem{
			ID: s.ID, Name: Clean(s.Name, maxNameRunes), Latest: short(s.Latest), Mean: short(s.Mean), Peak: short(s.Peak), Trend: s.TrendPercent,
		}
		all = append(all, piece{id: s.ID, add: func(d *document) { d.Signals = append(d.Signals, item) }})
	}
	for _, t := range e.Throttling[:min(len(e.Throttling), maxItems)] {
		item := throttleItem{ID: t.ID, Container: Clean(t.Container, maxNameRunes), Percent: t.Percent}
		all = append(all, piece{id: t.ID, add: func(d *document) { d.Throttled = append(d.Throttled, item) }})
	}
	all = append(all, timedPieces(e)...)
	return slices.DeleteFunc(all, func(p piece) bool { return !validID(p.id) })
}

// timedPieces lists the evidence that has a place in time, in its order.
func timedPieces(e Evidence) []piece {
	var all []piece
	for _, v := range e.Events[:min(len(e.Events), maxEvents)] {
		item := eventItem{
			ID: v.ID, Type: Clean(v.Type, maxReasonRunes), Reason: Clean(v.Reason, maxReasonRunes),
			Message: Clean(v.Message, maxMessageRunes), Count: v.Count, Last: minute(v.Last),
		}
		all = append(all, piece{id: v.ID, at: v.Last, add: func(d *document) { d.Events = append(d.Events, item) }})
	}
	for _, r := range e.Rollouts[:min(len(e.Rollouts), maxItems)] {
		item := changeItem{ID: r.ID, At: minute(r.Time), Change: Clean(r.Change, maxChangeRunes)}
		all = append(all, piece{id: r.ID, at: r.Time, add: func(d *document) { d.Rollouts = append(d.Rollouts, item) }})
	}
	for _, h := range e.Scalings[:min(len(e.Scalings), maxItems)] {
		item := scalingItem{
			ID: h.ID, At: minute(h.Time), From: h.From, To: h.To, AtMaximum: h.AtMaximum, Reason: Clean(h.Reason, maxMessageRunes),
		}
		all = append(all, piece{id: h.ID, at: h.Time, add: func(d *document) { d.Autoscaler = append(d.Autoscaler, item) }})
	}
	for _, w := range e.Windows[:min(len(e.Windows), maxWindows)] {
		item := windowItem{
			ID: w.ID, Container: Clean(w.Container, maxNameRunes), From: minute(w.Start), PeakAt: minute(w.PeakAt),
			Mean: millis(w.MeanCores), Peak: millis(w.PeakCores), Upper: millis(w.UpperPeak95),
		}
		all = append(all, piece{id: w.ID, at: w.Start, window: true, add: func(d *document) { d.Forecast = append(d.Forecast, item) }})
	}
	slices.SortStableFunc(all, func(a, b piece) int { return a.at.Compare(b.at) })
	return all
}

func textPiece(item textItem) piece {
	return piece{
		id:  item.ID,
		add: func(d *document) { d.Annotations = append(d.Annotations, item) },
		shorter: func() (piece, bool) {
			runes := len([]rune(item.Text))
			if runes < 2*minTextRunes {
				return piece{}, false
			}
			less := item
			less.Text = truncate(item.Text, runes/2)
			return textPiece(less), true
		},
	}
}

// minTextRunes is what is left at least of a text that does not fit.
const minTextRunes = 40

// validID reports whether an id looks like A1: it goes into the schema as it is.
func validID(id string) bool {
	if len(id) < 2 || len(id) > 5 || !strings.ContainsRune("AERHSTW", rune(id[0])) {
		return false
	}
	return strings.Trim(id[1:], "0123456789") == ""
}

// head is a document without evidence, for these days of the horizon.
func head(e Evidence, days []string) document {
	d := document{
		Now: e.Now.UTC().Format("2006-01-02 15:04 Mon"), Workload: Clean(e.Workload, 3*maxNameRunes), Priority: Clean(e.Priority, maxNameRunes),
		Policy: policyItem{
			MaxDemandPercent: demandCap(e), MinReplicas: e.Bounds.MinReplicas, MaxReplicas: e.Bounds.MaxReplicas,
			MaxCPUMillis: e.Bounds.MaxCPUMillis, MaxMemoryMiB: e.Bounds.MaxMemoryBytes >> 20,
		},
	}
	for _, name := range days {
		if at, err := time.Parse(dayLayout, name); err == nil {
			d.Days = append(d.Days, at.Format("2006-01-02 Mon"))
		}
	}
	return d
}

// with returns the document with these pieces, as JSON. json.Marshal writes '<', '>' and '&' as escapes.
func (d document) with(all []piece) ([]byte, error) {
	for _, p := range all {
		p.add(&d)
	}
	return json.Marshal(d)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// millis are cores as millicores; what is no number, or beyond every machine, is cut.
func millis(cores float64) int64 {
	if math.IsNaN(cores) {
		return 0
	}
	return int64(math.Round(1000 * min(max(cores, 0), 1e9)))
}

// short keeps three significant digits, and makes 0 of what JSON cannot write.
func short(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(x))))
	if rounded := math.Round(x*scale) / scale; !math.IsNaN(rounded) && !math.IsInf(rounded, 0) {
		return rounded
	}
	return 0
}
