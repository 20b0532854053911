package llm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/recommender/advice"
)

// Options say how much may be asked of a model. The zero value of each field stands for its default.
type Options struct {
	// Deadline of one piece of advice with all its questions, tries and waits. Default: 2 minutes.
	Deadline time.Duration
	// Tries of one question, the first included. Default: 3.
	Tries int
	// Seed of the first try, 1 or more; each further try adds one. Default: 1.
	Seed int
	// AnswerTokens kept of the context for the answer. Default: 1620, which is all that the longest answer uses.
	AnswerTokens int
	// MaxQuestions that one piece of evidence may be split into. Default: 8.
	MaxQuestions int
	// QuestionsPerHour over all workloads, each try counted. Default: 240.
	QuestionsPerHour int
	// RestAfter so many pieces of advice in a row that failed, the model is left alone for Rest. Defaults: 5, 5 minutes.
	RestAfter int
	Rest      time.Duration

	// Metrics may be nil.
	Metrics *Metrics
	// Clock of deadlines and waits. Nil means the system's.
	Clock clock.Clock
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value *int
		usual int
	}{{&o.Tries, 3}, {&o.Seed, 1}, {&o.AnswerTokens, 1620}, {&o.MaxQuestions, 8}, {&o.QuestionsPerHour, 240}, {&o.RestAfter, 5}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if o.Deadline == 0 {
		o.Deadline = 2 * time.Minute
	}
	if o.Rest == 0 {
		o.Rest = 5 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

func (o Options) validate(contextTokens int) error {
	var wrong []error
	for _, d := range []struct {
		name  string
		value int
	}{
		{"tries", o.Tries},
		{"seed", o.Seed},
		{"answer tokens", o.AnswerTokens},
		{"questions of one advice", o.MaxQuestions},
		{"questions per hour", o.QuestionsPerHour},
		{"failures before a rest", o.RestAfter},
	} {
		if d.value < 0 {
			wrong = append(wrong, fmt.Errorf("the number of %s is %d, must be 1 or more", d.name, d.value))
		}
	}
	if o.Deadline < 0 || o.Rest < 0 {
		wrong = append(wrong, fmt.Errorf("a deadline of %s and a rest of %s, neither may be negative", o.Deadline, o.Rest))
	}
	if o.AnswerTokens >= contextTokens {
		wrong = append(wrong, fmt.Errorf("an answer of %d tokens leaves no room for a prompt in a context of %d", o.AnswerTokens, contextTokens))
	}
	return errors.Join(wrong...)
}

// Advisor gets advice from a model. It may be used by several goroutines; the model is asked by one at a time.
type Advisor struct {
	client  *Client
	options Options
	pace    pace

	mu            sync.Mutex
	bytesPerToken float64 // See learn; 0 before the first answer.
}

// NewAdvisor returns an advisor that asks by way of the client.
func NewAdvisor(client *Client, o Options) (*Advisor, error) {
	o = o.withDefaults()
	if err := o.validate(client.config.ContextTokens); err != nil {
		return nil, err
	}
	return &Advisor{
		client: client, options: o,
		pace: pace{perHour: o.QuestionsPerHour, failures: o.RestAfter, rest: o.Rest},
	}, nil
}

// Model is the name of the model that is asked.
func (a *Advisor) Model() string { return a.client.config.Model }

// Advise asks the model about the evidence, in several questions if it does not fit into one, and returns the checked
// advice. It waits for the answer, up to the deadline. Every error is an *Error, and then there is no advice at all: what
// the model said of a part of the evidence does not count.
func (a *Advisor) Advise(ctx context.Context, e advice.Evidence) (advice.Advice, error) {
	if resting := a.pace.resting(a.options.Clock.Now()); resting != nil {
		a.options.Metrics.advised(Resting, true)
		return advice.Advice{}, resting
	}
	ctx, cancel := withDeadline(ctx, a.options.Clock, a.options.Deadline)
	defer cancel()
	out, err := a.advise(ctx, e)
	outcome := OutcomeOf(err)
	a.options.Metrics.advised(outcome, a.pace.ended(outcome, a.options.Clock.Now()))
	return out, err
}

// maxSplits is how often the room for a question is halved.
const maxSplits = 3

// advise asks, and asks in smaller parts if what is asked, or what is answered, turns out to be too long.
func (a *Advisor) advise(ctx context.Context, e advice.Evidence) (advice.Advice, error) {
	questions, bad := a.questions(e, 0)
	if bad != nil {
		return advice.Advice{}, bad
	}
	out, bad := a.askAll(ctx, e, questions)
	for split := 1; bad != nil && bad.Outcome.worthSplitting() && split <= maxSplits; split++ {
		smaller, none := a.questions(e, split)
		if none != nil {
			break // It cannot be made smaller than it was.
		}
		if !slices.EqualFunc(smaller, questions, func(x, y advice.Question) bool { return bytes.Equal(x.User, y.User) }) {
			questions = smaller
			out, bad = a.askAll(ctx, e, questions)
		}
	}
	if bad != nil {
		return advice.Advice{}, bad
	}
	return out, nil
}

// questions returns what is asked when the room is halved so often.
func (a *Advisor) questions(e advice.Evidence, split int) ([]advice.Question, *Error) {
	room := a.client.config.ContextTokens - a.options.AnswerTokens
	questions, err := advice.Questions(e, advice.Budget{
		ContextTokens: a.options.AnswerTokens + room>>split, AnswerTokens: a.options.AnswerTokens, BytesPerToken: a.estimate(),
	})
	switch {
	case err != nil:
		return nil, &Error{Outcome: TooLong, Err: err}
	case len(questions) == 0:
		return nil, nothingToAsk()
	case len(questions) > a.options.MaxQuestions:
		return nil, failed(BadQuestion, "the evidence takes %d questions, more than %d", len(questions), a.options.MaxQuestions)
	}
	return questions, nil
}

// askAll asks the questions in order, and stops at the first that is not answered.
func (a *Advisor) askAll(ctx context.Context, e advice.Evidence, questions []advice.Question) (advice.Advice, *Error) {
	var parts []advice.Advice
	var last Answer
	for _, q := range questions {
		part, answer, bad := a.ask(ctx, e, q)
		if bad != nil {
			return advice.Advice{}, bad
		}
		parts, last = append(parts, part), answer
	}
	out := advice.Merge(parts)
	out.Model, out.Digest, out.InputHash = last.Model, last.Digest, advice.Hash(e)
	return advice.Check(out, e), nil
}

func nothingToAsk() *Error { return failed(NothingToAsk, "the rules read all of the evidence") }

// ask asks one question until it is answered, or until another try is in vain. The first try is at temperature 0, so that
// the same question has the same answer; each other try is warmer and has another seed, so that it does not.
func (a *Advisor) ask(ctx context.Context, e advice.Evidence, q advice.Question) (advice.Advice, Answer, *Error) {
	for try := 0; ; try++ {
		if spent := a.pace.spend(a.options.Clock.Now()); spent != nil {
			return advice.Advice{}, Answer{}, spent
		}
		part, answer, bad := a.try(ctx, e, q, try)
		if bad == nil {
			return part, answer, nil
		}
		if !bad.Outcome.worthAnotherTry() || try+1 >= a.options.Tries {
			return advice.Advice{}, Answer{}, bad
		}
		pause := time.Duration((0.5 + rand.Float64()) * float64(200*time.Millisecond<<try))
		if ended := wait(ctx, a.options.Clock, pause); ended != nil {
			return advice.Advice{}, Answer{}, ended
		}
	}
}

// warmer is the temperature that each further try adds.
const warmer = 0.2

func (a *Advisor) try(ctx context.Context, e advice.Evidence, q advice.Question, try int) (advice.Advice, Answer, *Error) {
	begin := a.options.Clock.Now()
	answer, err := a.client.Ask(ctx, q, a.options.Seed+try, warmer*float64(try))
	var part advice.Advice
	if err == nil {
		a.learn(q, answer)
		if part, err = advice.Parse(answer.Text, e); err != nil {
			err = &Error{Outcome: BadAnswer, Err: err}
		}
	}
	a.options.Metrics.asked(OutcomeOf(err), answer, a.options.Clock.Since(begin))
	if err != nil {
		return advice.Advice{}, Answer{}, asError(err)
	}
	return part, answer, nil
}

// usualBytesPerToken is careful for JSON with digits, and for most languages.
const usualBytesPerToken = 3

// estimate returns how many bytes of a prompt are taken for a token.
func (a *Advisor) estimate() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bytesPerToken == 0 {
		return usualBytesPerToken
	}
	return a.bytesPerToken
}

// recovery is the part of the way back to the usual estimate that one answer goes.
const recovery = 1. / 8

// learn corrects the estimate by what the server counted: at once to the careful side, and slowly back, up to the usual. So one
// workload whose text takes many tokens does not make the questions of all others small for good. A server that leaves out what
// it had in its cache counts too little; what then gets too long is refused, and asked in parts.
func (a *Advisor) learn(q advice.Question, answer Answer) {
	if answer.PromptTokens <= 0 {
		return
	}
	seen := max(1, float64(len(q.System)+len(q.User))/float64(answer.PromptTokens))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bytesPerToken == 0 {
		a.bytesPerToken = usualBytesPerToken
	}
	if seen < a.bytesPerToken {
		a.bytesPerToken = seen
		return
	}
	a.bytesPerToken += recovery * (min(seen, usualBytesPerToken) - a.bytesPerToken)
}
