package webhook

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
)

// policies validates SizingPolicies: what the schema and its CEL rules cannot see.
type policies struct {
	adviser *adviser
}

// validate refuses mistakes, and warns about what is legal and unwise.
func (p *policies) validate(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	mistakes := func(_ context.Context, req *admissionv1.AdmissionRequest) (answer, error) { return p.mistakes(req) }
	return withWarnings(mistakes, p.adviser.policy)(ctx, req)
}

func (p *policies) mistakes(req *admissionv1.AdmissionRequest) (answer, error) {
	policy, err := decode[v1alpha1.SizingPolicy](req.Object)
	if err != nil {
		return answer{}, err
	}
	if policy.DeletionTimestamp != nil {
		return answer{outcome: outcomeAllowed}, nil
	}
	old, err := decodeOld[v1alpha1.SizingPolicy](req.OldObject)
	if err != nil {
		return answer{}, err
	}
	return verdict(ratchet(policyMistakes(old.Spec), policyMistakes(policy.Spec))), nil
}

// policyMistakes names field, value, and what is legal. The messages hold no index, so that moving an entry within its list
// does not make an old mistake a new one.
func policyMistakes(spec v1alpha1.SizingPolicySpec) []string {
	var mistakes []string
	for _, w := range spec.Disruption.Windows {
		if err := config.CheckStart(w.Start); err != nil {
			mistakes = append(mistakes, fmt.Sprintf("spec.disruption.windows: start %q is refused: %v; "+
				"legal: five fields, minute hour day-of-month month day-of-week, such as \"0 2 * * 1-5\"", w.Start, err))
		}
		if err := config.CheckTimeZone(w.TimeZone); err != nil {
			mistakes = append(mistakes, fmt.Sprintf("spec.disruption.windows: timeZone %q is refused: %v; "+
				"legal: an IANA name such as Europe/Berlin, or nothing for UTC", w.TimeZone, err))
		}
	}
	for _, s := range spec.Signals {
		if err := checkQuery(s.PromQL); err != nil {
			mistakes = append(mistakes, fmt.Sprintf("spec.signals: promQL of %q is refused: %v; "+
				"legal: a PromQL expression that gives one series, in which $namespace and $workload are replaced", s.Name, err))
		}
	}
	return mistakes
}

// checkQuery finds the mistakes in PromQL that need no parser: texts that do not end, brackets that do not match, and
// variables that nobody replaces. Prometheus finds the others, and the recommender reports them.
func checkQuery(query string) error {
	code, err := withoutTexts(query)
	if err != nil {
		return err
	}
	if err := checkBrackets(code); err != nil {
		return err
	}
	return checkVariables(query)
}

// withoutTexts cuts out everything in quotes. A backslash escapes the next character, except between backquotes.
func withoutTexts(query string) (string, error) {
	var code strings.Builder
	quote, escaped := rune(0), false
	for _, r := range query {
		switch {
		case escaped:
			escaped = false
		case quote == 0 && strings.ContainsRune("\"'`", r):
			quote = r
		case quote == 0:
			code.WriteRune(r)
		case r == quote:
			quote = 0
		default:
			escaped = r == '\\' && quote != '`'
		}
	}
	if quote != 0 {
		return "", fmt.Errorf("a text that begins with %q does not end", quote)
	}
	return code.String(), nil
}

func checkBrackets(code string) error {
	const opening, closing = "([{", ")]}"
	var open []byte // The brackets that have to close what is open, the next one last.
	for i := range len(code) {
		c := code[i]
		if kind := strings.IndexByte(opening, c); kind >= 0 {
			open = append(open, closing[kind])
			continue
		}
		if strings.IndexByte(closing, c) < 0 {
			continue
		}
		if len(open) == 0 || open[len(open)-1] != c {
			return fmt.Errorf("%q does not close anything", c)
		}
		open = open[:len(open)-1]
	}
	if len(open) > 0 {
		return fmt.Errorf("%q is missing", open[len(open)-1])
	}
	return nil
}

// checkVariables accepts $namespace and $workload, and the $ that ends a regular expression.
func checkVariables(query string) error {
	for rest := query; ; {
		_, after, found := strings.Cut(rest, "$")
		if !found {
			return nil
		}
		name := after[:len(after)-len(strings.TrimLeft(after, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))]
		if name != "" && name != "namespace" && name != "workload" {
			return fmt.Errorf("nobody replaces $%s", name)
		}
		rest = after
	}
}

// objects validates Loadline's own kinds.
type objects struct {
	policies        policies
	recommendations recommendations
}

func (o *objects) validate(ctx context.Context, req *admissionv1.AdmissionRequest) (answer, error) {
	if !isWrite(req) || req.Kind.Group != v1alpha1.Group {
		return answer{outcome: outcomeIrrelevant}, nil
	}
	switch req.Kind.Kind {
	case "SizingPolicy":
		return o.policies.validate(ctx, req)
	case "Recommendation":
		return o.recommendations.validate(req)
	default:
		return answer{outcome: outcomeIrrelevant}, nil
	}
}
