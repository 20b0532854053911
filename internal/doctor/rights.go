package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/config"
)

// parallelReviews is how many access reviews are asked at the same time.
const parallelReviews = 8

// rights asks the API server whether each part may do everything that its shipped roles allow, and whether it may still do what was
// left out on purpose.
func (e examiner) rights(ctx context.Context) []Finding {
	const check = "rights"
	// By part, also where all of them share an account.
	layout := config.Layout{Namespace: e.Config.Namespace, CertMode: e.Config.Webhook.CertMode, CertSecret: e.Config.Webhook.CertSecret}
	roles, err := shippedRoles("rbac", layout)
	if err != nil {
		return []Finding{unseen(check, "the roles in this program", err)}
	}
	var found []Finding
	for _, part := range partNames {
		if _, deployed := e.accounts[part]; !deployed {
			continue
		}
		f := e.mayDo(ctx, part, "all that it has to", append(e.needed(roles["loadline-"+part]), e.scaling(part)...), e.install("rbac"))
		if found = append(found, f); f.Severity == Unseen {
			return found // So are all others.
		}
	}
	if _, deployed := e.accounts["recommender"]; deployed && e.Config.Dashboard.Address != "0" {
		if roles, err = shippedRoles("dashboard", layout); err != nil {
			return append(found, unseen(check, "the roles in this program", err))
		}
		found = append(found, e.mayDo(ctx, "recommender", "what serving the dashboard needs", roles["loadline-recommender"], e.install("dashboard")))
	}
	return append(found, e.surplus(ctx, layout)...)
}

// needed leaves out the rights to a Secret that nobody reads.
func (e examiner) needed(rights []authorizationv1.ResourceAttributes) []authorizationv1.ResourceAttributes {
	return slices.DeleteFunc(rights, func(r authorizationv1.ResourceAttributes) bool {
		return r.Resource == "secrets" && e.Config.Webhook.CertMode == config.CertFiles
	})
}

// scaling are a part's rights to the kinds of the configuration, which it has by roles that it collects.
func (e examiner) scaling(part string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, k := range e.Config.Scaling.Kinds {
		rules := []rbacv1.PolicyRule{{APIGroups: []string{k.Group}, Resources: []string{k.Resource}, Verbs: []string{"get", "list", "watch"}}}
		if part == "updater" {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: rules[0].APIGroups, Resources: []string{k.Resource + "/scale"}, Verbs: []string{"get", "update"}})
		}
		if part != "webhook" {
			all = append(all, expand(rules, "")...)
		}
	}
	return all
}

// mayDo is the finding about whether a part may do everything of a list.
func (e examiner) mayDo(ctx context.Context, part, what string, wanted []authorizationv1.ResourceAttributes, fix string) Finding {
	const check = "rights"
	account := e.accounts[part]
	_, missing, err := e.ask(ctx, account, wanted)
	switch where := "serviceaccount/" + account; {
	case err != nil:
		return unseen(check, "what "+where+" may do (kind SubjectAccessReview)", err)
	case len(missing) > 0:
		return Finding{Check: check, Severity: Error, Where: where, What: fmt.Sprintf("the %s may not %s", part, few(missing)), Fix: fix}
	default:
		return Finding{Check: check, Severity: OK, Where: where, What: fmt.Sprintf("the %s may do %s", part, what)}
	}
}

// surplus finds the rights to make a certificate with a webhook that makes none: whoever took them away wants them away.
func (e examiner) surplus(ctx context.Context, layout config.Layout) []Finding {
	account, deployed := e.accounts["webhook"]
	if !deployed || layout.CertMode == config.CertSelfSigned {
		return nil
	}
	needed, err := shippedRoles("rbac", layout)
	layout.CertMode = config.CertSelfSigned
	all, errAll := shippedRoles("rbac", layout)
	if err := errors.Join(err, errAll); err != nil {
		return []Finding{unseen("rights", "the roles in this program", err)}
	}
	unneeded := slices.DeleteFunc(all["loadline-webhook"], func(r authorizationv1.ResourceAttributes) bool { return slices.Contains(needed["loadline-webhook"], r) })
	allowed, _, err := e.ask(ctx, account, unneeded)
	if err != nil || len(allowed) == 0 {
		return nil // Why it cannot be asked was told above.
	}
	return []Finding{{
		Check: "rights", Severity: Warning, Where: "serviceaccount/" + account,
		What: fmt.Sprintf("the webhook may %s, which only one needs that makes its own certificate", few(allowed)),
		Fix: fmt.Sprintf("kubectl delete clusterrolebinding,clusterrole loadline-webhook-certs --ignore-not-found && "+
			"kubectl --namespace %s delete rolebinding,role loadline-webhook-certs --ignore-not-found", e.Config.Namespace),
	}}
}

// ask returns what an account may do of a list, and what it may not.
func (e examiner) ask(ctx context.Context, account string, wanted []authorizationv1.ResourceAttributes) (allowed, missing []string, err error) {
	user := "system:serviceaccount:" + e.Config.Namespace + ":" + account
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + e.Config.Namespace, "system:authenticated"}
	may := make([]bool, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelReviews)
	for i := range wanted {
		group.Go(func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user, Groups: groups, ResourceAttributes: &wanted[i],
			}}
			if err := e.client.Create(ctx, review); err != nil {
				return err
			}
			may[i] = review.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, w := range wanted {
		into := &missing
		if may[i] {
			into = &allowed
		}
		if text := describe(w); !slices.Contains(*into, text) {
			*into = append(*into, text)
		}
	}
	return allowed, missing, nil
}

func describe(w authorizationv1.ResourceAttributes) string {
	text := w.Verb + " " + w.Resource
	if w.Subresource != "" {
		text += "/" + w.Subresource
	}
	if w.Name != "" {
		text += " " + w.Name
	}
	if w.Namespace != "" {
		text += " in " + w.Namespace
	}
	return text
}

// shippedRoles returns what the roles among the manifests of one name allow, by the name of the account that they are bound to.
func shippedRoles(name string, layout config.Layout) (map[string][]authorizationv1.ResourceAttributes, error) {
	documents, err := config.Manifests(name, layout)
	if err != nil {
		return nil, err
	}
	rules, bound := map[string][]rbacv1.PolicyRule{}, map[string][]authorizationv1.ResourceAttributes{}
	var bindings []rbacv1.RoleBinding
	for _, document := range documents {
		var role struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
			Rules             []rbacv1.PolicyRule `json:"rules"`
		}
		var binding rbacv1.RoleBinding // A ClusterRoleBinding has the same fields.
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			return nil, fmt.Errorf("decode a shipped role: %w", err)
		}
		switch role.Kind {
		case "Role", "ClusterRole":
			rules[role.Kind+"/"+role.Namespace+"/"+role.Name] = role.Rules
		case "RoleBinding", "ClusterRoleBinding":
			if err := yaml.Unmarshal([]byte(document), &binding); err != nil {
				return nil, fmt.Errorf("decode a shipped binding: %w", err)
			}
			bindings = append(bindings, binding)
		}
	}
	for _, b := range bindings {
		key := b.RoleRef.Kind + "/" + b.Namespace + "/" + b.RoleRef.Name
		if b.RoleRef.Kind == "ClusterRole" {
			key = "ClusterRole//" + b.RoleRef.Name
		}
		for _, s := range b.Subjects {
			bound[s.Name] = append(bound[s.Name], expand(rules[key], b.Namespace)...)
		}
	}
	return bound, nil
}

// expand makes a question for each right of the rules.
func expand(rules []rbacv1.PolicyRule, namespace string) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				resource, subresource, _ := strings.Cut(resource, "/")
				for _, verb := range rule.Verbs {
					for _, name := range names {
						all = append(all, authorizationv1.ResourceAttributes{
							Group: group, Resource: resource, Subresource: subresource, Verb: verb, Name: name, Namespace: namespace,
						})
					}
				}
			}
		}
	}
	return all
}
