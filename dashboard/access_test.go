package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/dashboard"
)

// apiServer knows jane by the token "jane" and lets members of sre look.
type apiServer struct{ broken error }

func (a apiServer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	switch review := object.(type) {
	case *authenticationv1.TokenReview:
		review.Status.Authenticated = review.Spec.Token == "jane" || review.Spec.Token == "joe"
		review.Status.User = authenticationv1.UserInfo{Username: review.Spec.Token}
		if review.Spec.Token == "jane" {
			review.Status.User.Groups = []string{"sre"}
		}
	case *authorizationv1.SubjectAccessReview:
		at := review.Spec.NonResourceAttributes
		review.Status.Allowed = slices.Contains(review.Spec.Groups, "sre") && at.Path == "/dashboard/" && at.Verb == "get"
	}
	return a.broken
}

func TestInTheClusterOnlyThoseLookWhomTheAPIServerAllows(t *testing.T) {
	for _, c := range []struct {
		authorization string
		server        apiServer
		want          int
	}{
		{"Bearer jane", apiServer{}, http.StatusOK},
		{"bearer  jane", apiServer{}, http.StatusOK},
		{"Bearer joe", apiServer{}, http.StatusForbidden},
		{"Bearer mallory", apiServer{}, http.StatusUnauthorized},
		{"Bearer ", apiServer{}, http.StatusUnauthorized},
		{"Basic jane", apiServer{}, http.StatusUnauthorized},
		{"", apiServer{}, http.StatusUnauthorized},
		{"Bearer jane", apiServer{errors.New("timeout")}, http.StatusServiceUnavailable},
	} {
		for _, at := range []string{"", "style.css", "workloads", "nothing"} {
			handler := dashboard.Guard(pages(t, &cluster{}), c.server, logr.Discard())
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, dashboard.Path+at, nil)
			r.Header.Set("Authorization", c.authorization)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			want := c.want
			if at == "nothing" && want == http.StatusOK {
				want = http.StatusNotFound
			}
			if answer.Code != want {
				t.Errorf("%q at %q: status %d, want %d", c.authorization, at, answer.Code, want)
			}
			if told := strings.Contains(answer.Body.String(), `"joe" may not get /dashboard/`) && strings.Contains(answer.Body.String(), "loadline dashboard --namespace NAMESPACE"); told != (want == http.StatusForbidden) {
				t.Errorf("%q at %q: who may read one namespace only is to be told what shows it: %s", c.authorization, at, answer.Body)
			}
			if (answer.Code == http.StatusUnauthorized) != (answer.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("%q: it is not said how to sign in", c.authorization)
			}
		}
	}
}
