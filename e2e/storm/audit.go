// Package storm lets everything go wrong at once around an updater that has two thousand pods to change, and counts what it did from
// the API server's audit log.
package storm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// AuditPolicy makes the API server write down every eviction and resize when it arrives and when it is answered.
const AuditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
  resources: [{group: "", resources: [pods/eviction, pods/resize]}]
- level: None
`

// Request is an eviction or a resize that reached the API server.
type Request struct {
	At time.Time
	// User who asked, Subresource and pod, as namespace/name.
	User, Subresource, Pod string
	// Code of the answer; 0 if the API server ended before it answered.
	Code int
}

// Done reports whether the change was made, or may have been: it is not known after an answer that the server failed, and after none.
func (r Request) Done() bool {
	return r.Code == 0 || r.Code/100 == 2 || r.Code >= http.StatusInternalServerError
}

// ReadAudit reads an audit log, in which a killed API server may have left half a line. Requests are in the order in which they arrived.
func ReadAudit(log io.Reader) ([]Request, error) {
	type line struct {
		AuditID   string `json:"auditID"`
		User      struct{ Username string }
		ObjectRef struct{ Namespace, Name, Subresource string }
		Received  time.Time          `json:"requestReceivedTimestamp"`
		Response  struct{ Code int } `json:"responseStatus"`
	}
	requests := map[string]Request{}
	lines := bufio.NewReader(log)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		var l line
		if json.Unmarshal(text, &l) != nil || l.AuditID == "" {
			continue
		}
		requests[l.AuditID] = Request{
			At: l.Received, User: l.User.Username, Subresource: l.ObjectRef.Subresource,
			Pod: l.ObjectRef.Namespace + "/" + l.ObjectRef.Name, Code: max(requests[l.AuditID].Code, l.Response.Code),
		}
	}
	all := make([]Request, 0, len(requests))
	for _, r := range requests {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Request) int { return a.At.Compare(b.At) })
	return all, nil
}

// MostWithin is the largest number of times, which are sorted, in any span that is shorter than d.
func MostWithin(times []time.Time, d time.Duration) int {
	most, first := 0, 0
	for last := range times {
		for times[last].Sub(times[first]) >= d {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
