package v1alpha1_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func reference(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/annotations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestTheReferenceNamesEveryKey(t *testing.T) {
	text := reference(t)
	for _, key := range []string{
		v1alpha1.AnnotationMode, v1alpha1.AnnotationPolicy, v1alpha1.AnnotationContext, v1alpha1.AnnotationEventPrefix + "<name>",
		v1alpha1.AnnotationPriority, v1alpha1.AnnotationApproval, v1alpha1.AnnotationReplicas, v1alpha1.AnnotationUpdater,
		v1alpha1.AnnotationExcludeContainers,
	} {
		if !strings.Contains(text, "\n| `"+key+"` |") {
			t.Errorf("the table has no row for %s", key)
		}
	}
}

func TestEveryExampleOfTheReferenceIsAccepted(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(reference(t), -1)
	if len(examples) < 4 {
		t.Fatalf("found only %d examples", len(examples))
	}
	for _, example := range examples {
		var object struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(example[1]), &object); err != nil {
			t.Errorf("%v in\n%s", err, example[1])
		}
		if len(object.Metadata.Annotations) == 0 {
			t.Errorf("no annotation in\n%s", example[1])
		}
		if _, refused := v1alpha1.ParseAnnotations(object.Metadata.Annotations); len(refused) > 0 {
			t.Errorf("%v in\n%s", refused, example[1])
		}
	}
}

func TestEveryMistakeOfTheReferenceIsRefusedAsItSays(t *testing.T) {
	mistakes := regexp.MustCompile(`(?m)^annotation (\S+?)=(".*?") is refused; legal: .*$`).FindAllStringSubmatch(reference(t), -1)
	if len(mistakes) < 5 {
		t.Fatalf("found only %d mistakes", len(mistakes))
	}
	for _, mistake := range mistakes {
		value, err := strconv.Unquote(mistake[2])
		if err != nil {
			t.Fatal(err)
		}
		_, refused := v1alpha1.ParseAnnotations(map[string]string{mistake[1]: value})
		if len(refused) != 1 || refused[0].Error() != mistake[0] {
			t.Errorf("the reference says\n%s\nbut it is\n%v", mistake[0], refused)
		}
	}
}

func TestTheReferenceNarrowsAsLoadlineDoes(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| (?:nothing|`(.+?): (.+?)`) \\| `(.+?): (.+?)` \\| `(.+?): (.+?)` \\|$").FindAllStringSubmatch(reference(t), -1)
	if len(rows) < 13 {
		t.Fatalf("found only %d rows", len(rows))
	}
	for _, row := range rows {
		namespace := annotations{}
		if row[1] != "" {
			namespace[row[1]] = row[2]
		}
		got := resolve(namespace, annotations{row[3]: row[4]}, false)
		value := map[string]string{
			"mode": string(got.Mode), "approval": string(got.Approval), "priority": string(got.Priority),
			"replicas": string(got.Replicas), "updater": string(got.Updater), "policy": got.Policy,
			"exclude-containers": strings.Join(got.ExcludeContainers, ","),
		}[row[5]]
		if value != row[6] {
			t.Errorf("%s: got %q", row[0], value)
		}
	}
}
