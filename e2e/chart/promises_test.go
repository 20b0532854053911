package chart

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

func TestHelmFindsNothingToComplainAbout(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			set := map[string]any{}
			if err := yaml.Unmarshal([]byte(values), &set); err != nil {
				t.Fatal(err)
			}
			for _, message := range lint.RunAll(chartDir, set, namespace).Messages {
				// A chart may do without a picture.
				if !strings.Contains(message.Error(), "icon is recommended") {
					t.Error(message)
				}
			}
		})
	}
}

// Kubernetes' own rules say whether a namespace that enforces the restricted standard admits the pods.
func TestEveryPodIsRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			objects := withHooks(t, values)
			pods := map[string]corev1.PodTemplateSpec{}
			for _, job := range names(objects, "Job") {
				pods[job] = as[batchv1.Job](t, objects, "Job "+job).Spec.Template
			}
			for _, deployment := range names(objects, "Deployment") {
				pods[deployment] = as[appsv1.Deployment](t, objects, "Deployment "+deployment).Spec.Template
			}
			for name, template := range pods {
				for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
					if !result.Allowed {
						t.Errorf("%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
					}
				}
				for _, container := range template.Spec.Containers {
					if template.Spec.RestartPolicy != corev1.RestartPolicyNever && (container.LivenessProbe == nil || container.ReadinessProbe == nil) {
						t.Errorf("%s has no probes", name)
					}
					if !*container.SecurityContext.ReadOnlyRootFilesystem {
						t.Errorf("%s writes to its own file system", name)
					}
				}
			}
		})
	}
}

func TestEveryConfigurationIsOneThatThePartsAccept(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) { configured(t, rendered(t, values)) })
	}
}

func TestEveryObjectSaysWhereItComesFrom(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			for key, object := range withHooks(t, values) {
				if labels := object.GetLabels(); labels["app.kubernetes.io/part-of"] != "loadline" || labels["app.kubernetes.io/managed-by"] != "Helm" {
					t.Errorf("%s has the labels %v", key, labels)
				}
			}
		})
	}
}

// What people look for in a file that says all that can be set: each value has its type in the schema, and the schema no others.
func TestTheSchemaIsStrictEverywhere(t *testing.T) {
	content, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(content, &root); err != nil {
		t.Fatal(err)
	}
	walk(root, "", func(path string, node map[string]any) {
		if _, has := node["properties"]; has && node["additionalProperties"] != false {
			t.Errorf("%s admits keys that nobody knows", path)
		}
	})
}

// walk visits every object in a tree.
func walk(node any, path string, visit func(path string, node map[string]any)) {
	object, ok := node.(map[string]any)
	if !ok {
		return
	}
	visit(path, object)
	for name, child := range object {
		walk(child, path+"/"+name, visit)
	}
}
