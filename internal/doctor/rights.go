package doctor

import (
	"context"
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

// rights asks the API server whether each part may do everything that its shipped roles allow.
func (e examiner) rights(ctx context.Context, p parts) []Finding {
	const check = "rights"
	roles, err := shippedRoles(e.Config.Namespace)
	if err != nil {
		return []Finding{unseen(check, "the roles in this program", err)}
	}
	var found []Finding
	for _, part := range partNames {
		account, deployed := p.accounts[part]
		if !deployed {
			continue
		}
		missing, err := e.missing(ctx, account, e.needed(roles["loadline-"+part]))
		if err != nil {
			return append(found, unseen(check, "what the accounts of Loadline may do (kind SubjectAccessReview)", err))
		}
		f := Finding{Check: check, Severity: OK, Where: "serviceaccount/" + account, What: fmt.Sprintf("the %s may do all that it has to", part)}
		if len(missing) > 0 {
			f.Severity, f.What, f.Fix = Error, fmt.Sprintf("the %s may not %s", part, few(missing)), e.install("rbac")
		}
		found = append(found, f)
	}
	return found
}

// needed leaves out the rights that only a webhook uses that keeps its own certificate.
func (e examiner) needed(rights []authorizationv1.ResourceAttributes) []authorizationv1.ResourceAttributes {
	if e.Config.Webhook.CertMode == config.CertSelfSigned {
		return rights
	}
	return slices.DeleteFunc(rights, func(r authorizationv1.ResourceAttributes) bool {
		return strings.HasSuffix(r.Resource, "webhookconfigurations") ||
			r.Resource == "secrets" && (r.Verb == "update" || e.Config.Webhook.CertMode == config.CertFiles)
	})
}

// missing returns what an account may not do of what it should be able to.
func (e examiner) missing(ctx context.Context, account string, wanted []authorizationv1.ResourceAttributes) ([]string, error) {
	user := "system:serviceaccount:" + e.Config.Namespace + ":" + account
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + e.Config.Namespace, "system:authenticated"}
	allowed := make([]bool, len(wanted))
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
			allowed[i] = review.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []string
	for i, w := range wanted {
		if text := describe(w); !allowed[i] && !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	return missing, nil
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

// shippedRoles returns what the roles that ship allow, by the name of the account that they are bound to.
func shippedRoles(namespace string) (map[string][]authorizationv1.ResourceAttributes, error) {
	documents, err := config.Manifests("rbac", namespace)
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
