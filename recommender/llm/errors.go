package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Outcome says in one word how a question ended. It is the label of the metrics, and decides what is done next.
type Outcome string

// Outcomes of a question.
const (
	// OK is an answer that was read to its end and understood.
	OK Outcome = "ok"
	// Truncated is an answer that reached its limit of tokens, or the end of the context, before its own end.
	Truncated Outcome = "truncated"
	// TooLong is a prompt that does not fit the model's context.
	TooLong Outcome = "prompt_too_long"
	// TooBig is an answer of more bytes than are read.
	TooBig Outcome = "answer_too_big"
	// BadAnswer is an answer that is empty, not JSON, or does not mean anything legal.
	BadAnswer Outcome = "bad_answer"
	// BadQuestion is a question that was not sent because no server could answer it.
	BadQuestion Outcome = "bad_question"
	// NothingToAsk is evidence that the rules read to its end.
	NothingToAsk Outcome = "nothing_to_ask"
	// Deadline passed, whether the question was waiting for its turn, sent, or half answered.
	Deadline Outcome = "deadline"
	// Canceled by the caller.
	Canceled Outcome = "canceled"
	// Unreachable is a server to which no connection could be made.
	Unreachable Outcome = "unreachable"
	// Interrupted is an answer whose connection, or whose server, ended before it did.
	Interrupted Outcome = "interrupted"
	// Overloaded is a server, or a proxy before it, that asks to be tried later: HTTP 429, 502, 503, 504.
	Overloaded Outcome = "overloaded"
	// ServerError is any other failure inside the server.
	ServerError Outcome = "server_error"
	// NotFound is a model, or a path, that the server does not have.
	NotFound Outcome = "not_found"
	// Refused is any other refusal: credentials, also those that cannot be read, a redirect, a malformed request.
	Refused Outcome = "refused"
	// Resting is a question not asked because too many before it failed.
	Resting Outcome = "resting"
	// BudgetSpent is a question not asked because the hour's questions are used up.
	BudgetSpent Outcome = "budget_spent"
)

// Error is why there is no answer. Every error that this package returns for a question is one.
type Error struct {
	Outcome Outcome
	// Status is the HTTP status of the answer; 0 where there was none.
	Status int
	Err    error
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("model: %s (HTTP %d): %v", e.Outcome, e.Status, e.Err)
	}
	return fmt.Sprintf("model: %s: %v", e.Outcome, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome that an error of this package stands for: OK for nil, and ServerError for a stranger.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OK
	}
	return asError(err).Outcome
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Outcome: ServerError, Err: err}
}

// worthAnotherTry tells whether the same question may well be answered in a moment. At temperature 0 a bad answer comes
// back word for word, so the other try has to differ.
func (o Outcome) worthAnotherTry() bool {
	switch o {
	case BadAnswer, Interrupted, Overloaded, Unreachable:
		return true
	default:
		return false
	}
}

// worthSplitting tells whether smaller questions may be answered where this one was not.
func (o Outcome) worthSplitting() bool { return o == TooLong || o == Truncated }

// final tells whether asking the same again later is in vain: the question or the model is at fault, not the moment.
func (o Outcome) final() bool {
	switch o {
	case Truncated, TooLong, TooBig, BadAnswer, BadQuestion, NothingToAsk:
		return true
	default:
		return false
	}
}

func failed(o Outcome, format string, args ...any) *Error {
	return &Error{Outcome: o, Err: fmt.Errorf(format, args...)}
}

// fromContext is the error of a context that has ended.
func fromContext(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Error{Outcome: Deadline, Err: cause}
	}
	return &Error{Outcome: Canceled, Err: cause}
}

// fromConnection is the error of a request that got no response at all.
func fromConnection(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return fromContext(ctx)
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return &Error{Outcome: Interrupted, Err: err}
		}
	}
	return &Error{Outcome: Unreachable, Err: err}
}
