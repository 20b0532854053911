package advice

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Question is one prompt: the rules in System, all data in User as one JSON document.
type Question struct {
	System string
	User   []byte
	// Schema is the JSON schema that the answer has to follow.
	Schema json.RawMessage
	// MaxAnswerTokens is the room that the answer may take.
	MaxAnswerTokens int
}

// Budget bounds a prompt.
type Budget struct {
	// ContextTokens is the model's context window in tokens, prompt and answer together.
	ContextTokens int
	// AnswerTokens of the context are kept for the answer: from LeastAnswerTokens, which is one adjustment, to
	// MostAnswerTokens.
	AnswerTokens int
	// BytesPerToken estimates the tokens of a text; 0 means 3, which is careful for JSON with digits. Text outside ASCII counts
	// one and a half times that.
	BytesPerToken float64
}

const (
	defaultBytesPerToken = 3
	// nonASCII is how much more tokens a byte outside ASCII takes.
	nonASCII = 1.5
	// templateTokens that a chat template puts around the two messages.
	templateTokens = 32
	// reserve is the share of the room for prompts that stays free, because the estimate is one.
	reserve = 0.10
)

// Tokens estimates the tokens of a text, carefully.
func (b Budget) Tokens(text []byte) int {
	perToken := b.BytesPerToken
	if !(perToken > 0) {
		perToken = defaultBytesPerToken
	}
	weight := 0.0
	for _, c := range text {
		if c < 0x80 {
			weight++
		} else {
			weight += nonASCII
		}
	}
	return int(math.Ceil(weight / perToken))
}

// Questions returns the prompts that ask for advice on the evidence: none where there is nothing that a model could add to the
// rules, which is so for typed events and forecasts alone; one where everything fits the budget; else several, each about a
// part of the time. It is deterministic.
//
// Every one of several questions sees the annotations and whatever else has no place in time, the evidence of its part of the
// time, and may answer for its days only; Merge joins the answers. Where the annotations would take more than half of the room
// they are divided over the questions, too, and a text that alone does not fit is cut. An error says what room is missing.
func Questions(e Evidence, b Budget) ([]Question, error) {
	proposals := proposalsWithin(b.AnswerTokens)
	if proposals == 0 {
		return nil, fmt.Errorf("%d tokens for the answer are too few, %d are the least", b.AnswerTokens, LeastAnswerTokens)
	}
	if !WorthAsking(e) {
		return nil, nil
	}
	all := pieces(e)
	q := asking{evidence: e, budget: b, proposals: proposals, system: systemText}
	if e.HistoryDays > 0 {
		q.system += systemHistory
	}
	free := b.ContextTokens - b.AnswerTokens - b.Tokens([]byte(q.system)) - templateTokens
	q.room = free - int(math.Ceil(reserve*float64(max(free, 0))))
	whole, err := q.question(daysAhead(e), all)
	if err != nil || q.fits(whole) {
		return []Question{whole}, err
	}
	return q.parts(all)
}

// WorthAsking reports whether there is anything that a model could add to the rules: a text, an event, a rollout, a measurement.
// Typed events and forecasts alone are none.
func WorthAsking(e Evidence) bool {
	return slices.ContainsFunc(pieces(e), func(p piece) bool { return saysMore(e, p) })
}

// saysMore reports whether a piece of evidence says something that rules cannot read.
func saysMore(e Evidence, p piece) bool {
	typed := slices.ContainsFunc(e.Annotations, func(n Annotation) bool { return n.ID == p.id && n.Event != nil })
	return !p.window && !typed
}

// asking is what the questions on one piece of evidence have in common.
type asking struct {
	evidence  Evidence
	budget    Budget
	proposals int
	system    string
	// room for the user message, in tokens.
	room int
}

func (q asking) fits(question Question) bool { return q.budget.Tokens(question.User) <= q.room }

// question asks about these pieces, and lets the answer name these days.
func (q asking) question(days []string, pieces []piece) (Question, error) {
	ids := make([]string, len(pieces))
	for i, p := range pieces {
		ids[i] = p.id
	}
	user, err := head(q.evidence, days).with(pieces)
	if err != nil {
		return Question{}, fmt.Errorf("write the evidence: %w", err)
	}
	s, err := answerSchema(q.evidence, ids, slices.Concat(pastDays(q.evidence), days), q.proposals)
	if err != nil {
		return Question{}, fmt.Errorf("write the schema: %w", err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return Question{}, fmt.Errorf("write the schema: %w", err)
	}
	return Question{System: q.system, User: user, Schema: text, MaxAnswerTokens: answerTokens(q.proposals)}, nil
}

// parts divides the pieces over as many questions as it takes.
func (q asking) parts(all []piece) ([]Question, error) {
	timeless := slices.IndexFunc(all, func(p piece) bool { return !p.at.IsZero() })
	if timeless < 0 {
		timeless = len(all)
	}
	pinned, rest := all[:timeless], all[timeless:]
	if user, err := head(q.evidence, daysAhead(q.evidence)).with(pinned); err != nil || 2*q.budget.Tokens(user) > q.room {
		pinned, rest = nil, all
	}
	var groups [][]piece
	for len(rest) > 0 {
		taken, err := q.take(pinned, rest)
		if err != nil {
			return nil, err
		}
		groups, rest = append(groups, taken), rest[len(taken):]
	}
	var questions []Question
	for i, group := range groups {
		group = slices.Concat(pinned, group)
		if !slices.ContainsFunc(group, func(p piece) bool { return saysMore(q.evidence, p) }) {
			continue
		}
		question, err := q.question(q.daysOf(groups, i), group)
		if err != nil {
			return nil, err
		}
		questions = append(questions, question)
	}
	return questions, nil
}

// take returns as many of the first of rest, beside the pinned ones, as fit. One that does not even fit alone is cut.
func (q asking) take(pinned, rest []piece) ([]piece, error) {
	fit := func(group []piece) (bool, error) {
		question, err := q.question(daysAhead(q.evidence), slices.Concat(pinned, group))
		return err == nil && q.fits(question), err
	}
	first := rest[0]
	for {
		ok, err := fit([]piece{first})
		if err != nil {
			return nil, err
		}
		if ok {
			break
		}
		if first.shorter == nil {
			return nil, q.tooSmall()
		}
		shorter, ok := first.shorter()
		if !ok {
			return nil, q.tooSmall()
		}
		first = shorter
	}
	group := []piece{first}
	for _, next := range rest[1:] {
		ok, err := fit(append(slices.Clip(group), next))
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		group = append(group, next)
	}
	return group, nil
}

func (q asking) tooSmall() error {
	user, err := head(q.evidence, daysAhead(q.evidence)).with(nil)
	if err != nil {
		return errors.Join(errors.New("the context is too small"), err)
	}
	return fmt.Errorf("a context of %d tokens is too small: the rules take %d, the answer %d, the document without evidence %d",
		q.budget.ContextTokens, q.budget.Tokens([]byte(q.system)), q.budget.AnswerTokens, q.budget.Tokens(user))
}

// daysOf returns the days that the answer to question i may name: from its first forecast window to the next question's, and
// all of the horizon where it has none.
func (q asking) daysOf(groups [][]piece, i int) []string {
	all := daysAhead(q.evidence)
	first, ok := firstWindow(groups[i])
	if !ok {
		return all
	}
	from, until := 0, len(all)
	if slices.ContainsFunc(groups[:i], func(g []piece) bool { _, ok := firstWindow(g); return ok }) {
		from = max(slices.Index(all, first), 0)
	}
	for _, later := range groups[i+1:] {
		if next, ok := firstWindow(later); ok {
			until = max(slices.Index(all, next), from+1)
			break
		}
	}
	return all[from:until]
}

// firstWindow returns the day of the first forecast window among the pieces.
func firstWindow(group []piece) (string, bool) {
	i := slices.IndexFunc(group, func(p piece) bool { return p.window })
	if i < 0 {
		return "", false
	}
	return group[i].at.UTC().Format(dayLayout), true
}
