package history

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// Reason says why a read failed.
type Reason string

// Reasons.
const (
	// Unavailable: no answer in time, or the server has a problem of its own. Trying again later helps.
	Unavailable Reason = "Unavailable"
	// Refused: the server does not accept the query or the credentials. Someone has to change something.
	Refused Reason = "Refused"
	// TooBig: even an hour is more than MaxResponseBytes or the server's own limits allow.
	TooBig Reason = "TooBig"
	// BadData: the answer cannot be understood.
	BadData Reason = "BadData"
)

// Error is a read that failed. What was stored before it is still there.
type Error struct {
	Reason Reason
	// Namespace and Query, such as "cpu", that were read.
	Namespace, Query string
	// From and Until bound the time that was asked for.
	From, Until time.Time
	// TimedOut: no answer came in the time that a query has, so that whoever asked was held up for all of it.
	TimedOut bool
	// Err is what happened.
	Err error

	// shorterHelps: the same question over a shorter time may be answered.
	shorterHelps bool
}

// Error says what was read, for which time, and why it failed.
func (e *Error) Error() string {
	return fmt.Sprintf("read %s of namespace %s from %s until %s: %s: %v", e.Query, e.Namespace,
		e.From.Format(time.RFC3339), e.Until.Format(time.RFC3339), e.Reason, e.Err)
}

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// errResponseTooBig is returned while an answer is read.
var errResponseTooBig = errors.New("the answer is larger than the limit")

// maxDetail bounds what a server's own words contribute to a message: it may answer with a whole page.
const maxDetail = 300

// classify makes an Error of one from the Prometheus client, without needless length.
func classify(err error) *Error {
	if errors.Is(err, errResponseTooBig) {
		return &Error{Reason: TooBig, Err: err, shorterHelps: true}
	}
	api, ok := errors.AsType[*promv1.Error](err)
	if !ok {
		late, ok := errors.AsType[net.Error](err)
		return &Error{Reason: Unavailable, Err: err, TimedOut: ok && late.Timeout(), shorterHelps: errors.Is(err, context.DeadlineExceeded)}
	}
	said := api.Msg
	if detail := strings.TrimSpace(api.Detail); detail != "" {
		said += ": " + strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "")
	}
	reason := classifyAnswer(api, said)
	late := api.Type == promv1.ErrTimeout
	return &Error{Reason: reason, Err: errors.New(said), TimedOut: late, shorterHelps: reason == TooBig || late}
}

func classifyAnswer(api *promv1.Error, said string) Reason {
	switch api.Type {
	case promv1.ErrBadResponse:
		if strings.HasPrefix(api.Msg, "bad response code") { // Such as a redirect to a login page.
			return Refused
		}
		return BadData
	case promv1.ErrExec, promv1.ErrBadData, promv1.ErrClient:
		switch {
		case strings.HasSuffix(api.Msg, ": 408"), strings.HasSuffix(api.Msg, ": 429"):
			return Unavailable
		case overServerLimit(said):
			return TooBig
		}
		return Refused
	default:
		return Unavailable
	}
}

// overServerLimit recognizes what Prometheus, Thanos, Mimir and VictoriaMetrics say about queries beyond their limits.
func overServerLimit(said string) bool {
	said = strings.ToLower(said)
	for _, words := range []string{
		"too many samples", "too many points", "exceeded maximum resolution", "exceeds the limit",
		"exceeded the maximum", "limit exceeded", "exceeds -search.", "err-mimir-max-", "client error: 413",
	} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}
