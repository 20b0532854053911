package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// pageSize is how many workloads are listed on one page.
const pageSize = 50

// maxText bounds what is searched for.
const maxText = 200

// query is what a list is asked for.
type query struct {
	Text, Namespace, Mode, State, Sort string
	Descending                         bool
	Page                               int
}

// choice is an option of a selection.
type choice struct {
	Value, Name string
	Chosen      bool
}

// states are what a list can be narrowed to besides namespace and mode.
var states = []struct {
	value, name string
	holds       func(item) bool
}{
	{"attention", "Needs a look", func(i item) bool { return i.Standing.Tone == "bad" || i.Standing.Tone == "warn" }},
	{"approval", "Waits for approval", func(i item) bool { return i.Waiting != "" }},
	{"stale", "Stale", func(i item) bool { return i.Stale }},
	{"ready", "Has sizes that may be used", func(i item) bool { return i.Ready }},
	{"unready", "Has none yet", func(i item) bool { return !i.Ready }},
}

// column is a column of the list.
type column struct {
	key, Name string
	// Number columns are aligned to the right, and begin with the largest.
	Number bool
	order  func(a, b item) int
}

// columns of the list. Whatever is not known comes last, whichever way the list is sorted.
var columns = []column{
	{key: "workload", Name: "Workload", order: func(a, b item) int { return cmp.Compare(a.Name, b.Name) }},
	{key: "mode", Name: "Mode", order: func(a, b item) int { return cmp.Compare(a.Mode, b.Mode) }},
	{key: "standing", Name: "Standing", order: func(a, b item) int { return cmp.Compare(a.Standing.rank, b.Standing.rank) }},
	{key: "cpu", Name: "CPU per pod", Number: true, order: func(a, b item) int { return compareAmounts(a.CPUNow, b.CPUNow) }},
	{key: "memory", Name: "Memory per pod", Number: true, order: func(a, b item) int { return compareAmounts(a.MemoryNow, b.MemoryNow) }},
	{key: "pods", Name: "Pods", Number: true, order: func(a, b item) int { return cmp.Compare(deref(a.ReplicasNow), deref(b.ReplicasNow)) }},
	{key: "cpu-saved", Name: "Cores saved", Number: true, order: func(a, b item) int { return compareKnown(a.cpuSaved, b.cpuSaved) }},
	{key: "memory-saved", Name: "Memory saved", Number: true, order: func(a, b item) int { return compareKnown(a.memorySaved, b.memorySaved) }},
}

// listView is the list's page.
type listView struct {
	Query                     query
	Namespaces, Modes, States []choice
	Columns                   []heading
	Items                     []item
	// Total is how many there are without the filter, Found how many with it.
	Total, Found string
	From, Until  string
	Pages        []pageLink
	Filtered     bool
}

// heading is a column's heading with the way to sort by it.
type heading struct {
	Name   string
	Number bool
	URL    string
	// Sorted is ascending, descending or empty.
	Sorted string
}

// pageLink leads to another page of the list.
type pageLink struct {
	Name, Label, URL string
	Current          bool
}

func (s *server) list(r *http.Request) (view, error) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		return view{}, err
	}
	all, err := s.items(r.Context())
	if err != nil {
		return view{}, err
	}
	return view{Template: "list", Title: "Workloads", Section: "workloads", Data: newListView(q, all)}, nil
}

// parseQuery reads what is asked for. What it does not know is refused and not ignored: a link that is misspelled must not show
// another list than the one it promised.
func parseQuery(values url.Values) (query, error) {
	q := query{
		Text: strings.TrimSpace(values.Get("q")), Namespace: values.Get("namespace"), Mode: values.Get("mode"), State: values.Get("state"),
		Sort: cmp.Or(values.Get("sort"), "workload"), Page: 1,
	}
	if len(q.Text) > maxText {
		return q, badRequest("The search is longer than %d characters.", maxText)
	}
	if q.State != "" && !slices.Contains(stateValues(), q.State) {
		return q, badRequest("state=%s: legal are %s.", q.State, strings.Join(stateValues(), ", "))
	}
	by := columnBy(q.Sort)
	if by < 0 {
		var legal []string
		for _, c := range columns {
			legal = append(legal, c.key)
		}
		return q, badRequest("sort=%s: legal are %s.", q.Sort, strings.Join(legal, ", "))
	}
	switch order := values.Get("order"); order {
	case "", "asc":
	case "desc":
		q.Descending = true
	default:
		return q, badRequest("order=%s: legal are asc and desc.", order)
	}
	if text := values.Get("page"); text != "" {
		page, err := strconv.Atoi(text)
		if err != nil || page < 1 {
			return q, badRequest("page=%s: legal are 1 and more.", text)
		}
		q.Page = page
	}
	return q, nil
}

func stateValues() []string {
	var values []string
	for _, state := range states {
		values = append(values, state.value)
	}
	return values
}

func columnBy(key string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.key == key })
}

// newListView filters, sorts and cuts the list.
func newListView(q query, all []item) listView {
	found := slices.DeleteFunc(slices.Clone(all), func(i item) bool { return !q.wants(i) })
	q.sort(found)
	last := max(1, (len(found)+pageSize-1)/pageSize)
	q.Page = min(q.Page, last)
	from := (q.Page - 1) * pageSize
	until := min(from+pageSize, len(found))
	return listView{
		Query: q, Items: found[from:until], Total: grouped(len(all)), Found: grouped(len(found)),
		From: grouped(from + 1), Until: grouped(until),
		Namespaces: namespaceChoices(all, q.Namespace), Modes: modeChoices(all, q.Mode), States: stateChoices(q.State),
		Columns: q.headings(), Pages: q.pages(last), Filtered: q.Text != "" || q.Namespace != "" || q.Mode != "" || q.State != "",
	}
}

func (q query) wants(i item) bool {
	if q.Namespace != "" && i.Namespace != q.Namespace || q.Mode != "" && string(i.Mode) != q.Mode {
		return false
	}
	for _, state := range states {
		if state.value == q.State && !state.holds(i) {
			return false
		}
	}
	text := strings.ToLower(i.Namespace + "/" + i.Workload() + " " + i.Why)
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// sort sorts by the chosen column, and what is equal there by name.
func (q query) sort(items []item) {
	by := columns[columnBy(q.Sort)]
	slices.SortFunc(items, func(a, b item) int {
		first := by.order(a, b)
		if q.Descending && first != unknownLast && first != -unknownLast {
			first = -first
		}
		return cmp.Or(first, cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
}

// unknownLast is a comparison that does not turn around with the order: one of both is not known.
const unknownLast = 2

func compareKnown(a, b func() (float64, bool)) int {
	x, knownX := a()
	y, knownY := b()
	switch {
	case knownX && knownY:
		return cmp.Compare(x, y)
	case knownX:
		return -unknownLast
	case knownY:
		return unknownLast
	default:
		return 0
	}
}

// url is the address of the list as it is asked for, but for what change changes.
func (q query) url(change func(*query)) string {
	change(&q)
	values := url.Values{}
	for key, value := range map[string]string{"q": q.Text, "namespace": q.Namespace, "mode": q.Mode, "state": q.State} {
		if value != "" {
			values.Set(key, value)
		}
	}
	if q.Sort != "workload" || q.Descending {
		values.Set("sort", q.Sort)
	}
	if q.Descending {
		values.Set("order", "desc")
	}
	if q.Page > 1 {
		values.Set("page", strconv.Itoa(q.Page))
	}
	if len(values) == 0 {
		return Path + "workloads"
	}
	return Path + "workloads?" + values.Encode()
}

// headings lead to the list sorted by them: the other way round where it is already, and numbers from the largest first.
func (q query) headings() []heading {
	var all []heading
	for _, c := range columns {
		h := heading{Name: c.Name, Number: c.Number}
		descending := c.Number
		if c.key == q.Sort {
			h.Sorted, descending = "ascending", !q.Descending
			if q.Descending {
				h.Sorted = "descending"
			}
		}
		h.URL = q.url(func(q *query) { q.Sort, q.Descending, q.Page = c.key, descending, 1 })
		all = append(all, h)
	}
	return all
}

// pages are links to the first and the last page and to those around the present one. A link without URL is a gap.
func (q query) pages(last int) []pageLink {
	if last == 1 {
		return nil
	}
	var links []pageLink
	to := func(name, label string, page int) {
		links = append(links, pageLink{Name: name, Label: label, URL: q.url(func(q *query) { q.Page = page }), Current: page == q.Page && label != ""})
	}
	if q.Page > 1 {
		to("Previous", "", q.Page-1)
	}
	before := 0
	for page := 1; page <= last; page++ {
		if page != 1 && page != last && max(page-q.Page, q.Page-page) > 1 {
			continue
		}
		if page > before+1 {
			links = append(links, pageLink{Name: "…"})
		}
		to(grouped(page), fmt.Sprintf("Page %d of %d", page, last), page)
		before = page
	}
	if q.Page < last {
		to("Next", "", q.Page+1)
	}
	return links
}

func namespaceChoices(all []item, chosen string) []choice {
	counts := map[string]int{}
	for _, i := range all {
		counts[i.Namespace]++
	}
	if chosen != "" && counts[chosen] == 0 {
		counts[chosen] = 0
	}
	choices := []choice{{Name: "All namespaces", Chosen: chosen == ""}}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		choices = append(choices, choice{name, fmt.Sprintf("%s (%d)", name, counts[name]), name == chosen})
	}
	return choices
}

func modeChoices(all []item, chosen string) []choice {
	counts := map[string]int{}
	for _, i := range all {
		counts[string(i.Mode)]++
	}
	choices := []choice{{Name: "All modes", Chosen: chosen == ""}}
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeAuto, v1alpha1.ModeInitial, v1alpha1.ModeDryRun, v1alpha1.ModeOff} {
		name := string(mode)
		choices = append(choices, choice{name, fmt.Sprintf("%s (%d)", name, counts[name]), name == chosen})
	}
	return choices
}

func stateChoices(chosen string) []choice {
	choices := []choice{{Name: "Any standing", Chosen: chosen == ""}}
	for _, state := range states {
		choices = append(choices, choice{state.value, state.name, state.value == chosen})
	}
	return choices
}
