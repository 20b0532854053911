// Package eval scores advisors on a set of cases: evidence, and what a careful person would make of it.
//
// It is pure: the caller hands in the files, asks the advisor, and prints. The format is described in docs/design/0005-advice.md.
package eval

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/recommender/advice"
)

// Case is one situation with the set of acceptable answers.
type Case struct {
	// Name is the file's name without its ending.
	Name string `json:"-"`
	// Class of situation, such as sale or injection; one of Classes.
	Class string `json:"class"`
	// Language of the texts, as a tag such as en or zh.
	Language string `json:"language"`
	// About says in a sentence what is acceptable, and why.
	About string `json:"about"`

	Now              time.Time `json:"now"`
	HorizonHours     int       `json:"horizonHours,omitempty"`     // default 168
	MaxDemandPercent int32     `json:"maxDemandPercent,omitempty"` // default 500

	// Texts (A1, …) are free texts, Typed the typed events that follow them.
	Texts []string `json:"texts,omitempty"`
	Typed []Typed  `json:"typed,omitempty"`
	// Events (E1, …), Rollouts (R1, …), Scalings (H1, …), Signals (S1, …) and Throttling (T1, …) get their ids in order.
	Events     []Event     `json:"events,omitempty"`
	Rollouts   []Rollout   `json:"rollouts,omitempty"`
	Scalings   []Scaling   `json:"scalings,omitempty"`
	Signals    []Signal    `json:"signals,omitempty"`
	Throttling []Throttled `json:"throttling,omitempty"`

	// Want has to be in the advice, all of it. Allow may be in it. Anything else must not.
	Want  []Expected `json:"want,omitempty"`
	Allow []Expected `json:"allow,omitempty"`
	// Refuse are answers that Check itself has to refuse, whoever gives them.
	Refuse []Expected `json:"refuse,omitempty"`
}

// Typed is a typed event.
type Typed struct {
	Name          string    `json:"name"`
	Start         time.Time `json:"start"`
	End           time.Time `json:"end"`
	DemandPercent int32     `json:"demandPercent"`
	Recurrence    string    `json:"recurrence,omitempty"`
}

// Event is a Kubernetes event.
type Event struct {
	Type     string `json:"type"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	Count    int32  `json:"count"`
	HoursAgo int    `json:"hoursAgo"`
}

// Rollout is a change of the pod template.
type Rollout struct {
	HoursAgo int    `json:"hoursAgo"`
	Change   string `json:"change"`
}

// Scaling is one step of an autoscaler.
type Scaling struct {
	HoursAgo  int    `json:"hoursAgo"`
	From      int32  `json:"from"`
	To        int32  `json:"to"`
	AtMaximum bool   `json:"atMaximum,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Signal summarises a measurement.
type Signal struct {
	Name         string  `json:"name"`
	Latest       float64 `json:"latest"`
	Mean         float64 `json:"mean"`
	Peak         float64 `json:"peak"`
	TrendPercent int32   `json:"trendPercent,omitempty"`
}

// Throttled is a container that its CPU limit holds back.
type Throttled struct {
	Container string `json:"container"`
	Percent   int32  `json:"percent"`
}

// Expected describes acceptable adjustments.
type Expected struct {
	Kind advice.Kind `json:"kind"`
	// From and Until of the window, SlackHours of which both may be off (default 12, for texts without a zone). In Allow both
	// may be missing, which means any window.
	From       time.Time `json:"from,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	SlackHours int       `json:"slackHours,omitempty"`
	// Percent is the least and the most demand; one number stands for both.
	Percent []int32 `json:"percent,omitempty"`
	// Evidence that has to be cited, all of it.
	Evidence []string `json:"evidence,omitempty"`
	// Model tells that only a model can find it: rules are not blamed.
	Model bool `json:"model,omitempty"`
}

// Classes returns the legal classes.
func Classes() []string {
	return []string{
		"contradiction", "freeze", "holiday", "incident", "injection", "migration", "past", "payday", "quiet", "sale", "timezone", "typed", "vague",
	}
}

// Read reads the cases from all files *.yaml in the directory of the file system, in the order of their names. An error names each
// file that is not a case, and why.
func Read(files fs.FS, directory string) ([]Case, error) {
	names, err := fs.Glob(files, path.Join(directory, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	var cases []Case
	var failed []error
	for _, name := range names {
		c, err := read(files, name)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		cases = append(cases, c)
	}
	return cases, errors.Join(failed...)
}

func read(files fs.FS, name string) (Case, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return Case{}, err
	}
	c := Case{Name: strings.TrimSuffix(path.Base(name), ".yaml")}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return Case{}, err
	}
	c.HorizonHours, c.MaxDemandPercent = cmp.Or(c.HorizonHours, 168), cmp.Or(c.MaxDemandPercent, 500)
	return c, c.validate()
}

func (c Case) validate() error {
	var failed []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			failed = append(failed, fmt.Errorf(format, args...))
		}
	}
	add(!slices.Contains(Classes(), c.Class), "class %q is not one of %s", c.Class, strings.Join(Classes(), ", "))
	add(c.Language == "", "language is missing")
	add(c.About == "", "about is missing")
	add(c.Now.IsZero(), "now is missing")
	for _, x := range slices.Concat(c.Want, c.Refuse) {
		add(!x.From.Before(x.Until), "%s: until must be after from", x.Kind)
		add(len(x.Evidence) == 0, "%s: evidence is missing", x.Kind)
	}
	for _, x := range slices.Concat(c.Want, c.Allow, c.Refuse) {
		add(len(x.Percent) > 2, "%s: percent has one number or two", x.Kind)
		add((x.Kind == advice.Demand) != (len(x.Percent) > 0), "%s: percent belongs to demand, and only there", x.Kind)
	}
	return errors.Join(failed...)
}
