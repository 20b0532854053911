package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

const cleanup = "loadline-cleanup"

func TestAnUninstallationIsFollowedByACleanupWithRightsOfItsOwn(t *testing.T) {
	objects := hooks(t, "{networkPolicy: {enabled: true}}")
	for _, kind := range []string{"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "NetworkPolicy", "Job"} {
		wantNames(t, objects, kind, cleanup)
	}
	for key, object := range objects {
		if got := object.GetAnnotations()["helm.sh/hook"]; got != "post-delete" { // Before it, a failure would keep Loadline in the cluster.
			t.Errorf("%s is created at %s", key, got)
		}
		if got := object.GetAnnotations()["helm.sh/hook-delete-policy"]; !strings.Contains(got, "hook-succeeded") {
			t.Errorf("%s stays: %s", key, got)
		}
	}
	job := as[batchv1.Job](t, objects, "Job "+cleanup).Spec
	if job.ActiveDeadlineSeconds == nil || job.BackoffLimit == nil || job.TTLSecondsAfterFinished == nil {
		t.Errorf("a Job that fails has no end: %+v", job)
	}
	if got := job.Template.Spec.ServiceAccountName; got != cleanup {
		t.Errorf("it runs as %s", got)
	}
	policy := as[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy "+cleanup).Spec
	if got := policy.PodSelector.MatchLabels["app.kubernetes.io/name"]; got != job.Template.Labels["app.kubernetes.io/name"] || len(policy.Egress) == 0 {
		t.Errorf("the NetworkPolicy lets pods named %q reach %v", got, policy.Egress)
	}
}

func TestTheCleanupMayChangeOnlyWhatLoadlineLeavesSomethingOn(t *testing.T) {
	var got []string
	for _, rule := range as[rbacv1.ClusterRole](t, hooks(t, customKinds), "ClusterRole "+cleanup).Rules {
		got = append(got, strings.Join(rule.Resources, ",")+": "+strings.Join(rule.Verbs, ","))
	}
	want := []string{
		"horizontalpodautoscalers: get,list,patch", "namespaces: get,list,patch", "deployments,statefulsets: get,list,patch", "rollouts: get,list,patch", "fleets: get,list,patch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
}

// Tools that know no hooks create the Job with everything else.
func TestTheCleanupLeavesALoadlineThatRunsAlone(t *testing.T) {
	objects := hooks(t, "")
	args := as[batchv1.Job](t, objects, "Job "+cleanup).Spec.Template.Spec.Containers[0].Args
	if slices.Contains(args, "--force") || !slices.Contains(args, "--operator-namespace="+namespace) {
		t.Errorf("it runs %v and does not look whether a part holds its lease in %s", args, namespace)
	}
	config := configured(t, set{"ConfigMap loadline-config": objects["ConfigMap "+cleanup]})
	want := []rbacv1.PolicyRule{{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get"},
		ResourceNames: []string{config.Recommender.LeaderElection.LeaseName, config.Updater.LeaderElection.LeaseName},
	}}
	if diff := cmp.Diff(want, as[rbacv1.Role](t, objects, "Role "+cleanup).Rules); diff != "" {
		t.Errorf("rights on leases (-want +got):\n%s", diff)
	}
}

func TestTheCleanupReadsTheConfigurationOfTheLoadlineThatIsGone(t *testing.T) {
	objects := hooks(t, customKinds)
	objects["ConfigMap loadline-config"] = objects["ConfigMap "+cleanup]
	if got := configured(t, objects).Scaling.Kinds; len(got) != 2 {
		t.Errorf("it knows the kinds %v", got)
	}
}

func TestWhoWantsNoCleanupGetsNone(t *testing.T) {
	if objects := hooks(t, "{cleanup: {onUninstall: false}}"); len(objects) > 0 {
		t.Errorf("there is still %v", objects)
	}
}
