package scenarios

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func TestAWishInWordsIsCheckedByTheClusterAndNothingIsCreated(t *testing.T) {
	s := newScene(t, "wishes", nil)

	out, _, code := s.compile(`{"numbers": [{"setting": "replicas_min", "value": 3}, {"setting": "cpu_min_millicores", "value": 500}],
		"choices": [], "eviction_windows": [{"days": "weekdays", "start_hour": 2, "hours": 4, "time_zone": "Europe/Berlin"}], "unexpressed": []}`)
	s.Expect(code).To(BeZero())
	s.Expect(out).To(And(ContainSubstring("# The cluster would accept it; nothing was changed."), ContainSubstring("# - at least 3 pods")))
	s.Expect(s.policies()).To(BeEmpty(), "a dry run creates nothing")

	// What the cluster said is true: a person applies the text as it is.
	draft := &v1alpha1.SizingPolicy{}
	s.Expect(yaml.UnmarshalStrict([]byte(out), draft)).To(Succeed())
	s.Expect(draft.Namespace).To(Equal(s.namespace))
	draft.Name = "applied"
	s.create(draft)

	_, errors, code := s.compile(`{"numbers": [], "choices": [],
		"eviction_windows": [{"days": "sunday", "start_hour": 2, "hours": 4, "time_zone": "Mars/Olympus"}], "unexpressed": []}`)
	s.Expect(code).To(Equal(1))
	s.Expect(errors).To(And(ContainSubstring("the cluster refuses the draft"), ContainSubstring(`timeZone "Mars/Olympus"`)), "the webhook's words")

	// The draft alone is legal. Together with what the policy of this name holds already, it is not.
	s.create(&v1alpha1.SizingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: v1alpha1.DefaultPolicyName},
		Spec:       v1alpha1.SizingPolicySpec{CPU: v1alpha1.CPUPolicy{Max: new(resource.MustParse("100m"))}},
	})
	before := s.policies()
	out, errors, code = s.compile(`{"numbers": [{"setting": "cpu_min_millicores", "value": 500}], "choices": [], "eviction_windows": [], "unexpressed": []}`)
	s.Expect(code).To(Equal(1))
	s.Expect(errors).To(And(ContainSubstring("the cluster refuses the draft"), ContainSubstring("cpu.min must not be larger than cpu.max")), "the words of the CEL rule")
	s.Expect(out).To(BeEmpty(), "nothing that could be applied by mistake")
	s.Expect(s.policies()).To(Equal(before), "nothing was created or changed")
}

// compile runs `loadline policy compile` against the cluster, as a person would, with a stub in the place of the model: a
// server that speaks Ollama's API and always gives the same answer.
func (s scene) compile(answer string) (out, errors string, code int) {
	s.t.Helper()
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/chat" {
			fmt.Fprint(w, `{"models": [{"name": "stub:latest", "digest": "5f1d"}]}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"model": "stub", "message": map[string]string{"role": "assistant", "content": answer}, "done": true, "done_reason": "stop",
		})
	}))
	defer stub.Close()
	return runCommand(s.t, "", "policy", "compile", "as the stub understands it",
		"--kubeconfig", cluster.Kubeconfig, "--namespace", s.namespace, "--url", stub.URL, "--model", "stub")
}

func (s scene) policies() []v1alpha1.SizingPolicy {
	s.t.Helper()
	list := &v1alpha1.SizingPolicyList{}
	s.Expect(loadline.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	return list.Items
}
