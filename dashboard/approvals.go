package dashboard

import (
	"cmp"
	"net/http"
	"slices"
)

// maxApprovals is how many are shown on one page.
const maxApprovals = 100

// approvalsView is what waits for a person; Others is how many are not shown.
type approvalsView struct {
	Items  []item
	Others int
}

// approvals lists what waits for a person.
func (s *server) approvals(r *http.Request) (view, error) {
	all, err := s.items(r.Context())
	if err != nil {
		return view{}, err
	}
	all = slices.DeleteFunc(all, func(i item) bool { return i.Approve == "" })
	slices.SortFunc(all, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	shown := min(len(all), maxApprovals)
	return view{Template: "approvals", Title: "Waiting for approval", Section: "approvals", Data: approvalsView{all[:shown], len(all) - shown}}, nil
}
