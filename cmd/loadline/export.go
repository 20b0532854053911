package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/report/gitops"
)

// Formats of an export.
const (
	exportPatch     = "patch"
	exportKustomize = "kustomize"
	exportHelm      = "helm-values"
)

// exportOptions are the flags of the export.
type exportOptions struct {
	format, threshold, folder, operator string
	replicas                            bool
	paths                               gitops.Paths
	// now is when the cluster was read, staleAfter the age at which its operator calls sizes stale.
	now        time.Time
	staleAfter time.Duration
}

func newExportCommand(flags *clusterFlags, std streams) *cobra.Command {
	options := exportOptions{format: exportPatch, threshold: "10%", replicas: true, operator: config.Default().Namespace}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write recommended sizes as files for a repository",
		Long: "Write, for every workload whose recommended sizes differ from its own by more than the threshold, what its manifest should\n" +
			"say: as patches, as a component for kustomize, or as values of a Helm chart. The pods then ask by themselves for exactly what\n" +
			"Loadline would inject. Nothing in the cluster is changed.\n\n" +
			"With --output-dir, each workload has a file of its own in a folder per namespace. A file is written anew when the workload differs\n" +
			"again, with everything that is recommended for it, and stays as it is otherwise; no file is deleted, and none that something else\n" +
			"wrote is overwritten. Without it, patches are printed to look at: only those of workloads that differ now.",
		Example: "  loadline export --namespace shop\n  loadline export --format kustomize --output-dir deploy/sizes\n" +
			"  loadline export --format helm-values --values-path '{{.Name}}.resources' --output-dir sizes",
		GroupID: "look",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			threshold, err := options.check()
			if err != nil {
				return err
			}
			c, err := newClient(flags)
			if err != nil {
				return err
			}
			workloads, err := readWorkloads(cmd.Context(), c, flags.namespaceFlag())
			if err != nil {
				return err
			}
			options.askOperator(cmd.Context(), c)
			return options.write(std, options.compare(std, workloads, threshold))
		},
	}
	options.bind(cmd.Flags())
	completes(cmd, "format", exportPatch, exportKustomize, exportHelm)
	return cmd
}

func (o *exportOptions) bind(set *pflag.FlagSet) {
	set.StringVar(&o.format, "format", o.format, "patch, kustomize or helm-values")
	set.StringVar(&o.threshold, "threshold", o.threshold, "leave a workload as it is of which no amount differs by more than this percentage")
	set.StringVar(&o.folder, "output-dir", "", "folder to write files to (default: patches on standard output)")
	set.BoolVar(&o.replicas, "replicas", o.replicas, "export recommended numbers of pods, where nobody else decides them")
	set.StringVar(&o.paths.Resources, "values-path", "", "helm-values: where the resources of a container are, such as '{{.Name}}.resources'")
	set.StringVar(&o.paths.Replicas, "replicas-path", "", "helm-values: where the number of pods is, such as '{{.Name}}.replicaCount' (default: left out)")
	set.StringVar(&o.operator, operatorNamespaceFlag, o.operator, "where Loadline runs, to say which sizes are stale")
}

// check returns the threshold in percent. Values are files, like the component: one document that is made anew each time would lose a
// workload as soon as it asks for what is recommended, or has no sizes that may be used, and its chart's own sizes would come back.
func (o *exportOptions) check() (float64, error) {
	threshold, err := strconv.ParseFloat(strings.TrimSuffix(o.threshold, "%"), 64)
	switch {
	case err != nil || !(threshold >= 0 && threshold <= 1000):
		return 0, usageError("--threshold %q: legal is a percentage from 0%% to 1000%%", o.threshold)
	case !slices.Contains([]string{exportPatch, exportKustomize, exportHelm}, o.format):
		return 0, usageError("--format %q: legal are %s, %s and %s", o.format, exportPatch, exportKustomize, exportHelm)
	case o.format != exportPatch && o.folder == "":
		return 0, usageError("--format %s is a folder of files: name it with --output-dir", o.format)
	case o.format == exportHelm && o.paths.Resources == "":
		return 0, usageError("--format %s: say with --values-path where the chart has the resources of a container, such as '{{.Name}}.resources'", exportHelm)
	case o.format != exportHelm && o.paths != gitops.Paths{}:
		return 0, usageError("--values-path and --replicas-path are for --format %s", exportHelm)
	}
	return threshold, nil
}

// askOperator finds out which sizes the Loadline that runs in the cluster calls stale.
func (o *exportOptions) askOperator(ctx context.Context, reader client.Reader) {
	o.now, o.staleAfter = time.Now(), findInstalled(ctx, reader, o.operator).config.Recommender.StaleAfter.Duration
}

// compare returns what has to change, and says of every other workload why nothing is exported.
func (o *exportOptions) compare(std streams, workloads []gitops.Workload, threshold float64) []gitops.Change {
	var changes []gitops.Change
	for _, w := range workloads {
		change, why := gitops.Compare(w, gitops.Options{ThresholdPercent: threshold, WithoutReplicas: !o.replicas, Now: o.now, StaleAfter: o.staleAfter})
		if why == "" {
			changes = append(changes, change)
		} else {
			_, _ = fmt.Fprintf(std.err, "%s/%s: %s\n", w.Recommendation.Namespace, w.Recommendation.Name, why) // a remark
		}
	}
	return changes
}

// write writes the changes to the folder, or patches to standard output.
func (o *exportOptions) write(std streams, changes []gitops.Change) error {
	if o.folder != "" {
		return exportFolder{exportOptions: o, std: std}.write(changes)
	}
	var text strings.Builder
	for i, c := range changes {
		patch, err := c.Patch(nil)
		if err != nil {
			return fmt.Errorf("write the patch of %s: %w", c.Name, err)
		}
		if i > 0 {
			text.WriteString("---\n")
		}
		text.WriteString(patch)
	}
	_, err := fmt.Fprint(std.out, text.String())
	return err
}

// readWorkloads reads all Recommendations with their workloads and what bounds them, in the order of namespace and name.
func readWorkloads(ctx context.Context, c client.Client, namespace string) ([]gitops.Workload, error) {
	recommendations, err := listRecommendations(ctx, c, namespace, func(int, int) {})
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		recommendations = without(config.Default().Updater.ProbeNamespace, recommendations)
	}
	ranges := &corev1.LimitRangeList{}
	if err := c.List(ctx, ranges, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list limit ranges: %w", err)
	}
	bounds := map[string][]corev1.LimitRange{}
	for _, r := range ranges.Items {
		bounds[r.Namespace] = append(bounds[r.Namespace], r)
	}
	templates, err := readTemplates(ctx, c, namespace)
	if err != nil {
		return nil, err
	}
	var workloads []gitops.Workload
	for _, rec := range recommendations {
		ref := rec.Spec.TargetRef
		w, found := templates[workloadKey{rec.Namespace, ref.Kind, ref.Name}]
		if !found {
			w.Unreadable = unreadable(ref)
		}
		w.Recommendation, w.Bounds = rec, apply.LimitBounds(bounds[rec.Namespace])
		workloads = append(workloads, w)
	}
	slices.SortFunc(workloads, func(a, b gitops.Workload) int {
		return strings.Compare(a.Recommendation.Namespace+"/"+a.Recommendation.Name, b.Recommendation.Namespace+"/"+b.Recommendation.Name)
	})
	return workloads, nil
}

// unreadable says why there is no template of a workload. Of a custom kind, a patch would replace the whole list of containers.
func unreadable(ref v1alpha1.TargetReference) string {
	if _, known := kinds[typed(ref.Kind)]; known {
		return "there is no such workload any more"
	}
	return fmt.Sprintf("nothing is written for kind %s, of which a patch cannot change one container; write its sizes into its manifest yourself", ref.Kind)
}

type workloadKey struct{ namespace, kind, name string }

// readTemplates reads the pod templates and numbers of pods of all workloads, in pages.
func readTemplates(ctx context.Context, c client.Client, namespace string) (map[workloadKey]gitops.Workload, error) {
	all := map[workloadKey]gitops.Workload{}
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &batchv1.CronJobList{}} {
		for next := ""; ; {
			if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
				return nil, fmt.Errorf("list workloads: %w", err)
			}
			err := apimeta.EachListItem(list, func(object runtime.Object) error {
				switch o := object.(type) {
				case *appsv1.Deployment:
					all[workloadKey{o.Namespace, "Deployment", o.Name}] = gitops.Workload{Template: o.Spec.Template.Spec, Replicas: *o.Spec.Replicas}
				case *appsv1.StatefulSet:
					all[workloadKey{o.Namespace, "StatefulSet", o.Name}] = gitops.Workload{Template: o.Spec.Template.Spec, Replicas: *o.Spec.Replicas}
				case *appsv1.DaemonSet:
					all[workloadKey{o.Namespace, "DaemonSet", o.Name}] = gitops.Workload{Template: o.Spec.Template.Spec}
				case *batchv1.CronJob:
					all[workloadKey{o.Namespace, "CronJob", o.Name}] = gitops.Workload{Template: o.Spec.JobTemplate.Spec.Template.Spec}
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("read workloads: %w", err)
			}
			if next = list.GetContinue(); next == "" {
				break
			}
		}
	}
	return all, nil
}
