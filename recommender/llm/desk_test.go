package llm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/llm"
)

// slow is an adviser that answers when the test does.
type slow struct {
	asked   chan advice.Evidence
	answers chan error // Nil for advice.
}

func (s *slow) Model() string { return model }

func (s *slow) Advise(ctx context.Context, e advice.Evidence) (advice.Advice, error) {
	select {
	case s.asked <- e:
	case <-ctx.Done():
		return advice.Advice{}, &llm.Error{Outcome: llm.Canceled, Err: ctx.Err()}
	}
	select {
	case err := <-s.answers:
		if err != nil {
			return advice.Advice{}, err
		}
		return adviceOn(e), nil
	case <-ctx.Done():
		return advice.Advice{}, &llm.Error{Outcome: llm.Canceled, Err: ctx.Err()}
	}
}

// adviceOn is a model's advice, with the evidence's text in its summary.
func adviceOn(e advice.Evidence) advice.Advice {
	return advice.Advice{Source: advice.SourceModel, Model: model, InputHash: advice.Hash(e), Summary: e.Annotations[0].Text}
}

// office is a desk that is open.
type office struct {
	*llm.Desk
	adviser  *slow
	clock    *clocktesting.FakeClock
	notified chan string
}

func open(t *testing.T) office {
	t.Helper()
	o := office{
		adviser: &slow{asked: make(chan advice.Evidence), answers: make(chan error)},
		clock:   clocktesting.NewFakeClock(monday), notified: make(chan string, 10),
	}
	o.Desk = llm.NewDesk(llm.DeskOptions{Adviser: o.adviser, Clock: o.clock, Notify: func(key string) { o.notified <- key }})
	ctx, closing := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := o.Start(ctx); err != nil {
			t.Errorf("the desk closed with: %v", err)
		}
	})
	t.Cleanup(func() { closing(); wg.Wait() })
	return o
}

// about is evidence with this text.
func about(text string) advice.Evidence {
	e := evidence()
	e.Annotations[0].Text = text
	return e
}

// waits asserts that there is no advice yet, or none for a reason that contains the given words.
func (o office) waits(t *testing.T, key, text, why string) {
	t.Helper()
	a, reason := o.Lookup(key, about(text), advice.Advice{})
	if !strings.Contains(reason, why) || reason == "" || a.Source != "" {
		t.Errorf("looked up %s: advice %q, reason %q, want %q", key, a.Summary, reason, why)
	}
}

func (o office) knows(t *testing.T, key, text string) {
	t.Helper()
	if a, reason := o.Lookup(key, about(text), advice.Advice{}); reason != "" || a.Summary != text {
		t.Errorf("looked up %s: advice %q, reason %q, want advice on %q", key, a.Summary, reason, text)
	}
}

// answers lets the model answer the question that is being asked, which has to be about text.
func (o office) answers(t *testing.T, text string, err error) {
	t.Helper()
	if e := <-o.adviser.asked; e.Annotations[0].Text != text {
		t.Errorf("asked about %q, want %q", e.Annotations[0].Text, text)
	}
	o.adviser.answers <- err
}

const notYet = "has not answered yet"

func TestNobodyWaitsForAnAnswerAndEverybodyIsTold(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/a", "sale 1", notYet)
	o.waits(t, "shop/a", "sale 1", notYet) // Asked once.
	o.waits(t, "shop/b", "sale 2", notYet)

	o.answers(t, "sale 1", nil)
	if key := <-o.notified; key != "shop/a" {
		t.Errorf("told %s", key)
	}
	o.knows(t, "shop/a", "sale 1")
	o.waits(t, "shop/b", "sale 2", notYet)
	o.answers(t, "sale 2", nil)
	if key := <-o.notified; key != "shop/b" {
		t.Errorf("told %s", key)
	}
	o.knows(t, "shop/b", "sale 2")
	o.knows(t, "shop/a", "sale 1")
}

func TestALateAnswerToAnOldQuestionCountsForNothing(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/a", "old", notYet)
	if e := <-o.adviser.asked; e.Annotations[0].Text != "old" {
		t.Fatalf("asked about %q", e.Annotations[0].Text)
	}
	o.waits(t, "shop/a", "new", notYet)
	o.adviser.answers <- nil // About the old.
	o.answers(t, "new", nil)
	if key := <-o.notified; key != "shop/a" {
		t.Errorf("told %s", key)
	}
	o.knows(t, "shop/a", "new")
	if n := len(o.notified); n != 0 {
		t.Errorf("told %d times more", n)
	}
}

func TestWhatIsAskedAnewKeepsItsPlace(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/first", "first", notYet)
	<-o.adviser.asked // The others queue up behind it.
	o.waits(t, "shop/a", "a", notYet)
	o.waits(t, "shop/b", "b", notYet)
	o.waits(t, "shop/a", "a, changed", notYet)
	o.adviser.answers <- nil
	o.answers(t, "a, changed", nil)
	o.answers(t, "b", nil)
	got := []string{<-o.notified, <-o.notified, <-o.notified}
	if !slices.Equal(got, []string{"shop/first", "shop/a", "shop/b"}) {
		t.Errorf("told %s", got)
	}
}

func TestStoredAdviceSurvivesARestart(t *testing.T) {
	o := open(t)
	stored := adviceOn(about("sale"))
	if a, reason := o.Lookup("shop/a", about("sale"), stored); reason != "" || a.Summary != "sale" {
		t.Errorf("advice %q, reason %q", a.Summary, reason)
	}
	o.knows(t, "shop/a", "sale") // Also where the caller no longer has it.
	select {
	case e := <-o.adviser.asked:
		t.Errorf("asked again about %q", e.Annotations[0].Text)
	default:
	}
}

func TestStoredAdviceOfAnotherKindIsAskedFor(t *testing.T) {
	o := open(t)
	for name, change := range map[string]func(*advice.Advice){
		"of the rules":    func(a *advice.Advice) { a.Source = advice.SourceRules },
		"another model's": func(a *advice.Advice) { a.Model = "llama2" },
		"on other inputs": func(a *advice.Advice) { a.InputHash = "0" },
	} {
		stored := adviceOn(about(name))
		change(&stored)
		if a, reason := o.Lookup(name, about(name), stored); reason == "" {
			t.Errorf("%s: took %q", name, a.Summary)
		}
		o.answers(t, name, nil)
		<-o.notified
		o.knows(t, name, name)
	}
}

func TestWhatFailedForTheMomentIsAskedAgainLater(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/a", "sale", notYet)
	o.answers(t, "sale", &llm.Error{Outcome: llm.Unreachable, Err: errors.New("connection refused")})
	o.settled(t)
	o.waits(t, "shop/a", "sale", "connection refused")
	o.clock.Step(5*time.Minute - time.Second)
	o.waits(t, "shop/a", "sale", "connection refused")
	o.clock.Step(time.Second)
	o.waits(t, "shop/a", "sale", notYet)
	o.answers(t, "sale", nil)
	<-o.notified
	o.knows(t, "shop/a", "sale")
}

func TestAServerThatComesBackWithAUselessModelIsNotAskedForever(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/a", "sale", notYet)
	o.answers(t, "sale", &llm.Error{Outcome: llm.Unreachable, Err: errors.New("connection refused")})
	o.settled(t)
	o.clock.Step(5 * time.Minute)
	o.waits(t, "shop/a", "sale", notYet)
	o.answers(t, "sale", &llm.Error{Outcome: llm.BadAnswer, Err: errors.New("no use")})
	o.settled(t)
	o.clock.Step(time.Hour)
	o.waits(t, "shop/a", "sale", "no use")
}

// settled returns when the failures before it are noted: another question has been answered after them.
func (o office) settled(t *testing.T) {
	t.Helper()
	o.waits(t, "shop/other", "other", notYet)
	o.answers(t, "other", nil)
	<-o.notified
	o.Forget("shop/other")
}

func TestWhatTheModelCannotAnswerIsAskedAgainOnlyWhenTheEvidenceChanges(t *testing.T) {
	for _, outcome := range []llm.Outcome{llm.BadAnswer, llm.Truncated, llm.TooLong, llm.TooBig} {
		o := open(t)
		o.waits(t, "shop/a", "sale", notYet)
		o.answers(t, "sale", &llm.Error{Outcome: outcome, Err: errors.New("no use")})
		o.settled(t)
		o.clock.Step(10 * time.Hour)
		o.waits(t, "shop/a", "sale", "no use")
		o.waits(t, "shop/a", "sale on Friday", notYet)
		o.answers(t, "sale on Friday", nil)
		<-o.notified
		o.knows(t, "shop/a", "sale on Friday")
	}
}

func TestEvidenceThatSaysNothingNewIsNotQueued(t *testing.T) {
	o := open(t)
	e := evidence()
	e.Annotations = nil
	if _, reason := o.Lookup("shop/a", e, advice.Advice{}); !strings.Contains(reason, "the rules read all of the evidence") {
		t.Errorf("the reason is %q", reason)
	}
}

func TestAForgottenWorkloadIsNotAskedAbout(t *testing.T) {
	o := open(t)
	o.waits(t, "shop/first", "first", notYet)
	<-o.adviser.asked
	o.waits(t, "shop/gone", "gone", notYet)
	o.waits(t, "shop/b", "b", notYet)
	o.Forget("shop/gone")
	o.adviser.answers <- nil
	o.answers(t, "b", nil)
	if first, second := <-o.notified, <-o.notified; first != "shop/first" || second != "shop/b" {
		t.Errorf("told %s and %s", first, second)
	}
}

func TestTheDeskClosesInMidQuestion(t *testing.T) {
	o := open(t) // The test's end waits until it is closed.
	o.waits(t, "shop/a", "sale", notYet)
	<-o.adviser.asked
}
