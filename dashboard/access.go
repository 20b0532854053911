package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Reviewer creates the reviews with which the API server says who somebody is and what they may do.
type Reviewer interface {
	Create(ctx context.Context, review client.Object, opts ...client.CreateOption) error
}

// reviewTimeout bounds both questions together.
const reviewTimeout = 10 * time.Second

// Guard lets only those see pages whom the API server knows by their bearer token and allows to get the URL Path. Nothing is
// remembered: who loses the right sees no further page. What the API server does not answer is refused.
//
// The filter of controller-runtime does the same for metrics. It brings the library of the API server, which would make every
// part of Loadline a fifth larger.
func Guard(pages http.Handler, reviewer Reviewer, log logr.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), reviewTimeout)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		token, ok := bearerToken(r)
		if !ok {
			unauthorized(w)
			return
		}
		user, err := whoIs(ctx, reviewer, token)
		if errors.Is(err, errUnknown) {
			unauthorized(w)
			return
		}
		allowed := false
		if err == nil {
			allowed, err = mayLook(ctx, reviewer, user)
		}
		switch {
		case err != nil:
			log.Error(err, "a request for the dashboard is refused")
			http.Error(w, "Who you are and what you may do could not be asked of the API server.", http.StatusServiceUnavailable)
		case !allowed:
			http.Error(w, fmt.Sprintf(refusal, user.Username, Path), http.StatusForbidden)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// refusal is for people who may not look: what they lack, and where they see what they may.
const refusal = "User %q may not get %s: these pages show every namespace that opted in, and the ClusterRole loadline-dashboard-viewer lets people in.\n" +
	"Who may list and watch the Recommendations of a namespace sees its pages with: loadline dashboard --namespace NAMESPACE"

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="loadline"`)
	http.Error(w, "Send a bearer token that this cluster knows in the Authorization header.", http.StatusUnauthorized)
}

// bearerToken reads the token of a request.
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// errUnknown means that the API server knows nobody by a token.
var errUnknown = errors.New("nobody is known by this token")

func whoIs(ctx context.Context, reviewer Reviewer, token string) (authenticationv1.UserInfo, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := reviewer.Create(ctx, review); err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("review a token: %w", err)
	}
	if !review.Status.Authenticated {
		return authenticationv1.UserInfo{}, errUnknown
	}
	return review.Status.User, nil
}

func mayLook(ctx context.Context, reviewer Reviewer, user authenticationv1.UserInfo) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: Path, Verb: "get"},
	}}
	for key, values := range user.Extra {
		review.Spec.Extra[key] = authorizationv1.ExtraValue(values)
	}
	if err := reviewer.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review the rights of %s: %w", user.Username, err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
